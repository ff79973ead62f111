"""
CSV by RFC 4180, with line feeds. Columns are in the order of the schema: ``tables/schema.py``, ``tables/inference.py``.

Spreadsheets take a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, which may call programs or send
data away. ``escape_formulas`` puts an apostrophe before such texts.

A null is an empty cell and an empty text is ``""``. In a file with only one column, where a null would be an empty
line, a null is ``""`` as well. The ``csv`` module of Python 3.11 cannot write the two differently, and pyarrow is an
extra that CSV does without.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, BinaryIO

from airflow_provider_alloincognito.landing.tables.exact_rows import ExactRowReader
from airflow_provider_alloincognito.landing.tables.schema import Schema

_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$|^$')


def write_csv(
    blocks: Iterable[bytes],
    sink: BinaryIO,
    *,
    schema: Schema,
    timezone: str,
    escape_formulas: bool = False,
    **_: object,
) -> None:
    """Write a line of column names, and a line for each row."""
    quoted = _quoted_and_escaped if escape_formulas else _quoted
    reader = ExactRowReader(schema, timezone)
    if schema:
        sink.write((",".join(map(quoted, schema)) + "\n").encode())
    first_row = 1
    for block in blocks:
        lines = [",".join(_cell(value, quoted) for value in values) or '""' for values in reader.rows(block, first_row)]
        sink.write(("\n".join(lines) + "\n").encode())
        first_row += len(lines)


def read_csv(file: BinaryIO, fields: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield each row's values of some columns; raise KeyError if there are rows, but no such column."""
    return (values for _, values in _records(file, fields) if values is not None)


def filter_csv(
    source: BinaryIO, sink: BinaryIO, fields: Sequence[str], keep: Callable[[tuple[Any, ...]], bool]
) -> None:
    """Copy the rows that are to be kept, byte by byte."""
    for text, values in _records(source, fields):
        if values is None or keep(values):
            sink.write(text.encode())


def _records(file: BinaryIO, fields: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Yield the text of each row, and its values of some columns: None for the column names and for a blank line."""
    csv.field_size_limit(sys.maxsize)  # for the whole process: any cell that was written can be read
    with io.TextIOWrapper(file, encoding="utf-8", newline="\n") as lines:
        text: list[str] = []
        rows = csv.reader(_noting(_whole_lines(lines), text), strict=True)
        columns = [_without_escape(name) for name in next(rows, ())]
        yield "".join(text), None
        missing = [field for field in fields if field not in columns]
        places = [] if missing else [columns.index(field) for field in fields]
        text.clear()
        for row in rows:
            if row and missing:
                raise KeyError(missing[0], *columns)
            yield "".join(text), tuple(_without_escape(row[place]) for place in places) if row else None
            text.clear()


def _noting(lines: Iterable[str], noted: list[str]) -> Iterator[str]:
    for line in lines:
        noted.append(line)
        yield line


def _whole_lines(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if not line.endswith("\n"):
            raise EOFError  # the file was cut off, perhaps in the middle of an id
        yield line


def _cell(value: Any, quoted: Callable[[str], str]) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else repr(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _quoted_and_escaped(text: str) -> str:
    return _quoted(f"'{text}" if _FORMULA.match(text) else text)


def _without_escape(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell
