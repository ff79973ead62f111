"""Parquet: written block by block under one schema. pyarrow is imported only when it is used: it is an extra."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from airflow_provider_alloincognito.landing.tables.schema import Schema


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
    first_row = 1
    with pyarrow.parquet.ParquetWriter(sink, reader.schema, compression="zstd", compression_level=1) as writer:
        for block in blocks:
            table = reader.table(block, first_row)
            writer.write_table(table)
            first_row += table.num_rows
            del table  # so that there is never more than one in memory
        # pyarrow 16, which the constraints of Airflow 3.0 have, cannot add metadata at the end of a file.
        if metadata is not None and hasattr(writer, "add_key_value_metadata"):
            writer.add_key_value_metadata(dict(metadata()))


def read_parquet_ids(file: BinaryIO, field: str) -> Iterator[Any]:
    """Yield the values of a column; raise KeyError if there are rows but no such column."""
    import pyarrow.parquet

    calls = pyarrow.parquet.ParquetFile(file)
    if field in calls.schema_arrow.names:
        for batch in calls.iter_batches(columns=[field]):
            yield from batch.column(0).to_pylist()
    elif calls.metadata.num_rows:
        raise KeyError(field, *calls.schema_arrow.names)


def count_parquet_rows(file: BinaryIO) -> int:
    """Return how many rows there are, by the file's metadata alone."""
    import pyarrow.parquet

    return int(pyarrow.parquet.ParquetFile(file).metadata.num_rows)
