"""JSON lines: the rows as they came, one a line. Nothing is decoded on the way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from airflow_provider_alloincognito.api.rows import RowBatch


def write_json_lines(batches: Iterable[RowBatch], sink: BinaryIO) -> int:
    """Write rows and count them."""
    rows = 0
    for batch in batches:
        sink.write(batch.json_lines())
        rows += len(batch)
    return rows
