"""The ids of recordings, read back from the file that the calls landed in."""

from __future__ import annotations

import csv as csv_reader
import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, cast, get_args

import msgspec

from airflow_provider_alloincognito.errors import AlloincognitoFormatError, AlloincognitoMissingExtraError
from airflow_provider_alloincognito.landing.stores.targets import Target, address, open_for_reading

Compression = Literal["gz", "zst"]


def compressed(sink: BinaryIO, compression: Compression | None) -> AbstractContextManager[BinaryIO]:
    """Wrap a file so that what is written to it arrives compressed; the end of the ``with`` leaves it open."""
    if compression == "gz":  # no name and no time of writing in the head
        packed = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=sink, mtime=0)
        return cast("AbstractContextManager[BinaryIO]", packed)
    if compression == "zst":
        try:
            import zstandard
        except ImportError:
            raise AlloincognitoMissingExtraError("A .zst file", "zstd") from None
        return cast(
            "AbstractContextManager[BinaryIO]",
            zstandard.ZstdCompressor(level=3).stream_writer(sink, closefd=False),
        )
    return nullcontext(sink)


FormatName = Literal["parquet", "jsonl", "csv"]

_SUFFIXES: dict[str, FormatName] = {
    "parquet": "parquet",
    "jsonl": "jsonl",
    "json": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
}

_OTHER_COMPRESSIONS = {"gzip", "zstd", "bz2", "xz", "zip", "lz4", "snappy", "br"}


@dataclass(frozen=True, slots=True)
class FileFormat:
    """
    How rows are written.

    :param name: ``parquet``, ``jsonl`` or ``csv``.
    :param compression: of the whole text; Parquet compresses within.
    """

    name: FormatName
    compression: Compression | None = None


def file_format_of(path: str, file_format: str | None = None) -> FileFormat:
    """
    Decide on a file's format.

    :param path: its suffix decides on compression and, unless told otherwise, on the format.
    :param file_format: ``parquet``, ``jsonl`` or ``csv``; must not contradict a suffix that says one of them, by
        which whoever reads the file will open it.
    """
    *_, before, last = ["", "", *path.replace("\\", "/").rpartition("/")[2].lower().split(".")]
    compression = cast(Compression, last) if last in get_args(Compression) else None
    suffix = before if compression else last
    if file_format and last in _OTHER_COMPRESSIONS:
        raise AlloincognitoFormatError(
            f"The path ends in .{last}, but nothing is compressed that way. Known are .gz and .zst"
        )
    by_suffix = _SUFFIXES.get(suffix)
    name = file_format or by_suffix
    if name not in get_args(FormatName):
        said = f"The file format {file_format!r}" if file_format else f"The suffix {f'.{suffix}' if suffix else ''!r}"
        raise AlloincognitoFormatError(
            f"{said} is not known. Allowed are file_format='parquet', 'jsonl' or 'csv', or a path that ends in "
            ".parquet, .jsonl, .json, .ndjson or .csv; text also with .gz or .zst after it"
        )
    if by_suffix not in (None, name):
        raise AlloincognitoFormatError(
            f"file_format={name!r}, but the path ends in .{suffix}: whoever reads the file would take it for the "
            "latter. Change one of them, or leave file_format out"
        )
    if name == "parquet" and compression:
        raise AlloincognitoFormatError(f"Parquet is compressed within: leave .{compression} out of the path")
    return FileFormat(cast(FormatName, name), compression)


def read_record_file_ids(calls: Target, field: str) -> Iterator[str]:
    """
    Give the ids of a landed call list's recordings, in its order; calls without a recording are passed over.

    :param calls: the file, in any format that calls land in.
    :param field: the column with the id.
    :raises AlloincognitoFormatError: if the file has rows but no such column.
    """
    form = file_format_of(address(calls))
    with ExitStack() as stack:
        file = stack.enter_context(open_for_reading(calls))
        if form.name == "parquet":
            values = _from_parquet(file, field)
        else:
            text = stack.enter_context(_plain(file, form.compression))
            values = _from_json_lines(text, field) if form.name == "jsonl" else _from_csv(text, field)
        yield from usable_ids(values)


def usable_ids(values: Iterable[Any]) -> Iterator[str]:
    """Give the ids among what rows have in their place: calls without a recording have nothing there."""
    return (str(value) for value in values if value not in (None, ""))


def _plain(file: BinaryIO, compression: Compression | None) -> Any:
    if compression == "gz":
        return gzip.open(file)
    if compression == "zst":
        try:
            import zstandard
        except ImportError:
            raise AlloincognitoMissingExtraError("A .zst file", "zstd") from None
        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file))
    return file


def _from_parquet(file: BinaryIO, field: str) -> Iterator[Any]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise AlloincognitoMissingExtraError("Parquet", "parquet") from None
    calls = pyarrow.parquet.ParquetFile(file)
    if field not in calls.schema_arrow.names:
        if calls.metadata.num_rows:
            raise _no_such_column(field)
        return
    for batch in calls.iter_batches(columns=[field]):
        yield from batch.column(0).to_pylist()


def _from_json_lines(text: BinaryIO, field: str) -> Iterator[Any]:
    row: Any = msgspec.defstruct("Row", [("id", Any, msgspec.UNSET)], rename={"id": field})
    decoder = msgspec.json.Decoder[Any](row)
    rows = found = 0
    for line in text:
        rows += 1
        value = decoder.decode(line).id
        if value is not msgspec.UNSET:
            found += 1
            yield value
    if rows and not found:
        raise _no_such_column(field)


def _from_csv(text: BinaryIO, field: str) -> Iterator[Any]:
    csv_reader.field_size_limit(sys.maxsize)  # of the whole process: a cell that landed can be read
    with io.TextIOWrapper(text, encoding="utf-8", newline="") as lines:
        for row in csv_reader.DictReader(lines):
            if field not in row:
                raise _no_such_column(field)
            yield row[field]


def _no_such_column(field: str) -> AlloincognitoFormatError:
    return AlloincognitoFormatError(
        f"The landed calls have no column {field!r} to take the recordings' ids from. Name the field that the server's "
        "rows have: the DAG's mapping of field names (argument record_file_id_field), or the Connection's setting "
        "record_file_id_field"
    )
