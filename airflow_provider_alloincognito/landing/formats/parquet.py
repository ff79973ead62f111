"""Parquet, window by window under one schema. pyarrow is only imported here and below: it is an extra."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO

from airflow_provider_alloincognito.errors import AlloincognitoMissingExtraError
from airflow_provider_alloincognito.landing.tables.schema import Schema


def write_parquet(
    windows: Iterable[bytes],
    sink: BinaryIO,
    schema: Schema,
    timezone: str,
    metadata: Callable[[], Mapping[str, str]] | None = None,
) -> None:
    """
    Write rows, a row group a window.

    :param metadata: asked once the rows have ended; goes into the file's key-value metadata.
    """
    require_pyarrow()
    import pyarrow.parquet

    from airflow_provider_alloincognito.landing.tables.arrow import TableReader

    reader = TableReader(schema, timezone)
    first_row = 1
    with pyarrow.parquet.ParquetWriter(sink, reader.schema, compression="zstd", compression_level=1) as writer:
        for window in windows:
            table = reader.table(window, first_row)
            writer.write_table(table)
            first_row += table.num_rows
            del table  # there is never more than one
        if metadata is not None:
            writer.add_key_value_metadata(dict(metadata()))


def require_pyarrow() -> None:
    """Say before any row is asked for that pyarrow is missing."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise AlloincognitoMissingExtraError("Parquet", "parquet") from None
