"""
Read rows exactly under a schema, value by value: no digit is lost and nothing is guessed.

Each value is read from its JSON text. A type also takes other values if nothing is lost: int64 takes ``"35"`` and
``35.0``; string takes a number or a nested value, as its JSON text. ``null`` is null in every column, and so is an
empty text in all columns but ``string`` and ``json``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_alloincognito.api.times import iso_date, parse_api_time
from airflow_provider_alloincognito.errors import (
    AlloincognitoResponseError,
    AlloincognitoUnknownFieldError,
    AlloincognitoValueError,
)
from airflow_provider_alloincognito.landing.tables.schema import Schema, TypeName

INT64 = range(-(1 << 63), 1 << 63)
EXACT_IN_FLOAT = 1 << 53
"""Below this number, each whole number is exact as a float."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class ExactRowReader:
    """
    Reads rows under a schema.

    :param schema: the columns.
    :param timezone: the IANA zone of timestamps that name none.
    """

    def __init__(self, schema: Schema, timezone: str) -> None:
        readers = _value_readers(timezone)
        self._columns = [(column, type_name, readers[type_name]) for column, type_name in schema.items()]

    def rows(self, block: bytes, first_row: int) -> Iterator[list[Any]]:
        """
        Yield the values of each row of a block of JSON lines, in the order of the schema's columns.

        :param first_row: the number of the first row, for errors.
        :raises AlloincognitoValueError: if a value does not fit its column's type.
        :raises AlloincognitoUnknownFieldError: if a row has a field that the schema does not name.
        """
        for number, fields in raw_rows(block, first_row):
            values = []
            for column, type_name, read in self._columns:
                try:
                    values.append(read(fields.pop(column, b"null")))
                except (ValueError, KeyError, OverflowError):
                    raise AlloincognitoValueError(column, type_name, number) from None
            if fields:
                raise AlloincognitoUnknownFieldError(next(iter(fields)), number)
            yield values


def raw_rows(block: bytes, first_row: int = 1) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Yield the number of each row, and the JSON text of each of its fields."""
    for number, line in enumerate(block.splitlines(), first_row):
        try:
            fields = _FIELDS.decode(line)
        except ValueError:
            raise AlloincognitoResponseError(
                f"Row {number} cannot be read: it is not a valid JSON object, or has a text that is not valid Unicode. "
                "Nothing was landed. Ask AlloIncognito's support if it happens again."
            ) from None
        yield number, {field: bytes(raw) for field, raw in fields.items()}


ValueReader: TypeAlias = Callable[[bytes], Any]

_WHOLE = re.compile(r"-?[0-9]+(\.0+)?")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_TEXT = msgspec.json.Decoder(str)


def read_timestamp(text: str, zone: ZoneInfo) -> datetime:
    """Read ``yyyy-mm-dd hh:mm:ss[.fff]``, or whatever is a time of the API. Without an offset it is in ``zone``."""
    if _DATE.match(text):
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
    parsed = parse_api_time(text, zone)
    if parsed is None:
        raise ValueError
    return parsed.astimezone(zone)


def read_date(text: str) -> date:
    """Read ``yyyy-mm-dd`` or ``dd.mm.yyyy``."""
    text = iso_date(text)
    if not _DATE.fullmatch(text):
        raise ValueError
    return date.fromisoformat(text)


def _value_readers(timezone: str) -> dict[TypeName, ValueReader]:
    """Return a function for each type that reads a value's JSON text, and raises ValueError if it does not fit."""
    zone = ZoneInfo(timezone)
    return {
        "string": _read_string,
        "json": lambda raw: None if raw == b"null" else _json_text(raw),
        "int64": _reader_of(_read_int64),
        "float64": _reader_of(_read_float64),
        "bool": _reader_of(_BOOLS.__getitem__),
        "timestamp": _reader_of(lambda text: read_timestamp(text, zone)),
        "date": _reader_of(read_date, texts_only=True),
    }


def _read_string(raw: bytes) -> str | None:
    if raw == b"null":
        return None
    return _TEXT.decode(raw) if raw.startswith(b'"') else _json_text(raw)


def _json_text(raw: bytes) -> str:
    return (msgspec.json.format(raw, indent=-1) if raw[:1] in b"{[" else raw).decode()


def _read_int64(text: str) -> int:
    if not _WHOLE.fullmatch(text) or (number := int(text.partition(".")[0])) not in INT64:
        raise ValueError
    return number


def _read_float64(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(number := float(text)):
        raise ValueError
    return number


def _reader_of(read: Callable[[str], Any], *, texts_only: bool = False) -> ValueReader:
    """Apply ``read`` to the content of a text or, unless ``texts_only``, to the JSON text of any other value."""

    def read_raw(raw: bytes) -> Any:
        if texts_only and raw != b"null" and not raw.startswith(b'"'):
            raise ValueError
        text = _read_string(raw)
        return read(text) if text else None

    return read_raw
