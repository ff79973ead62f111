"""
The manifest of a run of recordings, and its journal.

The manifest is written at the end of a run, with a line for each recording. Until then a journal, a hidden file beside
the manifest, keeps the same lines. So a run that was killed is resumed, not started over.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Literal, cast

import msgspec

from airflow_provider_alloincognito.errors import AlloincognitoTargetError
from airflow_provider_alloincognito.landing.stores import Leftovers, leftovers_of, whole_file
from airflow_provider_alloincognito.landing.stores.targets import (
    Target,
    address,
    child,
    explain_local_errors,
    explain_store_errors,
    local_path,
    open_for_reading,
    size_of,
    store_of,
)


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """
    The outcome of one recording.

    :param id: its ``recordFileId``.
    :param path: its file; None if it failed.
    :param file_name: ``file_NAME`` from the API, which may be personal data; None if it is not known.
    :param bytes: the size of the file.
    :param sha256: the SHA-256 of the file, in hexadecimal digits.
    :param status: ``fetched`` by this run, ``skipped`` because the file existed, or ``failed``.
    :param error: the class and the scrubbed text of the error, if it failed.
    """

    id: str
    path: str | None
    file_name: str | None = field(repr=False)
    bytes: int | None
    sha256: str | None
    status: Literal["fetched", "skipped", "failed"]
    error: str | None = None

    def without_file_name(self) -> ManifestLine:
        """Return the line without ``file_name``."""
        return replace(self, file_name=None)


MANIFEST = "manifest.jsonl"
"""The manifest's name, in the folder of the recordings, unless another is given."""

_DECODER = msgspec.json.Decoder(ManifestLine)


def encode_line(line: ManifestLine) -> bytes:
    """Return a line as JSON, with its line feed."""
    return msgspec.json.encode(line) + b"\n"


def read_manifest(path: Target, *, keep_file_names: bool = True) -> Iterator[ManifestLine]:
    """
    Read the lines of a manifest or a journal; none if the file does not exist.

    :param path: the file.
    :param keep_file_names: whether the lines have their ``file_name``.
    """
    with (
        suppress(FileNotFoundError),
        explain_local_errors(address(path), "read", FileNotFoundError),
        open_for_reading(path) as file,
    ):
        yield from _read_lines(file, keep_file_names)


def _read_lines(file: Iterable[bytes], keep_file_names: bool) -> Iterator[ManifestLine]:
    for text in file:
        with suppress(ValueError):  # a killed run may leave half a line in its journal
            line = _DECODER.decode(text)
            yield line if keep_file_names else line.without_file_name()


CHECKPOINT_SECONDS = 30.0
"""Remote stores cannot append to a file: there the journal is rewritten, at most once in this time."""


class Journal:
    """
    The lines of a run so far, kept beside the manifest until that is written.

    It only helps the next run. So if it cannot be read or written, that is a warning and the run continues.
    """

    def __init__(self, file: _LocalJournal | _RemoteJournal, log: logging.Logger) -> None:
        self._file = file
        self._log = log
        self._warned = False

    def read(self) -> Iterator[ManifestLine]:
        """Read the lines of an earlier run that was killed."""
        with self._warning():
            yield from self._file.read()

    def add(self, line: ManifestLine) -> None:
        """Add the line of a recording."""
        with self._warning():
            self._file.add(line)

    def save(self) -> None:
        """Save all lines: the run ends without a manifest."""
        with self._warning():
            self._file.save()

    def remove(self) -> None:
        """Remove the journal: the manifest has been written."""
        try:
            self._file.remove()
        except AlloincognitoTargetError as error:
            self._log.warning(
                "The run's journal, a hidden file beside the manifest, could not be removed: %s Delete it if it still "
                "exists; the manifest is complete",
                error,
            )

    @contextmanager
    def _warning(self) -> Iterator[None]:
        """Log the first error as a warning, and no further ones."""
        try:
            yield
        except AlloincognitoTargetError as error:
            if not self._warned:
                self._log.warning(
                    "The run's journal, a hidden file beside the manifest, could not be read or written: %s The run "
                    "continues without it. If it is interrupted, the next run reads each landed file once more",
                    error,
                )
            self._warned = True


