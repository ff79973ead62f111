"""The manifest of recordings: JSON lines, one for each recording that was asked for, in that order.

It is written whole at the end of a run. Until then a journal beside it keeps what is done: a run that was killed
is gone on with, not begun again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, Protocol, cast

import msgspec

from airflow_provider_alloincognito.landing.files import whole_file
from airflow_provider_alloincognito.landing.refusals import refusals_explained
from airflow_provider_alloincognito.landing.targets import (
    Target,
    child,
    local_path,
    open_for_reading,
    store_of,
)

CHECKPOINT_SECONDS = 30.0
"""A store takes no appending: there the journal is written anew, no more often than this."""


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
    try:
        file = open_for_reading(path)
    except FileNotFoundError:
        return
    with file:
        for line in file:
            with suppress(ValueError):  # the last line of a journal may be torn
                yield _LINE.decode(line)


class Journal(Protocol):
    """What a run has done so far, kept beside the manifest until that is written."""

    def read(self) -> Iterator[ManifestLine]:
        """Give what an earlier run noted before it was killed."""

    def add(self, line: ManifestLine) -> None:
        """Note what became of a recording."""

    def close(self) -> None:
        """Keep what was noted, for the next run."""

    def remove(self) -> None:
        """The manifest says it all now."""


def journal_of(manifest: Target) -> Journal:
    """Give the journal of a manifest: a hidden file beside it."""
    name = local_path(manifest)
    if name is not None:
        return _LocalJournal(os.path.join(os.path.dirname(name), _journal_name(os.path.basename(name))))
    place = cast(Any, manifest)
    return _StoredJournal(child(place.parent, _journal_name(place.name)))


def _journal_name(manifest_name: str) -> str:
    return f".{manifest_name}.journal"


class _LocalJournal:
    """Grows by a line for each recording."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def read(self) -> Iterator[ManifestLine]:
        return read_manifest(self._path)

    def add(self, line: ManifestLine) -> None:
        if self._file is None:
            os.makedirs(os.path.dirname(self._path) or ".", exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._file = open(descriptor, "ab", buffering=0)  # noqa: SIM115 - until the run ends
            self._file.write(b"\n")  # ends a line that a killed run tore
        self._file.write(encode_line(line))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        self.close()
        with suppress(FileNotFoundError):
            os.unlink(self._path)


class _StoredJournal:
    """Is written whole from time to time, less often the longer it gets."""

    def __init__(self, path: Target) -> None:
        self._path = path
        self._lines: dict[str, ManifestLine] = {}
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

    def close(self) -> None:
        if self._changed:
            self._write()

    def remove(self) -> None:
        fs, key = store_of(self._path)
        with suppress(FileNotFoundError), refusals_explained(key, "remove", FileNotFoundError):
            fs.rm_file(key)

    def _write(self) -> None:
        with whole_file(self._path) as file:
            for line in self._lines.values():
                file.write(encode_line(line))
        self._kept = len(self._lines)
        self._changed = False
        self._next = time.monotonic() + CHECKPOINT_SECONDS
