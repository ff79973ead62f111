"""
The file formats that calls land in: a registry with one entry for each.

To add a format, write its writer and its id reader in a module of this folder, and register them at the end of this
file. Nothing else needs to be touched. The modules of this folder do not import this one.
"""

from __future__ import annotations

import gzip
import importlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, Protocol, TypeAlias, cast

from airflow_provider_alloincognito.errors import (
    SAMPLE,
    AlloincognitoError,
    AlloincognitoFormatError,
    AlloincognitoMissingExtraError,
    AlloincognitoTargetError,
)
from airflow_provider_alloincognito.landing.formats.csv import count_csv_rows, read_csv_ids, write_csv
from airflow_provider_alloincognito.landing.formats.json_lines import (
    count_json_lines,
    read_json_lines_ids,
    write_json_lines,
)
from airflow_provider_alloincognito.landing.formats.parquet import count_parquet_rows, read_parquet_ids, write_parquet
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


IdReader: TypeAlias = Callable[[BinaryIO, str], Iterator[Any]]
"""Yields the values of a column, given a file and the column's name. Raises KeyError if the file has rows, but no such
column: with the name, and those that there are."""

RowCounter: TypeAlias = Callable[[BinaryIO], int]
"""Returns how many rows a file has."""


class Extra(NamedTuple):
    """An optional extra of this package, and the module that it installs."""

    name: str
    module: str


@dataclass(frozen=True, slots=True)
class Format:
    """
    All that distinguishes one file format from the others.

    :param name: the value of the argument ``file_format``.
    :param suffixes: the suffixes of its paths, in lower case and without the dot.
    :param writer: writes the rows, see :class:`Writer`.
    :param id_reader: reads recording ids back, see ``IdReader``.
    :param row_counter: counts the rows, without decoding them where the format allows it.
    :param extra: the optional extra that writer and reader need, or None; checked before any row is requested.
    :param needs_schema: whether the rows have columns. If not, the writer gets the rows as the server wrote them.
    :param compressible: whether ``.gz`` and ``.zst`` may follow the suffix, as they may with text.
    """

    name: str
    suffixes: tuple[str, ...]
    writer: Writer
    id_reader: IdReader
    row_counter: RowCounter
    extra: Extra | None
    needs_schema: bool
    compressible: bool


class Compression(NamedTuple):
    """What is wrapped around a file. The end of the ``with`` leaves a compressed file open."""

    extra: Extra | None
    compress: Callable[[BinaryIO], AbstractContextManager[Any]]
    decompress: Callable[[BinaryIO], AbstractContextManager[Any]]


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
    if not (entry.suffixes and all(callable(part) for part in (entry.writer, entry.id_reader, entry.row_counter))):
        raise ValueError(
            f"The format {entry.name!r} needs a writer, an id_reader, a row_counter and at least one suffix."
        )
    taken = {*COMPRESSIONS, *_UNSUPPORTED_COMPRESSIONS}.union(*({old.name, *old.suffixes} for old in FORMATS.values()))
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
    if file_format and last in _UNSUPPORTED_COMPRESSIONS:
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


def read_record_file_ids(calls: Target, field: str) -> Iterator[str]:
    """
    Yield the ids of the recordings of a landed call list, in the order of its rows. Calls without one are skipped.

    :param calls: the file, in any registered format.
    :param field: the column with the id.
    :raises AlloincognitoFormatError: if the file has rows but no such column.
    :raises AlloincognitoTargetError: if the file cannot be read to its end.
    """
    chosen, compression = file_format_of(address(calls))
    try:
        with open_for_reading(calls) as file, compression.decompress(file) as content:
            yield from usable_ids(chosen.id_reader(content, field))
    except KeyError as error:
        columns = f", but {scrub_names(error.args[1:])}" if error.args[1:] else ""
        raise AlloincognitoFormatError(
            f"The landed calls have no column {field!r}{columns}, so the recordings' ids cannot be read from them. Set "
            "record_file_id_field to the field of the server's rows that holds the recording's id: in the operator "
            f"(FIELDS in the example DAGs) or in the Connection. {SAMPLE}"
        ) from None
    except AlloincognitoError:
        raise
    except Exception as error:  # each format and compression has its own
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise AlloincognitoTargetError(
            f"Cannot read the calls in {address(calls)} to their end ({reason}), so not all recordings are known. The "
            "file is missing, damaged or cut off: land the calls again by clearing their task, then run this one again."
        ) from error


def count_rows(calls: Target) -> int:
    """
    Return how many rows a landed call list has.

    :param calls: the file, in any registered format. Of Parquet only the metadata is read.
    :raises AlloincognitoFormatError: if the format is not known.
    :raises AlloincognitoTargetError: if the file cannot be read to its end.
    """
    chosen, compression = file_format_of(address(calls))
    try:
        with open_for_reading(calls) as file, compression.decompress(file) as content:
            return chosen.row_counter(content)
    except AlloincognitoError:
        raise
    except Exception as error:  # each format and compression has its own
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise AlloincognitoTargetError(
            f"Cannot read the calls in {address(calls)} to their end ({reason}). The file is missing, damaged or cut "
            "off: land the calls again by clearing their task."
        ) from error


def usable_ids(values: Iterable[Any]) -> Iterator[str]:
    """Yield the ids as texts, without what stands for "no recording"."""
    return (text for text in map(str, values) if not NO_ID.fullmatch(text))


def _gzip_writer(sink: BinaryIO) -> AbstractContextManager[Any]:
    # Without a name and a time in its header, so that the same rows give the same file.
    return gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=sink, mtime=0)


def _zstd_writer(sink: BinaryIO) -> AbstractContextManager[Any]:
    import zstandard

    return zstandard.ZstdCompressor(level=3).stream_writer(sink, closefd=False)


def _gzip_reader(file: BinaryIO) -> AbstractContextManager[Any]:
    if not cast(Any, file).peek(1):
        raise EOFError  # the module takes a file without a byte for an empty text
    return gzip.open(file)


def _zstd_reader(file: BinaryIO) -> AbstractContextManager[Any]:
    return io.BufferedReader(_ZstdText(file))


class _ZstdText(io.RawIOBase):
    """Decompresses a file. The library's own reader takes one that was cut off for one that has ended."""

    def __init__(self, file: BinaryIO) -> None:
        import zstandard

        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._text = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._text and not self._frame.eof:
            if not (chunk := self._file.read(1 << 14)):
                raise EOFError
            self._text = memoryview(self._frame.decompress(chunk))
        count = min(len(buffer), len(self._text))
        buffer[:count] = self._text[:count]
        self._text = self._text[count:]
        return count


UNCOMPRESSED = Compression(None, nullcontext, nullcontext)
COMPRESSIONS = {
    "gz": Compression(None, _gzip_writer, _gzip_reader),
    "zst": Compression(Extra("zstd", "zstandard"), _zstd_writer, _zstd_reader),
}
_UNSUPPORTED_COMPRESSIONS = frozenset({"gzip", "zstd", "bz2", "xz", "zip", "lz4", "snappy", "br"})

register(
    Format(
        "parquet",
        ("parquet",),
        write_parquet,
        read_parquet_ids,
        count_parquet_rows,
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
        read_json_lines_ids,
        count_json_lines,
        extra=None,
        needs_schema=False,
        compressible=True,
    )
)
register(
    Format(
        "csv",
        ("csv",),
        write_csv,
        read_csv_ids,
        count_csv_rows,
        extra=None,
        needs_schema=True,
        compressible=True,
    )
)
