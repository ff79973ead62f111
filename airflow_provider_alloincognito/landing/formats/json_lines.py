"""JSON lines: the rows as they came, one a line. Nothing is decoded on the way, unless it is to be checked."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import BinaryIO

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import AlloincognitoUnknownFieldError


def write_json_lines(batches: Iterable[RowBatch], sink: BinaryIO) -> int:
    """Write rows and count them."""
    rows = 0
    for batch in batches:
        sink.write(batch.json_lines())
        rows += len(batch)
    return rows


def refuse_unknown_fields(batches: Iterable[RowBatch], known: Container[str]) -> Iterator[RowBatch]:
    """
    Pass rows on as long as they have no field beyond the known ones.

    :raises AlloincognitoUnknownFieldError: naming the first other field, and its row.
    """
    number = 0
    for batch in batches:
        for fields in batch.fields():
            number += 1
            for field in fields:
                if field not in known:
                    raise AlloincognitoUnknownFieldError(field, number)
        yield batch
