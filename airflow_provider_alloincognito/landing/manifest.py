"""What a run of recordings has done so far, in a hidden file beside the manifest, until that is written.

A run that was killed is gone on with, not begun again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, Protocol, cast

import msgspec

from airflow_provider_alloincognito.errors import AlloincognitoTargetError
from airflow_provider_alloincognito.landing.run import Log
from airflow_provider_alloincognito.landing.stores import leftovers_of, whole_file
from airflow_provider_alloincognito.landing.stores.remote import Leftovers
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
    What became of one recording.

    :param id: its ``recordFileId``.
    :param path: where it stands; None if it failed.
    :param file_name: ``file_NAME`` as the API gave it, which may be personal; None if that is not known.
    :param status: ``fetched`` by this run, ``skipped`` because it was there, or ``failed``.
    :param error: the class and the scrubbed text of the error that it failed with.
    """

    id: str
    path: str | None
    file_name: str | None = field(repr=False)
    bytes: int | None
    sha256: str | None
    status: Literal["fetched", "skipped", "failed"]
    error: str | None = None


_LINE = msgspec.json.Decoder(ManifestLine)


def encode_line(line: ManifestLine) -> bytes:
    """Write one line."""
    return msgspec.json.encode(line) + b"\n"


def read_manifest(path: Target) -> Iterator[ManifestLine]:
    """Read the lines of a manifest or a journal; none if there is no such file."""
    with (
        suppress(FileNotFoundError),
        explain_local_errors(address(path), "read", FileNotFoundError),
        open_for_reading(path) as file,
    ):
        for line in file:
            with suppress(ValueError):  # the last line of a journal may be torn
                yield _LINE.decode(line)


CHECKPOINT_SECONDS = 30.0
"""A store takes no appending: there the journal is written anew, no more often than this."""


class Journal:
    """
    What a run has done so far, kept beside the manifest until that is written.

    It helps the next run and is no reason to end this one: what a store does not do for it is a warning.
    """

    def __init__(self, notes: _Notes, log: Log) -> None:
        self._notes = notes
        self._log = log
        self._warned = False

    def read(self) -> Iterator[ManifestLine]:
        """Give what an earlier run noted before it was killed."""
        with self._refusals_told():
            yield from self._notes.read()

    def add(self, line: ManifestLine) -> None:
        """Note what became of a recording."""
        with self._refusals_told():
            self._notes.add(line)

    def keep(self) -> None:
        """Keep what was noted: the run ends without a manifest."""
        with self._refusals_told():
            self._notes.keep()

    def remove(self) -> None:
        """The manifest says it all now."""
        try:
            self._notes.remove()
        except AlloincognitoTargetError as error:
            self._log.warning(
                "The journal is left behind: %s. All the same, the manifest is complete; delete the journal by hand "
                "if it is still there",
                error,
            )

    @contextmanager
    def _refusals_told(self) -> Iterator[None]:
        try:
            yield
        except AlloincognitoTargetError as error:
            if not self._warned:
                self._log.warning(
                    "The journal beside the manifest fails: %s. The run goes on without it; should it be ended before "
                    "the manifest is written, the next one reads once more what has landed",
                    error,
                )
            self._warned = True


class _Notes(Protocol):
    """Where a journal is kept; what goes wrong there is an ``AlloincognitoTargetError``."""

    def read(self) -> Iterator[ManifestLine]:
        """Give what an earlier run noted."""

    def add(self, line: ManifestLine) -> None:
        """Note one more line."""

    def keep(self) -> None:
        """Leave all that was noted there."""

    def remove(self) -> None:
        """Leave nothing, whoever noted it."""


def journal_of(manifest: Target, log: Log) -> Journal:
    """Give the journal of a manifest: a hidden file beside it."""
    name = local_path(manifest)
    if name is not None:
        beside = os.path.join(os.path.dirname(name), _journal_name(os.path.basename(name)))
        return Journal(_LocalNotes(beside), log)
    place = cast(Any, manifest)
    return Journal(_StoredNotes(child(place.parent, _journal_name(place.name))), log)


def _journal_name(manifest_name: str) -> str:
    return f".{manifest_name}.journal"


class _LocalNotes:
    """Grow by a line for each recording."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def read(self) -> Iterator[ManifestLine]:
        return read_manifest(self._path)

    def add(self, line: ManifestLine) -> None:
        with explain_local_errors(self._path):
            if self._file is None:
                os.makedirs(os.path.dirname(self._path) or ".", exist_ok=True)
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                self._file = open(descriptor, "ab", buffering=0)  # noqa: SIM115 - until the run ends
                self._file.write(b"\n")  # ends a line that a killed run tore
            self._file.write(encode_line(line))

    def keep(self) -> None:
        if self._file is not None:
            with explain_local_errors(self._path):
                self._file.close()

    def remove(self) -> None:
        with suppress(AlloincognitoTargetError):  # it is thrown away
            self.keep()
        with suppress(FileNotFoundError), explain_local_errors(self._path, "remove", FileNotFoundError):
            os.unlink(self._path)


class _StoredNotes:
    """Are written whole from time to time, less often the longer they get."""

    def __init__(self, path: Target) -> None:
        self._path = path
        self._lines: dict[str, ManifestLine] = {}
        self._leftovers: Leftovers | None = None
        self._kept = 0
        self._changed = False
        self._next = time.monotonic() + CHECKPOINT_SECONDS

    def read(self) -> Iterator[ManifestLine]:
        for line in read_manifest(self._path):
            self._lines[line.id] = line
            yield line
        self._kept = len(self._lines)

    def add(self, line: ManifestLine) -> None:
        self._lines[line.id] = line
        self._changed = True
        if time.monotonic() >= self._next and len(self._lines) >= self._kept * 1.1:
            self._write()

    def keep(self) -> None:
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
            self._lines.clear()  # what they say would be believed, rather than a later manifest
            self._write()
            raise

    def _write(self) -> None:
        self._leftovers = self._leftovers or leftovers_of(self._path)  # a look through the whole folder
        try:
            with (
                explain_store_errors(store_of(self._path)[1]),
                whole_file(self._path, leftovers=self._leftovers) as file,
            ):
                for line in self._lines.values():
                    file.write(encode_line(line))
            self._kept = len(self._lines)
            self._changed = False
        finally:
            self._next = time.monotonic() + CHECKPOINT_SECONDS
