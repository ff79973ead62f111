"""Land recordings: each becomes an mp3 file, and a manifest says what became of each."""

from __future__ import annotations

import logging
import random
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from hashlib import file_digest
from itertools import chain
from typing import Any, Protocol, TypeAlias, cast

from airflow_provider_alloincognito.api.answer.audio import audio_format
from airflow_provider_alloincognito.api.backoff import backoff
from airflow_provider_alloincognito.errors import (
    AlloincognitoError,
    AlloincognitoRecordingError,
    AlloincognitoStoppedError,
    AlloincognitoTruncatedError,
)
from airflow_provider_alloincognito.landing.digest import Digest
from airflow_provider_alloincognito.landing.manifest import (
    MANIFEST,
    Journal,
    ManifestLine,
    encode_line,
    journal_of,
    read_manifest,
)
from airflow_provider_alloincognito.landing.progress import Progress
from airflow_provider_alloincognito.landing.run_stop import RunStop
from airflow_provider_alloincognito.landing.stores import Leftovers, leftovers_in, whole_file
from airflow_provider_alloincognito.landing.stores.targets import (
    Target,
    address,
    child,
    explain_memory_errors,
    open_for_reading,
    size_of,
)
from airflow_provider_alloincognito.scrubbing import scrub, without_locals

MOST_TRUNCATED = 3
"""A recording whose connection breaks is requested again so often."""
WAITING_PER_THREAD = 16
"""So many recordings may be finished or queued behind a long one, whose line comes first in the manifest."""

_rng = random.Random()
_SAFE_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Recording(Protocol):
    """A recording that arrives: the bytes of an mp3, and a name that is known after the last of them."""

    @property
    def file_name(self) -> str | None:
        """``file_NAME`` from the API."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the mp3 as it arrives."""


Fetch: TypeAlias = Callable[[str], AbstractContextManager[Recording]]


@dataclass(frozen=True, slots=True)
class LandedRecordings:
    """
    The outcome of a run.

    :param manifest: the path of the manifest.
    :param fetched: how many recordings were fetched by this run.
    :param skipped: how many were not fetched because their files existed.
    :param failed: how many could not be fetched.
    :param bytes: the size of all files, fetched or skipped.
    """

    manifest: str
    fetched: int
    skipped: int
    failed: int
    bytes: int


