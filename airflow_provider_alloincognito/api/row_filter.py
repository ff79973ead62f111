"""Cut rows to the period exactly, whatever the server takes ``periodEnd`` for."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_alloincognito.api.errors import AlloincognitoFieldError
from airflow_provider_alloincognito.api.rows import RowBatch
from airflow_provider_alloincognito.api.times import parse_api_time


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
        rows = [row for row in batch.rows if self._start <= self._start_of(row) < self._end]
        return RowBatch(rows, one_line=batch.one_line)

    def _start_of(self, row: msgspec.Raw) -> datetime:
        try:
            moment = parse_api_time(self._decoder.decode(row).start, self._zone)
        except msgspec.DecodeError:  # a row that is no object
            moment = None
        if moment is None:
            raise AlloincognitoFieldError(
                f"A row has no readable time in the field {self._field!r}, which start_time_field (the operator's "
                "argument or the Connection's setting) names as the call's start. Name the field that the stand's rows "
                "have: in the DAG's mapping of field names (FIELDS in the example DAGs), or in the setting."
            )
        return moment
