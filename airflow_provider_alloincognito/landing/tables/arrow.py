"""
Turn blocks of JSON lines into Arrow tables: by pyarrow where its result is exact, else by :class:`ExactRowReader`.

Importing this module imports pyarrow, which is an extra: import it only where it is used. As soon as pyarrow is given a
Python value, it imports pandas, where that is installed, which is slow: for ordinary blocks, nothing here gives it one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.compute
import pyarrow.json

from airflow_provider_alloincognito.errors import AlloincognitoValueError
from airflow_provider_alloincognito.landing.tables.exact_rows import ExactRowReader, read_date, read_timestamp
from airflow_provider_alloincognito.landing.tables.schema import Schema, TypeName

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_YEAR = 2036
"""The last year that zone databases have in full. After it, pyarrow keeps the last offset forever."""

_FIRST_DAY = (date.min - _EPOCH.date()).days
_DAYS = range(_FIRST_DAY, (date.max - _EPOCH.date()).days + 1)
_MICROSECONDS = range(
    timedelta(_FIRST_DAY) // _MICROSECOND, (datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
)
_JSON_TYPES: dict[TypeName, Any] = {
    "string": pyarrow.string(),
    "int64": pyarrow.int64(),
    "float64": pyarrow.float64(),
    "bool": pyarrow.bool_(),
    "timestamp": pyarrow.string(),
    "date": pyarrow.string(),
}


class TableReader:
    """
    Reads blocks of JSON lines, one after the other, into tables of one schema.

    :param schema: the columns.
    :param timezone: the zone of timestamps that name none, and of timestamp columns.
    """

    def __init__(self, schema: Schema, timezone: str) -> None:
        self._columns = schema
        self._zone = ZoneInfo(timezone)
        self._zone_is_complete = _is_complete(self._zone)
        self._rows = ExactRowReader(schema, timezone)
        self._first_row = 1
        file_types = _JSON_TYPES | {
            "timestamp": pyarrow.timestamp("us", tz=timezone),
            "date": pyarrow.date32(),
            "json": pyarrow.string(),
        }
        self.schema = pyarrow.schema([(column, file_types[type_name]) for column, type_name in schema.items()])
        self._json_schema: Any = None
        if "json" not in schema.values():  # pyarrow does not return the text of a nested value
            self._json_schema = pyarrow.schema([(column, _JSON_TYPES[name]) for column, name in schema.items()])

    def table(self, block: bytes) -> Any:
        """Read the next block; raises what :meth:`ExactRowReader.rows` raises."""
        fast = None if self._json_schema is None else read_block(block, self._json_schema)
        is_exact = fast is not None and all(map(_is_finite, fast.columns))
        columns = self._converted_columns(fast) if is_exact else self._exact_columns(block)
        table = pyarrow.table(columns, schema=self.schema)
        self._first_row += table.num_rows
        return table

    def _exact_columns(self, block: bytes) -> list[Any]:
        values = zip(*self._rows.rows(block, self._first_row), strict=True)
        return [
            pyarrow.array(_storable(column), type=field.type) for column, field in zip(values, self.schema, strict=True)
        ]

    def _converted_columns(self, fast: Any) -> list[Any]:
        return [self._converted(fast.column(column), column, type_name) for column, type_name in self._columns.items()]

    def _converted(self, texts: Any, column: str, type_name: TypeName) -> Any:
        if type_name not in ("timestamp", "date"):
            return texts
        is_filled = pyarrow.compute.binary_length(texts).cast(pyarrow.bool_())
        texts = pyarrow.compute.if_else(is_filled, texts, pyarrow.nulls(len(texts), texts.type))
        times = self._times_by_arrow(texts, type_name)
        return self._times_one_by_one(texts, column, type_name) if times is None else times

    def _times_by_arrow(self, texts: Any, type_name: TypeName) -> Any:
        """Return None if pyarrow cannot read a time, or might not read it as :class:`ExactRowReader` does."""
        try:
            if type_name == "date":
                days = texts.cast(pyarrow.date32())
                return days if _is_within(days, _DAYS) else None
            local = texts.cast(pyarrow.timestamp("us"))
            if not self._zone_is_complete or not _is_within(local, _MICROSECONDS):
                return None
            return _in_zone(local, self._zone)
        except pyarrow.ArrowInvalid:  # an offset in a text, an hour that summer time skips, ...
            return None

    def _times_one_by_one(self, texts: Any, column: str, type_name: TypeName) -> Any:
        moments: list[Any] = []
        for number, text in enumerate(texts.to_pylist(), self._first_row):
            try:
                moments.append(None if text is None else self._read_time(text, type_name))
            except (ValueError, OverflowError):
                raise AlloincognitoValueError(column, type_name, number) from None
        return pyarrow.array(_storable(moments), type=self.schema.field(column).type)

    def _read_time(self, text: str, type_name: TypeName) -> Any:
        return read_date(text) if type_name == "date" else read_timestamp(text, self._zone)


def read_block(block: bytes, explicit_schema: Any = None) -> Any:
    """
    Read a block of JSON lines into a table.

    :param explicit_schema: the only fields that are accepted; None has fields and types inferred.
    :return: None if pyarrow cannot read the block like this. The block may still be valid.
    """
    if block.startswith(b"null\n") or block.rfind(b"\nnull\n") >= 0:  # faster than `in`
        return None  # a top-level null kills the process: pyarrow 26
    read_options = pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    parse_options = pyarrow.json.ParseOptions(
        explicit_schema=explicit_schema,
        unexpected_field_behavior="infer" if explicit_schema is None else "error",
    )
    pool = pyarrow.system_memory_pool()  # the default pool would keep the memory of earlier blocks
    try:
        return pyarrow.json.read_json(pyarrow.BufferReader(block), read_options, parse_options, memory_pool=pool)
    except pyarrow.ArrowException:
        return None


def _storable(values: Any) -> list[Any]:
    """Turn datetimes into microseconds: pyarrow itself cannot convert the first and last ones of the calendar."""
    return [(value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value for value in values]


def _in_zone(local: Any, zone: ZoneInfo) -> Any:
    return pyarrow.compute.assume_timezone(local, zone.key, ambiguous="earliest", nonexistent="raise")


def _is_complete(zone: ZoneInfo) -> bool:
    """Check that pyarrow has all transitions of a zone: slim zone databases have only a rule for coming years."""
    months = [datetime(_LAST_YEAR, month, 1, 12) for month in range(1, 13)]
    lines = b"".join(b'{"month":"%b"}\n' % month.isoformat().encode() for month in months)
    local = pyarrow.json.read_json(pyarrow.BufferReader(lines), pyarrow.json.ReadOptions(use_threads=False))
    try:
        found = _in_zone(local.column("month").cast(pyarrow.timestamp("us")), zone)
    except pyarrow.ArrowInvalid:
        return False
    return bool(found.cast(pyarrow.int64()).to_pylist() == _storable([month.replace(tzinfo=zone) for month in months]))


def _is_within(times: Any, bounds: range) -> bool:
    """Check that all times are within bounds, in the unit of their type."""
    ends = pyarrow.compute.min_max(times)
    return all(ends[end].value in bounds for end in ("min", "max") if ends[end].is_valid)


def _is_finite(values: Any) -> bool:
    """Check that there is no ``NaN`` and no infinity, which pyarrow makes of numbers that are too large."""
    if not pyarrow.types.is_floating(values.type):
        return True
    return pyarrow.compute.all(pyarrow.compute.is_finite(values)).as_py() is not False
