"""Cut rows to the period exactly, whatever the server takes ``periodEnd`` for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_alloincognito.api.errors import AlloincognitoFieldError
from airflow_provider_alloincognito.api.rows import RowBatch
from airflow_provider_alloincognito.api.times import parse_api_time

FARTHEST = timedelta(days=366)
"""A time that is farther from the period than any call was misread; to drop its row would be a loss in silence."""


class RowFilter:
    """
    Keeps the rows that start in ``[start, end)``.

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
        """Give the batch without the rows of other periods."""
        return RowBatch([row for row in batch.rows if self._belongs(row)], one_line=batch.one_line)

    def _belongs(self, row: msgspec.Raw) -> bool:
        written = self._written_start(row)
        moment = parse_api_time(written, self._zone)
        if moment is not None and self._start <= moment < self._end:
            return True
        if moment is None or moment - self._end > FARTHEST or self._start - moment > FARTHEST:
            raise AlloincognitoFieldError(
                "A row has no readable time, or one more than a year away from the period, in the field "
                f"{self._field!r}, which start_time_field (the operator's argument or the Connection's setting) names "
                "as the call's start. Name the field that the stand's rows have: in the DAG's mapping of field names "
                "(FIELDS in the example DAGs), or in the setting."
            )
        # In the hour that a zone repeats, a time may be either of two: a double can be mended, a loss cannot.
        later = parse_api_time(written, self._zone, fold=1)
        return later is not None and self._start <= later < self._end

    def _written_start(self, row: msgspec.Raw) -> object:
        try:
            return self._decoder.decode(row).start
        except msgspec.DecodeError:  # a row that is no object
            return None
