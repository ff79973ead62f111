"""The manifest of recordings: JSON lines, one for each recording that was asked for, in that order.

It is written whole at the end of a run; until then there is its :mod:`~airflow_provider_alloincognito.landing.journal`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from airflow_provider_alloincognito.landing.refusals import local_refusals_explained
from airflow_provider_alloincognito.landing.targets import Target, address, open_for_reading


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
        local_refusals_explained(address(path), "read", FileNotFoundError),
        open_for_reading(path) as file,
    ):
        for line in file:
            with suppress(ValueError):  # the last line of a journal may be torn
                yield _LINE.decode(line)
