"""What a caller holds: a call list, a recording, or whichever of them a requestHash refers to."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.audio import checked_audio
from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.api.times import parse_api_time
from airflow_provider_alloincognito.errors import (
    SAMPLE,
    AlloincognitoError,
    AlloincognitoFieldError,
    AlloincognitoRecordingError,
    AlloincognitoResponseError,
)
from airflow_provider_alloincognito.scrubbing import scrub_hash, scrub_names

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.settings import Settings
    from airflow_provider_alloincognito.api.transport.client import StreamedAnswer

log = logging.getLogger(__name__)

_NO_DIGITS = re.compile(rb"[^0-9]+")

FARTHEST = timedelta(days=366)
"""A time farther from the period than any call was misread: to drop its row would lose a call silently."""


class Result:
    """
    A response that can be read once. Leaving its ``with`` block early closes the connection.

    :param answer: a response that is not an error.
    :param ready_check: dotted path of a function that decides whether the result is ready; see
        :func:`~airflow_provider_alloincognito.api.answer.verdict.is_ready`.
    """

    _not_ready: type[AlloincognitoError] = AlloincognitoResponseError

    def __init__(self, answer: StreamedAnswer, ready_check: str | None = None) -> None:
        self._answer = answer
        self._ready_check = ready_check

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()
        if isinstance(error, OSError):  # perhaps no descriptor was left for the caller's file
            self._answer.close_idle_connections()

    def close(self) -> None:
        """Close the connection, whether or not all of the response has been read."""
        self._answer.close()

    @property
    def request_hash(self) -> str | None:
        """The request's ``requestHash``. It may follow the rows: only at their end it is known for certain."""
        envelope = self._answer.envelope
        return envelope.request_hash if envelope is not None else None

    @cached_property
    def is_pending(self) -> bool:
        """Whether the result is not ready yet; poll for it by its ``request_hash``. Decided once for a response."""
        return not self._answer.is_ready(self._ready_check)

    @property
    def retry_after(self) -> float | None:
        """Seconds that the response asks to wait, if it does."""
        return self._answer.retry_after

    def _require_ready(self) -> None:
        if self.is_pending:
            raise self._not_ready(
                f"The result is not ready yet. Poll for it by its requestHash ({scrub_hash(self.request_hash)}) with "
                "get_request_result until is_pending is False."
            )


