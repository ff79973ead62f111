"""The ids of recordings, read back from the file that the calls landed in."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO

import msgspec

from airflow_provider_alloincognito.api.errors import AlloincognitoMissingExtraError
from airflow_provider_alloincognito.landing.compression import Compression
from airflow_provider_alloincognito.landing.errors import AlloincognitoFormatError
from airflow_provider_alloincognito.landing.formats import file_format_of
from airflow_provider_alloincognito.landing.targets import Target, address, open_for_reading


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
    csv.field_size_limit(sys.maxsize)  # of the whole process: a cell that landed can be read
    with io.TextIOWrapper(text, encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if field not in row:
                raise _no_such_column(field)
            yield row[field]


def _no_such_column(field: str) -> AlloincognitoFormatError:
    return AlloincognitoFormatError(
        f"The landed calls have no column {field!r} to take the recordings' ids from. Name the field that the stand's "
        "rows have: the DAG's mapping of field names (argument record_file_id_field), or the Connection's setting "
        "record_file_id_field"
    )