def journal_of(manifest: Target, log: logging.Logger, *, keep_file_names: bool = True) -> Journal:
    """
    Return the journal of a manifest: a hidden file beside it.

    :param manifest: the manifest's file.
    :param log: gets a warning if the journal cannot be used.
    :param keep_file_names: whether the lines that an earlier run left keep their ``file_name``.
    """
    name = local_path(manifest)
    if name is not None:
        folder, base = os.path.split(name)
        return Journal(_LocalJournal(os.path.join(folder, journal_name(base)), keep_file_names), log)
    path = cast(Any, manifest)
    return Journal(_RemoteJournal(child(path.parent, journal_name(path.name)), keep_file_names), log)


def journal_name(manifest_name: str) -> str:
    """Return the name of a manifest's journal, in the same folder."""
    return f".{manifest_name}.journal"


class _LocalJournal:
    """
    A local file that gets a line for each recording. Its errors are ``AlloincognitoTargetError``.

    Its name is known beforehand, so somebody else may have put a link or a file of their own there: a run never writes
    to what it finds, but replaces it.
    """

    def __init__(self, path: str, keep_file_names: bool) -> None:
        self._path = path
        self._keep_file_names = keep_file_names
        self._file: BinaryIO | None = None
        self._earlier: list[ManifestLine] = []

    def read(self) -> Iterator[ManifestLine]:
        with (
            suppress(FileNotFoundError),
            explain_local_errors(self._path, "read", FileNotFoundError),
            open(self._path, "rb", opener=_open_no_link) as file,
        ):
            for line in _read_lines(file, self._keep_file_names):
                self._earlier.append(line)
                yield line

    def add(self, line: ManifestLine) -> None:
        with explain_local_errors(self._path):
            if self._file is None:
                with whole_file(self._path) as file:
                    file.writelines(map(encode_line, self._earlier))
                    # The same file, which soon has the journal's name.
                    self._file = open(os.dup(file.fileno()), "ab", buffering=0)  # noqa: SIM115 - closed by save
            self._file.write(encode_line(line))

    def save(self) -> None:
        if self._file is not None:
            with explain_local_errors(self._path):
                self._file.close()

    def remove(self) -> None:
        with suppress(AlloincognitoTargetError):  # the file is deleted anyway
            self.save()
        with suppress(FileNotFoundError), explain_local_errors(self._path, "remove", FileNotFoundError):
            os.unlink(self._path)


def _open_no_link(path: str, flags: int) -> int:
    """Open a file, but no symbolic link, and without waiting for the other end of a pipe."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileNotFoundError from error
        raise


class _RemoteJournal:
    """A file in a store that is rewritten from time to time, less often the longer it gets."""

    def __init__(self, path: Target, keep_file_names: bool) -> None:
        self._path = path
        self._keep_file_names = keep_file_names
        self._lines: dict[str, ManifestLine] = {}
        self._leftovers: Leftovers | None = None
        self._saved = 0
        self._changed = False
        self._next_save = time.monotonic() + CHECKPOINT_SECONDS

    def read(self) -> Iterator[ManifestLine]:
        for line in read_manifest(self._path, keep_file_names=self._keep_file_names):
            self._lines[line.id] = line
            yield line
        self._saved = len(self._lines)

    def add(self, line: ManifestLine) -> None:
        self._lines[line.id] = line
        self._changed = True
        if time.monotonic() >= self._next_save and len(self._lines) >= self._saved * 1.1:
            self._write()

    def save(self) -> None:
        if self._changed:
            self._write()

    def remove(self) -> None:
        if not size_of(self._path):
            return
        fs, key = store_of(self._path)
        try:
            with suppress(FileNotFoundError), explain_store_errors(key, "remove", FileNotFoundError):
                fs.rm_file(key)
        except AlloincognitoTargetError:
            self._lines.clear()  # else the next run would believe these lines more than a later manifest
            self._write()
            raise

    def _write(self) -> None:
        self._leftovers = self._leftovers or leftovers_of(self._path)  # once: it may list the whole folder
        try:
            with (
                explain_store_errors(store_of(self._path)[1]),
                whole_file(self._path, leftovers=self._leftovers) as file,
            ):
                for line in self._lines.values():
                    file.write(encode_line(line))
            self._saved = len(self._lines)
            self._changed = False
        finally:
            self._next_save = time.monotonic() + CHECKPOINT_SECONDS
