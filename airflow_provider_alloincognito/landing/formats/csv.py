"""CSV as RFC 4180 has it, with line feeds: a null is nothing, an empty text is ``""``; in the only
column of a file, where nothing would be an empty line, a null is ``""`` as well.

The ``csv`` module of Python 3.11 cannot keep the two apart, and pyarrow is not needed for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any, BinaryIO

from airflow_provider_alloincognito.landing.tables.exact_rows import ExactRowReader
from airflow_provider_alloincognito.landing.tables.schema import Schema

_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$|^$')


def write_csv(windows: Iterable[bytes], sink: BinaryIO, schema: Schema, timezone: str) -> None:
    """Write a line of column names, and a line for each row."""
    reader = ExactRowReader(schema, timezone)
    if schema:
        sink.write((",".join(map(_quoted, schema)) + "\n").encode())
    first_row = 1
    for window in windows:
        lines = [",".join(map(_cell, values)) or '""' for values in reader.rows(window, first_row)]
        sink.write(("\n".join(lines) + "\n").encode())
        first_row += len(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else repr(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text
