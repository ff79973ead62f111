"""Windows of JSON lines become Arrow tables under one schema, quickly where pyarrow can, exactly everywhere."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.compute

from airflow_provider_alloincognito.errors import AlloincognitoValueError
from airflow_provider_alloincognito.landing.tables.exact_rows import ExactRowReader, read_date, read_timestamp
from airflow_provider_alloincognito.landing.tables.schema import Schema, TypeName


def read_block(window: bytes, explicit_schema: Any = None) -> Any:
    """
    Read a window of JSON lines into a table.

    :param explicit_schema: the only fields that are taken; None has fields and types inferred.
    :return: None where pyarrow cannot read the window so; it may still be in order.
    """
    import pyarrow
    import pyarrow.json

    if window.startswith(b"null\n") or b"\nnull\n" in window:
        return None  # a top-level null kills the process: pyarrow 26
    read_options = pyarrow.json.ReadOptions(use_threads=False, block_size=len(window) + 1)
    parse_options = pyarrow.json.ParseOptions(
        explicit_schema=explicit_schema,
        unexpected_field_behavior="infer" if explicit_schema is None else "error",
    )
    try:
        # The default pool holds on to what earlier windows needed.
        pool = pyarrow.system_memory_pool()
        return pyarrow.json.read_json(pyarrow.BufferReader(window), read_options, parse_options, memory_pool=pool)
    except pyarrow.ArrowException:
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_YEAR = 2036
"""The last that the tables of zones have in full: after their end pyarrow keeps to the last offset for ever."""

_FIRST_DAY = (date.min - _EPOCH.date()).days
_DAYS = range(_FIRST_DAY, (date.max - _EPOCH.date()).days + 1)
_MICROSECONDS = range(
    timedelta(_FIRST_DAY) // _MICROSECOND, (datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
)
_IN_JSON: dict[TypeName, Any] = {
    "string": pyarrow.string(),
    "int64": pyarrow.int64(),
    "float64": pyarrow.float64(),
    "bool": pyarrow.bool_(),
    "timestamp": pyarrow.string(),
    "date": pyarrow.string(),
}


class TableReader:
    """
    Reads windows of rows.

    :param schema: the columns.
    :param timezone: the zone of timestamps that name none, and of the columns that they make.
    """

    def __init__(self, schema: Schema, timezone: str) -> None:
        self._columns = schema
        self._zone = ZoneInfo(timezone)
        self._arrow_knows_zone = _arrow_knows(self._zone)
        self._rows = ExactRowReader(schema, timezone)
        in_file = _IN_JSON | {
            "timestamp": pyarrow.timestamp("us", tz=timezone),
            "date": pyarrow.date32(),
            "json": pyarrow.string(),
        }
        self.schema = pyarrow.schema([(column, in_file[type_name]) for column, type_name in schema.items()])
        self._in_json: Any = None
        if "json" not in schema.values():  # pyarrow does not give the text of a nested value
            self._in_json = pyarrow.schema([(column, _IN_JSON[name]) for column, name in schema.items()])

    def table(self, window: bytes, first_row: int) -> Any:
        """
        Read one window.

        :param first_row: the number of its first row, for errors.
        """
        quick = None if self._in_json is None else read_block(window, self._in_json)
        if quick is None or not all(map(_is_finite, quick.columns)):
            return self._exact_table(window, first_row)
        columns = [
            self._converted(quick.column(column), column, type_name, first_row)
            for column, type_name in self._columns.items()
        ]
        return pyarrow.table(columns, schema=self.schema)

    def _exact_table(self, window: bytes, first_row: int) -> Any:
        values = zip(*self._rows.rows(window, first_row), strict=True)
        columns = [
            pyarrow.array(_storable(column), type=field.type) for column, field in zip(values, self.schema, strict=True)
        ]
        return pyarrow.table(columns, schema=self.schema)

    def _converted(self, texts: Any, column: str, type_name: TypeName, first_row: int) -> Any:
        if type_name not in ("timestamp", "date"):
            return texts
        texts = pyarrow.compute.if_else(pyarrow.compute.equal(texts, ""), None, texts)
        times = self._times_by_arrow(texts, type_name)
        return self._times_one_by_one(texts, column, type_name, first_row) if times is None else times

    def _times_by_arrow(self, texts: Any, type_name: TypeName) -> Any:
        """Give None where pyarrow cannot read a time, or could read it otherwise than the exact way."""
        try:
            if type_name == "date":
                days = texts.cast(pyarrow.date32())
                return days if _is_within(days, _DAYS) else None
            local = texts.cast(pyarrow.timestamp("us"))
            if not self._arrow_knows_zone or not _is_within(local, _MICROSECONDS):
                return None
            return _in_zone(local, self._zone)
        except pyarrow.ArrowInvalid:  # an offset in a text, an hour that summer time skips, ...
            return None

    def _times_one_by_one(self, texts: Any, column: str, type_name: TypeName, first_row: int) -> Any:
        moments: list[Any] = []
        for number, text in enumerate(texts.to_pylist(), first_row):
            try:
                moments.append(None if text is None else self._read_time(text, type_name))
            except (ValueError, OverflowError):
                raise AlloincognitoValueError(column, type_name, number) from None
        return pyarrow.array(_storable(moments), type=self.schema.field(column).type)

    def _read_time(self, text: str, type_name: TypeName) -> Any:
        return read_date(text) if type_name == "date" else read_timestamp(text, self._zone)


def _storable(values: Any) -> list[Any]:
    """Moments as microseconds: pyarrow's own way from a datetime does not reach the ends of the calendar."""
    return [(value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value for value in values]


def _in_zone(local: Any, zone: ZoneInfo) -> Any:
    return pyarrow.compute.assume_timezone(local, zone.key, ambiguous="earliest", nonexistent="raise")


def _arrow_knows(zone: ZoneInfo) -> bool:
    """Tell whether pyarrow has a full table of the zone: a slim database has a rule in place of the coming years."""
    months = [datetime(_LAST_YEAR, month, 1, 12) for month in range(1, 13)]
    try:
        found = _in_zone(pyarrow.array(months, type=pyarrow.timestamp("us")), zone)
    except pyarrow.ArrowInvalid:
        return False
    return bool(found.cast(pyarrow.int64()).to_pylist() == _storable([month.replace(tzinfo=zone) for month in months]))


def _is_within(times: Any, bounds: range) -> bool:
    """Tell whether no time is out of bounds, in the unit of its type."""
    ends = pyarrow.compute.min_max(times)
    return all(ends[end].value in bounds for end in ("min", "max") if ends[end].is_valid)


def _is_finite(values: Any) -> bool:
    """Tell whether there is no ``NaN`` and no infinity: pyarrow makes the latter of numbers that are too large."""
    if not pyarrow.types.is_floating(values.type):
        return True
    return pyarrow.compute.all(pyarrow.compute.is_finite(values)).as_py() is not False
