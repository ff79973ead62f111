"""Where the values of an answer are: the mapping of the API, as the reader of the envelope looks them up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from airflow_provider_alloincognito.api.answer import LargeValue
from airflow_provider_alloincognito.api.answer.recording import RecordingContentReader
from airflow_provider_alloincognito.api.answer.rows import RowBatch, RowReader
from airflow_provider_alloincognito.api.mapping import Path

Piece = RowBatch | bytes

ERROR: Path = ("error",)
ERROR_FIELDS = ("errorCode", "errorMessage")
# The API text's names to the attributes of Envelope.
ATTRIBUTES = {
    "requestHash": "request_hash",
    "file_NAME": "file_name",
    "code": "code",
    "apiName": "api_name",
    "apiVersion": "api_version",
    "callTime": "call_time",
    "responseDuration": "response_duration",
    "errorCode": "error_code",
    "errorMessage": "error_message",
}


@dataclass(frozen=True, slots=True)
class LargeField:
    """
    A field whose value is too large for memory.

    :param attribute: of ``Envelope``.
    :param kind: the attribute's value where the field is there.
    :param reader: makes a reader of its value, from the size of a block and the field's name for errors.
    """

    attribute: str
    kind: str
    reader: Callable[[int | None, str], LargeValue[Piece]]


# With the byte that opens the value.
LARGE_FIELDS: dict[str, tuple[bytes, LargeField]] = {
    "rowset": (b"[", LargeField("rowset", "array", RowReader)),
    "fileContent": (b'"', LargeField("file_content", "string", RecordingContentReader)),
}


class AnswerPlaces:
    """
    What is at which path of an answer.

    :param answer_paths: as :attr:`~airflow_provider_alloincognito.api.mapping.ApiMapping.answer_paths` has them.
    """

    def __init__(self, answer_paths: Iterable[tuple[str, tuple[Path, ...]]]) -> None:
        self.fields: dict[Path, list[str]] = {}
        """The attributes of ``Envelope`` that a small value is noted as."""
        self.large: dict[Path, dict[bytes, LargeField]] = {}
        """The large values that may be there, by the byte that opens them."""
        self.error_fields: set[Path] = set()
        for name, paths in answer_paths:
            for path in paths:
                if name in LARGE_FIELDS:
                    opening, large = LARGE_FIELDS[name]
                    self.large.setdefault(path, {})[opening] = large
                elif name in ATTRIBUTES:
                    self.fields.setdefault(path, []).append(ATTRIBUTES[name])
                if name in ERROR_FIELDS:
                    self.error_fields.add(path)
        ends = {ERROR, *self.fields, *self.large}
        self.results = {path[:-1] for path in self.large if path}
        """The objects that hold rows or a recording."""
        self.containers = {path[:length] for path in ends for length in range(len(path))}
        """The objects on the way to a value."""
        self.known = ends | self.containers
        self.depth = max(map(len, ends))


@functools.lru_cache(maxsize=64)
def places_of(answer_paths: tuple[tuple[str, tuple[Path, ...]], ...]) -> AnswerPlaces:
    """Return the places for a mapping's paths, which many answers share."""
    return AnswerPlaces(answer_paths)
