"""Recordings become mp3 files, many at a time, and a manifest that says what became of each."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, TypeAlias

from airflow_provider_alloincognito.errors import (
    AlloincognitoError,
    AlloincognitoRecordingError,
    AlloincognitoTruncatedError,
)
from airflow_provider_alloincognito.landing.digest import Digest
from airflow_provider_alloincognito.landing.manifest import (
    Journal,
    ManifestLine,
    encode_line,
    journal_of,
    read_manifest,
)
from airflow_provider_alloincognito.landing.run import Log, Progress, RunStop
from airflow_provider_alloincognito.landing.stores import leftovers_in, whole_file
from airflow_provider_alloincognito.landing.stores.remote import Leftovers
from airflow_provider_alloincognito.landing.stores.targets import Target, address, child, open_for_reading, size_of
from airflow_provider_alloincognito.scrubbing import scrub

WAITING_PER_THREAD = 16
"""So many recordings may be done, or wait, behind a long one whose turn it is in the manifest."""

_SAFE_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CHUNK_BYTES = 1 << 20


class Recording(Protocol):
    """A recording on its way: mp3 bytes; its name is known when they have ended."""

    @property
    def file_name(self) -> str | None:
        """``file_NAME`` as the API gave it."""

    def __iter__(self) -> Iterator[bytes]:
        """Give the mp3 as it arrives."""


Fetch: TypeAlias = Callable[[str], AbstractContextManager[Recording]]


@dataclass(frozen=True, slots=True)
class LandedRecordings:
    """
    What became of many recordings.

    :param manifest: the path of the manifest.
    :param bytes: the size of all recordings that server, fetched now or there before.
    """

    manifest: str
    fetched: int
    skipped: int
    failed: int
    bytes: int


def land_recording(
    fetch: Fetch,
    record_file_id: str,
    path: Target,
    *,
    leftovers: Leftovers | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> ManifestLine:
    """
    Land one recording as it arrives; memory does not grow with its length.

    :param fetch: opens a recording by its id.
    :param path: the mp3 file, which appears whole or not at all.
    :param leftovers: see :func:`~airflow_provider_alloincognito.landing.stores.whole_file`.
    :param on_bytes: told the size of each chunk; what it raises ends the recording.
    """
    with whole_file(path, leftovers=leftovers) as file, fetch(record_file_id) as recording, Digest() as digest:
        for chunk in recording:
            digest.update(chunk)
            file.write(chunk)
            if on_bytes is not None:
                on_bytes(len(chunk))
        if not digest.size:
            raise AlloincognitoRecordingError("The recording is empty")
        file_name = recording.file_name
    return ManifestLine(record_file_id, address(path), file_name, digest.size, digest.hexdigest(), "fetched")


def land_recordings(
    fetch: Fetch,
    ids: Iterable[str],
    folder: Target,
    *,
    manifest: Target | None = None,
    concurrency: int = 4,
    skip_existing: bool = True,
    log: Log | None = None,
) -> LandedRecordings:
    """
    Land recordings as ``<id>.mp3``. One that fails does not stop the others; what they would all meet does.

    :param fetch: opens a recording by its id; called from several threads.
    :param ids: the ``recordFileId`` of each; taken as they are needed. One that comes twice is fetched once.
    :param folder: where the files go.
    :param manifest: where the manifest goes: ``manifest.jsonl`` in the folder unless told. It belongs to one set of
        ids: runs with others that share the folder need one each, or they forget what was known of theirs.
    :param concurrency: how many recordings are fetched at a time.
    :param skip_existing: leave files alone whose size is that of the manifest of an earlier run; one that no
        manifest knows is read once, for its digest: a file that has its name is whole.
    :param log: told how it goes every few seconds, and of each failure.
    :raises AlloincognitoAuthError: if the authorization token is not accepted.
    :raises AlloincognitoBusyError: if the server asks to be left alone for long.
    :raises AlloincognitoConnectionError: if so many in a row get no answer that the server must be down.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is the number of recordings at a time, 1 or more, not {concurrency}")
    manifest = manifest if manifest is not None else child(folder, "manifest.jsonl")
    log = log or logging.getLogger(__name__)
    number = len(ids) if isinstance(ids, Sized) else None
    concurrency = min(concurrency, number or concurrency)
    progress = Progress(log, number)
    journal = journal_of(manifest, log)
    earlier: dict[str, ManifestLine] = {}
    if skip_existing:
        known = (line for source in (read_manifest(manifest), journal.read()) for line in source)
        earlier = {line.id: line for line in known if line.status != "failed"}
    end = RunStop(concurrency)
    landing = _Landing(fetch, folder, earlier, skip_existing, progress, journal, end)
    counts = {"fetched": 0, "skipped": 0, "failed": 0}
    size = 0
    try:
        with progress, whole_file(manifest) as file:
            for line in _in_order(landing, _once_each(ids), concurrency):
                file.write(encode_line(line))
                counts[line.status] += 1
                size += line.bytes or 0
                if line.status == "failed":
                    _tell_failure(log, line)
    except BaseException:
        journal.keep()
        raise
    journal.remove()
    log.info("%s. Fetched %d, there before %d, failed %d", progress.text(), *counts.values())
    return LandedRecordings(address(manifest), **counts, bytes=size)


