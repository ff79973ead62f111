"""One JSON value under a column's type, exactly: no digit lost, nothing guessed.

A value is given as its JSON text. What a type takes beside its own kind of value, it takes without loss: an
int64 also ``"35"`` and ``35.0``, a string also a number or a nested value, as its JSON text. ``null`` is null
everywhere, and an empty text is in all columns but ``string`` and ``json``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_alloincognito.errors import (
    AlloincognitoResponseError,
    AlloincognitoUnknownFieldError,
    AlloincognitoValueError,
)
from airflow_provider_alloincognito.landing.tables.schema import Schema, TypeName

Reader: TypeAlias = Callable[[bytes], Any]

INT64 = range(-(1 << 63), 1 << 63)
EXACT_IN_FLOAT = 1 << 53
"""Whole numbers up to here are the same as floats."""

_WHOLE = re.compile(r"-?[0-9]+(\.0+)?")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_TEXT = msgspec.json.Decoder(str)


def readers(timezone: str) -> dict[TypeName, Reader]:
    """
    Give for each type the function that reads a value's JSON text; it raises ValueError where one does not fit.

    :param timezone: the IANA zone of timestamps that name none.
    """
    zone = ZoneInfo(timezone)
    return {
        "string": read_string,
        "json": lambda raw: None if raw == b"null" else _json_text(raw),
        "int64": _from_text_or_number(read_int64),
        "float64": _from_text_or_number(read_float64),
        "bool": _from_text_or_number(_BOOLS.__getitem__),
        "timestamp": _from_text_only(lambda text: read_timestamp(text, zone)),
        "date": _from_text_only(read_date),
    }


def read_string(raw: bytes) -> str | None:
    """Read a text, or the JSON text of anything else."""
    if raw == b"null":
        return None
    return _TEXT.decode(raw) if raw.startswith(b'"') else _json_text(raw)


def read_int64(text: str) -> int:
    """Read a whole number that fits into 64 bits."""
    if not _WHOLE.fullmatch(text) or (number := int(text.partition(".")[0])) not in INT64:
        raise ValueError
    return number


def read_float64(text: str) -> float:
    """Read a number."""
    if not _NUMBER.fullmatch(text) or not math.isfinite(number := float(text)):
        raise ValueError
    return number


def read_timestamp(text: str, zone: ZoneInfo) -> datetime:
    """Read ``yyyy-mm-dd hh:mm:ss[.fff]`` or an ISO text; one without an offset is in the zone."""
    if not _DATE.match(text):
        raise ValueError
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def read_date(text: str) -> date:
    """Read ``yyyy-mm-dd``."""
    if not _DATE.fullmatch(text):
        raise ValueError
    return date.fromisoformat(text)


def _json_text(raw: bytes) -> str:
    return (msgspec.json.format(raw, indent=-1) if raw[:1] in b"{[" else raw).decode()


def _from_text_or_number(read: Callable[[str], Any]) -> Reader:
    """Let a text's content be read, or the JSON text of a number, or of anything else that ``read`` takes."""

    def read_raw(raw: bytes) -> Any:
        text = read_string(raw)
        return read(text) if text else None

    return read_raw


def _from_text_only(read: Callable[[str], Any]) -> Reader:
    """Let a text's content be read, and refuse all else but null."""
    read_text = _from_text_or_number(read)

    def read_raw(raw: bytes) -> Any:
        if raw != b"null" and not raw.startswith(b'"'):
            raise ValueError
        return read_text(raw)

    return read_raw


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def raw_rows(window: bytes, first_row: int = 1) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Give each row's number and the JSON text of its fields."""
    for number, line in enumerate(window.splitlines(), first_row):
        try:
            fields = _FIELDS.decode(line)
        except ValueError:
            raise AlloincognitoResponseError(
                f"Row {number} cannot be read: it is no object, or a text in it is no valid Unicode"
            ) from None
        yield number, {field: bytes(raw) for field, raw in fields.items()}


class ExactRowReader:
    """
    Reads rows under a schema.

    :param timezone: the zone of timestamps that name none.
    """

    def __init__(self, schema: Schema, timezone: str) -> None:
        self._schema = schema
        self._readers = readers(timezone)

    def rows(self, window: bytes, first_row: int) -> Iterator[list[Any]]:
        """Give each row's values in the order of the schema's columns."""
        columns = [(column, type_name, self._readers[type_name]) for column, type_name in self._schema.items()]
        for number, fields in raw_rows(window, first_row):
            values = []
            for column, type_name, read in columns:
                try:
                    values.append(read(fields.pop(column, b"null")))
                except (ValueError, KeyError, OverflowError):
                    raise AlloincognitoValueError(column, type_name, number) from None
            if fields:
                raise AlloincognitoUnknownFieldError(next(iter(fields)), number)
            yield values