class CallList(Result):
    """
    Rows in the server's order.

    :param answer: a response that is not an error.
    :param row_filter: keeps the rows of the period; None keeps all.
    :param ready_check: as for :class:`Result`.
    :param settings: the Connection's, if the list was requested just now: its ``callTime`` then tells the API's zone.
    """

    def __init__(
        self,
        answer: StreamedAnswer,
        row_filter: Callable[[RowBatch], RowBatch] | None = None,
        ready_check: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        super().__init__(answer, ready_check)
        self._row_filter = row_filter
        self._settings = settings

    def batches(self) -> Iterator[RowBatch]:
        """
        Rows as the server's bytes, as they arrive: for landing.

        :raises AlloincognitoResponseError: if the result is not ready: it must not look like a day without calls.
        """
        self._require_ready()
        for piece in self._answer.stream():
            if not isinstance(piece, RowBatch):
                raise AlloincognitoResponseError("Unexpected response: a recording where a call list was requested.")
            yield self._row_filter(piece) if self._row_filter is not None else piece
        if self._settings is not None:
            verdict.warn_of_another_zone(self._answer, self._settings)
        if self._answer.envelope is not None and self._answer.envelope.rowset == "null":
            log.warning(
                "The response has null for rows, which is taken for a period without calls. If it means that the "
                'result is not ready yet, set null_rowset in the Connection to "pending"'
            )

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        """Rows as Python values, batch by batch."""
        return (batch.decode() for batch in self.batches())


class RecordFile(Result):
    """A recording. Iterating gives the mp3's bytes as they arrive."""

    # One recording that is not encoded yet says nothing about the others of a run.
    _not_ready = AlloincognitoRecordingError

    @property
    def file_name(self) -> str | None:
        """``file_NAME`` as it came: personal data. Only after the last byte it is known for certain."""
        envelope = self._answer.envelope
        return envelope.file_name if envelope is not None else None

    def __iter__(self) -> Iterator[bytes]:
        """
        Yield the mp3 as it arrives.

        :raises AlloincognitoRecordingError: if it is not ready yet, empty, or not of the Connection's
            ``audio_formats``.
        """
        self._require_ready()
        size = 0
        for chunk in checked_audio(self._content(), self._answer.settings.audio_formats):
            size += len(chunk)
            yield chunk
        if not size:
            raise AlloincognitoRecordingError(
                "The response has no recording, or an empty one. It may not be encoded yet: try again later."
            )

    def _content(self) -> Iterator[bytes]:
        for piece in self._answer.stream():
            if not isinstance(piece, bytes):
                raise AlloincognitoResponseError("Unexpected response: a call list where a recording was requested.")
            yield piece


class NumbersCheck:
    """
    Warns if rows are not of the numbers that were asked for: a server may ignore a field that it does not know.

    Only a warning, since a row need not have a number as it was asked for.

    :param numbers: digits, with an optional ``+``.
    """

    def __init__(self, numbers: Sequence[str]) -> None:
        # With or without the country code, or Russia's 8 for it.
        self._numbers = [number.lstrip("+")[-10:].encode() for number in numbers]

    def __call__(self, batch: RowBatch) -> RowBatch:
        """Return the batch as it is."""
        if self._numbers and not all(map(self._has_number, batch.rows)):
            self._numbers = []
            log.warning(
                "Some rows contain none of the phone numbers that were asked for. If the server does not know the "
                "field with the numbers, it lists the calls of all: check numbers_field in the Connection"
            )
        return batch

    def _has_number(self, row: msgspec.Raw) -> bool:
        digits = _NO_DIGITS.sub(b"", bytes(row))
        return any(number in digits for number in self._numbers)


class RowFilter:
    """
    Keeps the rows that start in ``[start, end)``, whatever the server does at ``periodEnd``.

    :param field: the row's field with the call's start (setting ``start_time_field``).
    :param start: first moment, aware.
    :param end: moment after the last, aware.
    :param zone: the zone of times without one.
    """

    def __init__(self, field: str, start: datetime, end: datetime, zone: ZoneInfo) -> None:
        self._field = field
        self._start = start
        self._end = end
        self._zone = zone
        row: Any = msgspec.defstruct("Row", [("start", Any, None)], rename={"start": field})
        self._decoder = msgspec.json.Decoder[Any](row)

    def __call__(self, batch: RowBatch) -> RowBatch:
        """Return the batch without the rows of other periods."""
        return RowBatch([row for row in batch.rows if self._is_inside(row)], one_line=batch.one_line)

    def _is_inside(self, row: msgspec.Raw) -> bool:
        value = self._start_value(row)
        moment = parse_api_time(value, self._zone)
        if moment is not None and self._start <= moment < self._end:
            return True
        if moment is None or moment - self._end > FARTHEST or self._start - moment > FARTHEST:
            raise self._no_start(row)
        # In the hour that a zone repeats, a text may mean either of two moments. A duplicate can be repaired, a
        # missing call cannot.
        later = parse_api_time(value, self._zone, fold=1)
        return later is not None and self._start <= later < self._end

    def _no_start(self, row: msgspec.Raw) -> AlloincognitoFieldError:
        try:
            names = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
        except msgspec.DecodeError:  # not an object
            names = {}
        why = f"A row has no field {self._field!r}, but {scrub_names(names)}"
        if self._field in names:
            why = f"The field {self._field!r} of a row is not a readable time, or more than a year away from the period"
        return AlloincognitoFieldError(
            f"{why}, so rows outside the period cannot be removed. Set start_time_field (the operator's argument, "
            f"FIELDS in the example DAGs, or the Connection's setting) to the field with the call's start. {SAMPLE}"
        )

    def _start_value(self, row: msgspec.Raw) -> object:
        try:
            return self._decoder.decode(row).start
        except msgspec.DecodeError:  # not an object
            return None
