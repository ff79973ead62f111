"""Parquet: written block by block under one schema. pyarrow is imported only when it is used: it is an extra."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import repeat
from typing import Any, BinaryIO

from airflow_provider_alloincognito.landing.tables.ahead import map_ahead
from airflow_provider_alloincognito.landing.tables.schema import Schema

# A column with few values gets a dictionary. Ids and phone numbers are better off without: the limit ends theirs early.
ENCODING: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "dictionary_pagesize_limit": 1 << 15}
ARROW_SCHEMA = b"ARROW:schema"
"""An entry of the metadata that pyarrow writes itself."""


def write_parquet(
    blocks: Iterable[bytes],
    sink: BinaryIO,
    *,
    schema: Schema,
    timezone: str,
    metadata: Callable[[], Mapping[str, str]] | None,
    **_: object,
) -> None:
    """Write rows, with a row group for each block; ``metadata`` goes into the file's key-value metadata."""
    import pyarrow.parquet

    from airflow_provider_alloincognito.landing.tables.arrow import TableReader

    reader = TableReader(schema, timezone)
    with (
        pyarrow.parquet.ParquetWriter(sink, reader.schema, **ENCODING) as writer,
        closing(map_ahead(reader.table, blocks)) as tables,  # pyarrow releases the GIL while it reads
    ):
        for table in tables:
            writer.write_table(table)
            del table  # so that it is not in memory while the next is waited for
        if metadata is not None:
            _add_metadata(writer, metadata())


def read_parquet(file: BinaryIO, fields: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield each row's values of some columns; raise KeyError if there are rows, but no such column."""
    import pyarrow.parquet

    calls = pyarrow.parquet.ParquetFile(file)
    if not fields:  # whoever counts the rows needs no more than the metadata
        yield from repeat((), calls.metadata.num_rows)
    elif _has_rows_with(calls, fields):
        for batch in calls.iter_batches(columns=list(fields)):
            yield from zip(*(batch.column(field).to_pylist() for field in fields), strict=True)


def filter_parquet(
    source: BinaryIO, sink: BinaryIO, fields: Sequence[str], keep: Callable[[tuple[Any, ...]], bool]
) -> None:
    """Copy the rows that are to be kept, by row group, with the file's schema and metadata."""
    import pyarrow.parquet

    calls = pyarrow.parquet.ParquetFile(source)
    with pyarrow.parquet.ParquetWriter(sink, calls.schema_arrow, **ENCODING) as writer:
        for group in range(calls.num_row_groups) if _has_rows_with(calls, fields) else ():
            table = calls.read_row_group(group)
            values = zip(*(table.column(field).to_pylist() for field in fields), strict=True)
            table = table.filter(pyarrow.array(map(keep, values), pyarrow.bool_()))
            if table.num_rows:
                writer.write_table(table)
            del table
        _add_metadata(
            writer, {name: text for name, text in (calls.metadata.metadata or {}).items() if name != ARROW_SCHEMA}
        )


def _add_metadata(writer: Any, metadata: Mapping[Any, Any]) -> None:
    # pyarrow 16, which the constraints of Airflow 3.0 have, cannot add metadata at the end of a file.
    if hasattr(writer, "add_key_value_metadata"):
        writer.add_key_value_metadata(dict(metadata))


def _has_rows_with(calls: Any, fields: Sequence[str]) -> bool:
    names = calls.schema_arrow.names
    missing = [field for field in fields if field not in names]
    if missing and calls.metadata.num_rows:
        raise KeyError(missing[0], *names)
    return not missing
