"""
The file formats that calls land in: a registry with one entry for each.

To add a format, write its writer, its reader and its filter in a module of this folder, and register them at the end
of this file. Nothing else needs to be touched. The modules of this folder do not import this one.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, TypeAlias

from airflow_provider_alloincognito.errors import (
    SAMPLE,
    AlloincognitoError,
    AlloincognitoFormatError,
    AlloincognitoMissingExtraError,
    AlloincognitoTargetError,
)
from airflow_provider_alloincognito.landing.formats.compression import (
    COMPRESSIONS,
    UNCOMPRESSED,
    UNSUPPORTED_COMPRESSIONS,
    Compression,
    Extra,
)
from airflow_provider_alloincognito.landing.formats.csv import filter_csv, read_csv, write_csv
from airflow_provider_alloincognito.landing.formats.json_lines import (
    filter_json_lines,
    read_json_lines,
    write_json_lines,
)
from airflow_provider_alloincognito.landing.formats.parquet import filter_parquet, read_parquet, write_parquet
from airflow_provider_alloincognito.landing.stores.targets import Target, address, open_for_reading
from airflow_provider_alloincognito.landing.tables.schema import Schema
from airflow_provider_alloincognito.scrubbing import scrub_names

Metadata: TypeAlias = Callable[[], Mapping[str, str]]


class Writer(Protocol):
    """Writes all rows of a file."""

    def __call__(
        self,
        blocks: Iterable[bytes],
        sink: BinaryIO,
        *,
        schema: Schema,
        timezone: str,
        metadata: Metadata | None,
        escape_formulas: bool,
    ) -> None:
        """
        Write blocks of JSON lines. A writer names the keyword arguments that it uses and ends with ``**_``.

        :param schema: the columns; empty for a format that needs no schema.
        :param timezone: the zone of timestamps that name none.
        :param metadata: called once the rows have ended; returns what goes into the file's metadata, if it has any.
        :param escape_formulas: whether to escape texts that a spreadsheet takes for formulas, in a format it opens.
        """


Values: TypeAlias = tuple[Any, ...]
"""A row's values of the columns that were asked for, in their order."""
Reader: TypeAlias = Callable[[BinaryIO, Sequence[str]], Iterator[Values]]
"""Yields the values of each row, given a file and the names of columns, without repeats. Raises KeyError if the file
has rows, but lacks a column: with its name, and those that there are."""
Filter: TypeAlias = Callable[[BinaryIO, BinaryIO, Sequence[str], Callable[[Values], bool]], None]
"""Copies a file without some of its rows, given the file, the copy, the names of columns, and a function of their
values that returns whether to keep a row. All that is kept stays as it is. Raises KeyError as a reader does."""


@dataclass(frozen=True, slots=True)
class Format:
    """
    All that distinguishes one file format from the others.

    :param name: the value of the argument ``file_format``.
    :param suffixes: the suffixes of its paths, in lower case and without the dot.
    :param writer: writes the rows, see :class:`Writer`.
    :param reader: reads columns back, see ``Reader``.
    :param filter: copies some of the rows, see ``Filter``.
    :param extra: the optional extra that all of them need, or None; checked before any row is requested.
    :param needs_schema: whether the rows have columns. If not, the writer gets the rows as the server wrote them.
    :param compressible: whether ``.gz`` and ``.zst`` may follow the suffix, as they may with text.
    """

    name: str
    suffixes: tuple[str, ...]
    writer: Writer
    reader: Reader
    filter: Filter
    extra: Extra | None
    needs_schema: bool
    compressible: bool


NO_ID = re.compile(r"[\W_0]*|[\W_f]{32,}|-1|true|none|null|nil|nan|undefined|false|n/?a|no", re.IGNORECASE)
"""What a call without a recording has instead of an id: a word for nothing, not one digit but 0 and no letter, or a
GUID of nothing but F."""

FORMATS: dict[str, Format] = {}
"""The registered formats by name."""


def register(entry: Format) -> None:
    """
    Add a format.

    :raises ValueError: if a part is missing, or a name or suffix is already registered.
    """
    if not (entry.suffixes and all(callable(part) for part in (entry.writer, entry.reader, entry.filter))):
        raise ValueError(f"The format {entry.name!r} needs a writer, a reader, a filter and at least one suffix.")
    taken = {*COMPRESSIONS, *UNSUPPORTED_COMPRESSIONS}.union(*({old.name, *old.suffixes} for old in FORMATS.values()))
    if clashes := sorted(taken & {entry.name, *entry.suffixes}):
        raise ValueError(f"The format {entry.name!r} cannot be registered: {', '.join(clashes)} is already in use.")
    FORMATS[entry.name] = entry