class _Stopped(Exception):
    """The run has ended; this recording is left to the next one."""


class _Landing:
    """Lands the recordings of one run, each in whatever thread comes along."""

    def __init__(
        self,
        fetch: Fetch,
        folder: Target,
        earlier: dict[str, ManifestLine],
        skip_existing: bool,
        progress: Progress,
        journal: Journal,
        end: RunStop,
    ) -> None:
        self.end = end
        self._fetch = fetch
        self._folder = folder
        self._earlier = earlier
        self._skip_existing = skip_existing
        self._progress = progress
        self._journal = journal
        self._journal_guard = threading.Lock()
        self._leftovers = leftovers_in(folder)

    def land(self, record_file_id: str) -> ManifestLine:
        """Land one recording, or say in its line why not; noted at once, for a run that is killed the next moment."""
        line = self._try(record_file_id)
        with self._journal_guard:
            self._journal.add(line)
        return line

    def _try(self, record_file_id: str) -> ManifestLine:
        try:
            self._go_on(0)
            return self._line(record_file_id)
        except _Stopped:
            raise
        except Exception as error:  # whatever befalls one, the others still land
            if self.end.comes_with(error):
                raise
            # The texts of our own errors are scrubbed; nobody knows what is in others.
            text = f"{type(error).__name__}: {error}" if isinstance(error, AlloincognitoError) else type(error).__name__
            return ManifestLine(record_file_id, None, None, None, None, "failed", text)
        finally:
            self._progress.add_recording()

    def _line(self, record_file_id: str) -> ManifestLine:
        if not _SAFE_ID.fullmatch(record_file_id):
            raise AlloincognitoRecordingError(
                "The id is no safe file name: letters, digits, '-', '_' and '.', not first, up to 128"
            )
        name = f"{record_file_id}.mp3"
        path = child(self._folder, name)
        line = self._existing(record_file_id, path) if self._skip_existing else None
        if line is not None:
            self._leftovers.sweep_outdated(name)  # begun twice: the answer to an upload's first request was lost
            return line
        try:
            line = self._fetched(record_file_id, path)
        except AlloincognitoTruncatedError:  # as other faults of a connection are, it is tried again
            line = self._fetched(record_file_id, path)
        self.end.note_answer()
        return line

    def _fetched(self, record_file_id: str, path: Target) -> ManifestLine:
        return land_recording(self._fetch, record_file_id, path, leftovers=self._leftovers, on_bytes=self._go_on)

    def _existing(self, record_file_id: str, path: Target) -> ManifestLine | None:
        size = size_of(path)
        if not size:
            return None
        known = self._earlier.get(record_file_id)
        if known is None:
            digest = _digest(path)
            return ManifestLine(record_file_id, address(path), None, size, digest, "skipped")
        if known.bytes != size:
            return None
        return ManifestLine(record_file_id, address(path), known.file_name, size, known.sha256, "skipped")

    def _go_on(self, count: int) -> None:
        if self.end.stop.is_set():
            raise _Stopped
        self._progress.add_bytes(count)


def _in_order(landing: _Landing, ids: Iterator[str], concurrency: int) -> Iterator[ManifestLine]:
    """Land recordings and give their lines in the order of the ids."""
    if concurrency == 1:  # in this very thread, which would only wait for another
        return map(landing.land, ids)
    return _many_at_a_time(landing, ids, concurrency)


def _many_at_a_time(landing: _Landing, ids: Iterator[str], concurrency: int) -> Iterator[ManifestLine]:
    """Land so many at a time, never far ahead of the one whose turn it is."""
    waiting: deque[Future[ManifestLine]] = deque()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="recording") as threads:
        try:
            for record_file_id in ids:
                waiting.append(threads.submit(landing.land, record_file_id))
                if len(waiting) >= concurrency * WAITING_PER_THREAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException as error:
            landing.end.stop.set()
            threads.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, _Stopped) and landing.end.reason is not None:
                raise landing.end.reason from None
            raise


def _once_each(ids: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for record_file_id in ids:
        if record_file_id not in seen:
            seen.add(record_file_id)
            yield record_file_id


def _tell_failure(log: Log, line: ManifestLine) -> None:
    """Log it without an id that may be personal: the field that was named for the ids may be that of the numbers."""
    if not _SAFE_ID.fullmatch(line.id):
        log.warning("Recording with an unusable id failed: %s", line.error)
    elif scrub(line.id) != line.id and not _UUID.fullmatch(line.id):
        text = (line.error or "").replace(line.id, "<id>")  # as part of a path
        log.warning("Recording whose id looks like a phone number or a token failed: %s", text)
    else:
        log.warning("Recording %s failed: %s", line.id, line.error)


def _digest(path: Target) -> str:
    digest = sha256()
    with open_for_reading(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
