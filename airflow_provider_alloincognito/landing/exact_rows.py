"""Rows taken apart one by one: each field's JSON text, and each value under its column's type.

The slow and exact way. Parquet goes it only where pyarrow's JSON reader does not take a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from airflow_provider_alloincognito.api.errors import AlloincognitoResponseError
from airflow_provider_alloincognito.landing.errors import (
    AlloincognitoUnknownFieldError,
    AlloincognitoValueError,
)
from airflow_provider_alloincognito.landing.schema import Schema
from airflow_provider_alloincognito.landing.values import readers

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