def file_format_of(path: str, file_format: str | None = None) -> tuple[Format, Compression]:
    """
    Return the format of a file, and the compression around it. All that they need is installed.

    :param path: its suffix decides on the compression and, without ``file_format``, on the format.
    :param file_format: the name of a registered format; must not contradict the suffix, by which other programs open
        the file.
    :raises AlloincognitoFormatError: if the format is unknown or contradicts the suffix.
    :raises AlloincognitoMissingExtraError: if an optional dependency is not installed.
    """
    file_name = path.replace("\\", "/").rpartition("/")[2]
    *_, before, last = ["", "", *file_name.lower().split(".")]
    compression = COMPRESSIONS.get(last)
    suffix = before if compression else last
    if file_format and last in UNSUPPORTED_COMPRESSIONS:
        raise AlloincognitoFormatError(
            f"The path ends in .{last}, a compression that is not supported. Use {_either_of(COMPRESSIONS, '.{}')}."
        )
    by_suffix = next((entry for entry in FORMATS.values() if suffix in entry.suffixes), None)
    chosen = FORMATS.get(file_format) if file_format else by_suffix
    if chosen is None:
        suffixes = [suffix for entry in FORMATS.values() for suffix in entry.suffixes]
        raise AlloincognitoFormatError(
            f"{f'The file format {file_format!r}' if file_format else f'The suffix of {file_name!r}'} is not known. "
            f"Set file_format to {_either_of(FORMATS, '{!r}')}, or let the path end in {_either_of(suffixes, '.{}')}. "
            f"After the suffix of a text format, {_either_of(COMPRESSIONS, '.{}')} may follow."
        )
    if by_suffix not in (None, chosen):
        raise AlloincognitoFormatError(
            f"file_format={chosen.name!r} contradicts the path, which ends in .{suffix}: other programs would "
            f"read it as .{suffix}. Change one of them, or leave file_format out."
        )
    _require(chosen.extra, f"The file format {chosen.name!r}")
    if compression is None:
        return chosen, UNCOMPRESSED
    if not chosen.compressible:
        raise AlloincognitoFormatError(
            f"A file of the format {chosen.name!r} is not text and cannot be compressed as a whole. Leave .{last} out "
            "of the path."
        )
    _require(compression.extra, f"A .{last} file")
    return chosen, compression


def _either_of(words: Iterable[str], pattern: str) -> str:
    *others, last = map(pattern.format, words)
    return f"{', '.join(others)} or {last}" if others else last


def _require(extra: Extra | None, feature: str) -> None:
    if extra is not None:
        try:
            importlib.import_module(extra.module)
        except ImportError:
            raise AlloincognitoMissingExtraError(feature, extra.name) from None


def read_rows(calls: Target, fields: Sequence[str]) -> Iterator[Values]:
    """
    Yield the values of some columns of a landed call list, row by row. Memory does not grow with their number.

    :param calls: the file, in any registered format.
    :param fields: the names of the columns, without repeats.
    :raises AlloincognitoFormatError: if the file has rows, but lacks a column.
    :raises AlloincognitoTargetError: if the file cannot be read to its end.
    """
    chosen, compression = file_format_of(address(calls))
    with _explained(calls), open_for_reading(calls) as file, compression.decompress(file) as content:
        yield from chosen.reader(content, fields)


def filter_rows(calls: Target, sink: BinaryIO, fields: Sequence[str], keep: Callable[[Values], bool]) -> None:
    """
    Copy a landed call list without some of its rows. The others stay as they are, and in their order.

    :param calls: the file, in any registered format.
    :param sink: gets the copy, in the same format and compression.
    :param fields: the names of the columns to decide by, without repeats.
    :param keep: takes a row's values of these columns and returns whether to keep the row.
    :raises AlloincognitoFormatError: if the file has rows, but lacks a column.
    :raises AlloincognitoTargetError: if the file cannot be read to its end.
    """
    chosen, compression = file_format_of(address(calls))
    with (
        _explained(calls),
        open_for_reading(calls) as file,
        compression.decompress(file) as content,
        compression.compress(sink) as copy,
    ):
        chosen.filter(content, copy, fields, keep)


@contextmanager
def _explained(calls: Target) -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        columns = f", but {scrub_names(error.args[1:])}" if error.args[1:] else ""
        raise AlloincognitoFormatError(
            f"The landed calls have no column {error.args[0]!r}{columns}. Set the argument that names this field to a "
            "field of the server's rows. The one with the recordings' ids is record_file_id_field: in the operator "
            f"(FIELDS in the example DAGs) or in the Connection. {SAMPLE}"
        ) from None
    except AlloincognitoError:
        raise
    except Exception as error:  # each format and compression has its own
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise AlloincognitoTargetError(
            f"Cannot read the calls in {address(calls)} to their end ({reason}), so not all of them are known. The "
            "file is missing, damaged or cut off: land the calls again by clearing their task, then run this one again."
        ) from error


def read_record_file_ids(calls: Target, field: str) -> Iterator[str]:
    """
    Yield the ids of the recordings of a landed call list, in the order of its rows. Calls without one are skipped.

    :param calls: the file, in any registered format.
    :param field: the column with the id.
    :raises AlloincognitoFormatError: if the file has rows, but no such column.
    :raises AlloincognitoTargetError: if the file cannot be read to its end.
    """
    return usable_ids(value for (value,) in read_rows(calls, [field]))


def usable_ids(values: Iterable[Any]) -> Iterator[str]:
    """Yield the ids as texts, without what stands for "no recording"."""
    return (text for text in map(str, values) if not NO_ID.fullmatch(text))


register(
    Format(
        "parquet",
        ("parquet",),
        write_parquet,
        read_parquet,
        filter_parquet,
        extra=Extra("parquet", "pyarrow"),
        needs_schema=True,
        compressible=False,
    )
)
register(
    Format(
        "jsonl",
        ("jsonl", "json", "ndjson"),
        write_json_lines,
        read_json_lines,
        filter_json_lines,
        extra=None,
        needs_schema=False,
        compressible=True,
    )
)
register(Format("csv", ("csv",), write_csv, read_csv, filter_csv, extra=None, needs_schema=True, compressible=True))