@without_locals()
@explain_memory_errors()
def land_recording(
    fetch: Fetch,
    record_file_id: str,
    path: Target,
    *,
    leftovers: Leftovers | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> ManifestLine:
    """
    Land one recording as it arrives. Memory does not grow with its length.

    :param fetch: opens a recording by its id.
    :param record_file_id: the id.
    :param path: the mp3 file, which appears whole or not at all. WAV and OGG audio gets its own suffix.
    :param leftovers: see :func:`~airflow_provider_alloincognito.landing.stores.whole_file`.
    :param on_bytes: called with the size of each chunk; an exception from it ends the recording.
    :raises AlloincognitoRecordingError: if the recording is empty.
    :raises AlloincognitoTargetError: if the file cannot be written.
    """
    with ExitStack() as stack:
        # First: a store that takes no files costs no request.
        opened = stack.enter_context(ExitStack())
        file = opened.enter_context(whole_file(path, leftovers=leftovers))
        recording = stack.enter_context(fetch(record_file_id))
        digest = stack.enter_context(Digest())
        suffix, chunks = _with_format(recording)
        other = _with_suffix(path, suffix)
        if other is not path:
            _discard(opened)
            path, file = other, opened.enter_context(whole_file(other, leftovers=leftovers))
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
            if on_bytes is not None:
                on_bytes(len(chunk))
        if not digest.size:
            raise AlloincognitoRecordingError("The recording is empty, so no file was written. Try again later.")
        file_name = recording.file_name
    return ManifestLine(record_file_id, address(path), file_name, digest.size, digest.hexdigest(), "fetched")


class _Discarded(Exception):
    """A file was opened in vain."""


def _discard(opened: ExitStack) -> None:
    with suppress(_Discarded), opened:
        raise _Discarded


def _with_format(chunks: Iterable[bytes]) -> tuple[str | None, Iterator[bytes]]:
    """Return what a recording is, and all of its chunks. None is kept: the first one may be a large part of it."""
    chunks = iter(chunks)
    first = next(chunks, b"")
    return audio_format(first), chain((first,) if first else (), chunks)


def _with_suffix(path: Target, suffix: str | None) -> Target:
    """Return the path for audio that is no mp3, where the path says that it would be."""
    if suffix in (None, "mp3") or not (text := address(path)).endswith(".mp3"):
        return path
    if isinstance(path, str):
        return f"{text[:-4]}.{suffix}"
    return cast("Target", cast(Any, path).with_suffix(f".{suffix}"))


def _suffix_of(line: ManifestLine | None) -> str:
    """Return the suffix that an earlier run has given to a recording."""
    suffix = (line.path or "").rpartition(".")[2] if line is not None else ""
    return suffix if suffix in ("wav", "ogg") else "mp3"


@without_locals()
@explain_memory_errors()
def land_recordings(
    fetch: Fetch,
    ids: Iterable[str],
    folder: Target,
    *,
    manifest: Target | None = None,
    concurrency: int = 4,
    skip_existing: bool = True,
    keep_file_names: bool = True,
    log: logging.Logger | None = None,
    stop: threading.Event | None = None,
) -> LandedRecordings:
    """
    Land recordings as ``<id>.mp3``. One that fails does not stop the others, but see the errors below.

    :param fetch: opens a recording by its id; called from several threads.
    :param ids: the ``recordFileId`` of each, read only as far as they are needed. Each id is fetched once. Give a list
        to have the log say how many are left.
    :param folder: where the files go.
    :param manifest: the manifest's file; default ``manifest.jsonl`` in the folder. A manifest belongs to one set of
        ids: runs with other ids in the same folder need their own, or each forgets what the others knew.
    :param concurrency: how many recordings are fetched at a time.
    :param skip_existing: do not fetch again what an earlier run has landed: a file whose size is in its manifest. A
        file that is in no manifest is read once to compute its SHA-256; under its final name it is whole.
    :param keep_file_names: whether manifest and journal have ``file_name``, which may be personal data. False also
        leaves out those that an earlier run wrote.
    :param log: gets the progress, at first every few seconds, each failure, and what became of the run.
    :param stop: set it to stop the run from outside; the run sets it when it ends early. From then on nothing is
        requested, and recordings that have not landed are given up. Default, if ``fetch`` is a hook's method, the
        hook's ``stopped``, cleared again after a run that ended early; runs at the same time then need a hook each.
    :raises AlloincognitoAuthError: if the authorization token is not accepted.
    :raises AlloincognitoBusyError: if the server asks for a longer pause than a task waits.
    :raises AlloincognitoConnectionError: if several recordings in a row get no response.
    :raises AlloincognitoApiError: if redirects, HTTP 403, 405, 422 or 501 are all that comes, many times in a row.
    :raises AlloincognitoResponseError: if so many responses are not what the API describes.
    :raises AlloincognitoTargetError: if the store refuses several recordings in a row, or the manifest cannot be read
        or written.
    :raises AlloincognitoStoppedError: if the run was stopped from outside.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is the number of recordings at a time and must be 1 or more, not {concurrency}.")
    manifest = manifest if manifest is not None else child(folder, MANIFEST)
    log = log or logging.getLogger(__name__)
    total = len(ids) if isinstance(ids, Sized) else None
    concurrency = min(concurrency, total or concurrency)
    progress = Progress(log, total)
    journal = journal_of(manifest, log, keep_file_names=keep_file_names)
    earlier: dict[str, ManifestLine] = {}
    if skip_existing:
        known = chain(read_manifest(manifest, keep_file_names=keep_file_names), journal.read())
        earlier = {line.id: line for line in known if line.status != "failed"}
    run_stop = RunStop(concurrency, stop or getattr(getattr(fetch, "__self__", None), "stopped", None))
    run = _Run(fetch, folder, earlier, skip_existing, keep_file_names, progress, journal, run_stop)
    counts = {"fetched": 0, "skipped": 0, "failed": 0}
    size = 0
    try:
        with progress, whole_file(manifest) as file:
            for line in run.land_all(_without_repeats(ids), concurrency):
                file.write(encode_line(line))
                counts[line.status] += 1
                size += line.bytes or 0
                if line.status == "failed":
                    _log_failure(log, line)
    except BaseException:
        run_stop.end()
        journal.save()
        log.info("The run of recordings ended early: %s", progress.so_far)
        if stop is None:
            run_stop.give_back()
        raise
    journal.remove()
    landed = LandedRecordings(address(manifest), **counts, bytes=size)
    outcome = "Fetched %s, skipped %s, failed %s: %s. Manifest: %s"
    log.info(outcome, *(f"{count:,}" for count in counts.values()), progress.received, landed.manifest)
    return landed


@dataclass
class _Run:
    """Lands the recordings of one run, from one or several threads."""

    fetch: Fetch
    folder: Target
    earlier: dict[str, ManifestLine]
    skip_existing: bool
    keep_file_names: bool
    progress: Progress
    journal: Journal
    stop: RunStop

    def __post_init__(self) -> None:
        self._journal_lock = threading.Lock()
        self._leftovers = leftovers_in(self.folder)

    def land_all(self, ids: Iterator[str], concurrency: int) -> Iterator[ManifestLine]:
        """Land recordings and yield their lines in the order of the ids."""
        return self._land_in_threads(ids, concurrency) if concurrency > 1 else map(self._land, ids)

    def _land_in_threads(self, ids: Iterator[str], concurrency: int) -> Iterator[ManifestLine]:
        pending: deque[Future[ManifestLine]] = deque()
        with ThreadPoolExecutor(concurrency, thread_name_prefix="recording") as threads:
            try:
                for record_file_id in ids:
                    pending.append(threads.submit(self._land, record_file_id))
                    if len(pending) >= concurrency * WAITING_PER_THREAD:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            except BaseException as error:
                self.stop.end()
                threads.shutdown(wait=True, cancel_futures=True)
                if isinstance(error, AlloincognitoStoppedError) and self.stop.reason is not None:
                    raise self.stop.reason from None
                raise

    def _land(self, record_file_id: str) -> ManifestLine:
        """Land one recording and add its line to the journal at once, in case the run is killed."""
        line = self._land_or_fail(record_file_id)
        with self._journal_lock:
            self.journal.add(line)
        return line

    def _land_or_fail(self, record_file_id: str) -> ManifestLine:
        with ExitStack() as turn:  # ends after an error has been counted
            try:
                self.stop.raise_if_stopped()
                return self._skip_or_fetch(record_file_id, turn)
            except Exception as error:  # noqa: BLE001 - one failure must not stop the rest
                self.stop.raise_if_stopped()
                if self.stop.ends_run(error, _without_personal_id(str(error), record_file_id)):
                    raise (self.stop.reason or error) from None
                # Only the texts of this package's errors are scrubbed.
                text = f": {error}" if isinstance(error, AlloincognitoError) else ""
                return ManifestLine(record_file_id, None, None, None, None, "failed", type(error).__name__ + text)
            finally:
                self.progress.add_recording()

    def _skip_or_fetch(self, record_file_id: str, turn: ExitStack) -> ManifestLine:
        if not _SAFE_ID.fullmatch(record_file_id):
            raise AlloincognitoRecordingError(
                "The id is not a safe file name, so the recording was not fetched. It may have up to 128 letters, "
                "digits, '-', '_' and '.', and must not begin with '.'. Check that record_file_id_field names the "
                "field with the recordings' ids."
            )
        name = f"{record_file_id}.{_suffix_of(self.earlier.get(record_file_id))}"
        path = child(self.folder, name)
        line = self._existing(record_file_id, path) if self.skip_existing else None
        if line is not None:
            # An upload is begun twice if the response to its first request is lost.
            self._leftovers.remove_outdated(name)
            self.stop.skipped()
            return line
        truncated = 0
        while True:
            turn.enter_context(self.stop.turn())
            try:
                line = self._fetch(record_file_id, path)
            except AlloincognitoTruncatedError as error:
                truncated += 1
                if truncated > MOST_TRUNCATED or error.retries_used_up:
                    raise
            except Exception as error:
                if not self.stop.fewer_at_a_time(error):
                    raise
            else:
                self.stop.landed()
                return line
            turn.close()
            if truncated:
                self.stop.sleep(backoff(truncated, _rng))

    def _fetch(self, record_file_id: str, path: Target) -> ManifestLine:
        line = land_recording(self.fetch, record_file_id, path, leftovers=self._leftovers, on_bytes=self._on_bytes)
        return line if self.keep_file_names else line.without_file_name()

    def _existing(self, record_file_id: str, path: Target) -> ManifestLine | None:
        """Return the line of a file that exists, or None if the recording must be fetched."""
        size = size_of(path)
        if not size:
            return None
        known = self.earlier.get(record_file_id)
        if known is None:
            with open_for_reading(path) as file:
                digest = file_digest(file, "sha256").hexdigest()
            return ManifestLine(record_file_id, address(path), None, size, digest, "skipped")
        if known.bytes != size:
            return None
        return ManifestLine(record_file_id, address(path), known.file_name, size, known.sha256, "skipped")

    def _on_bytes(self, count: int) -> None:
        self.stop.raise_if_stopped()
        self.progress.add_bytes(count)


def _without_repeats(ids: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for record_file_id in ids:
        if record_file_id not in seen:
            seen.add(record_file_id)
            yield record_file_id


def _log_failure(log: logging.Logger, line: ManifestLine) -> None:
    error = line.error or ""
    if not _SAFE_ID.fullmatch(line.id):
        log.warning("Recording with an unusable id failed: %s", error)
    elif _may_be_personal(line.id):
        log.warning(
            "Recording whose id looks like a phone number or a token failed: %s", _without_personal_id(error, line.id)
        )
    else:
        log.warning("Recording %s failed: %s", line.id, error)


def _without_personal_id(text: str, record_file_id: str) -> str:
    """Take the id out of a text, as part of a path, if it should not be shown."""
    return text.replace(record_file_id, "<id>") if _may_be_personal(record_file_id) else text


def _may_be_personal(record_file_id: str) -> bool:
    """Suspect an id that looks like a phone number: the field with the numbers may have been named."""
    return scrub(record_file_id) != record_file_id and not _UUID.fullmatch(record_file_id)
