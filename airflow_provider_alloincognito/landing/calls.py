"""Land calls: the rows of a response become one file."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, TypeAlias, cast, get_args

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import (
    AlloincognitoSchemaError,
    AlloincognitoTooFewRowsError,
    AlloincognitoUnknownFieldError,
)
from airflow_provider_alloincognito.landing.formats import Metadata, file_format_of
from airflow_provider_alloincognito.landing.rewriting import NO_CHANGE, Rewriting
from airflow_provider_alloincognito.landing.stores import whole_file
from airflow_provider_alloincognito.landing.stores.targets import Target, address, explain_memory_errors
from airflow_provider_alloincognito.landing.tables.fields import check_required_fields, refuse_unknown_fields
from airflow_provider_alloincognito.landing.tables.inference import infer_schema
from airflow_provider_alloincognito.landing.tables.schema import Schema, SchemaArgument, read_schema
from airflow_provider_alloincognito.landing.tables.spool import SpooledBlocks, cut_blocks
from airflow_provider_alloincognito.scrubbing import without_locals

UnknownFields: TypeAlias = Literal["keep", "refuse", "drop"]


@dataclass(frozen=True, slots=True)
class LandedCalls:
    """
    A file of rows that has landed.

    :param path: the file's path.
    :param format: the name of its format.
    :param rows: how many rows it has.
    :param bytes: its size.
    :param columns: names and types of its columns, in their order; empty for a format without columns.
    """

    path: str
    format: str
    rows: int
    bytes: int
    columns: Schema

    def summary(self) -> dict[str, Any]:
        """Return all but the columns, as tasks return it."""
        return {name: getattr(self, name) for name in ("path", "format", "rows", "bytes")}


@without_locals()
@explain_memory_errors()
def land_calls(
    batches: Iterable[RowBatch],
    path: Target,
    *,
    file_format: str | None = None,
    schema: SchemaArgument = None,
    timezone: str = "Europe/Moscow",
    unknown_fields: UnknownFields = "keep",
    required_fields: Iterable[str] | str = (),
    rewriting: Rewriting = NO_CHANGE,
    min_rows: int = 0,
    metadata: Metadata | None = None,
    escape_formulas: bool = False,
) -> LandedCalls:
    """
    Write rows to a file. It appears whole, or after any error not at all.

    :param batches: the rows, whose order is kept; memory does not grow with their number.
    :param path: the file; an existing file is replaced at the end.
    :param file_format: the name of a registered format, such as ``parquet``, ``jsonl`` or ``csv``; by default the
        path's suffix decides.
    :param schema: column names and types (``string``, ``int64``, ``float64``, ``bool``, ``timestamp``, ``date``,
        ``json``) for formats with columns, or the path of a JSON file with them; by default it is inferred from all
        rows. JSON lines keep the rows as the server wrote them.
    :param timezone: the zone of timestamps that name none.
    :param unknown_fields: ``keep`` appends fields that the schema does not name as text columns; ``refuse`` makes
        them an error; ``drop``, which needs a schema, leaves them out of files of all formats.
    :param required_fields: it is an error if there are rows and none of them has one of these fields, as the server
        sent them.
    :param rewriting: what is changed in the rows before they land; nothing by default.
    :param min_rows: fewer rows are an error, and an existing file stays.
    :param metadata: called once the rows have ended; its result goes into Parquet's key-value metadata.
    :param escape_formulas: put an apostrophe before each text in a CSV file that a spreadsheet would take for a formula
        (one that begins with ``=``, ``+``, ``-`` or ``@``, such as ``+79161234567``).
    :raises AlloincognitoFormatError: if the format is unknown or contradicts the path.
    :raises AlloincognitoSchemaError: if the schema is invalid.
    :raises AlloincognitoValueError: if a value does not fit its column's type.
    :raises AlloincognitoUnknownFieldError: if a field is unknown and ``unknown_fields`` is ``refuse``.
    :raises AlloincognitoFieldError: if no row has a required field, or one that ``rewriting`` names, or one has the
        field that it adds.
    :raises AlloincognitoTooFewRowsError: if there are fewer rows than ``min_rows``.
    :raises AlloincognitoTargetError: if the file cannot be written.
    """
    chosen, compression = file_format_of(str(path), file_format)
    known = read_schema(schema)
    _check_unknown_fields(unknown_fields, known)
    columns = rewriting.schema(known)
    row_count = 0

    def counted_rows() -> Iterator[RowBatch]:
        nonlocal row_count
        for batch in check_required_fields(batches, required_fields):
            row_count += len(batch)
            yield batch

    def write(blocks: Iterable[bytes], columns: Schema) -> LandedCalls:
        with whole_file(path) as file:
            counter = _ByteCounter(file)
            with compression.compress(cast(BinaryIO, counter)) as sink:
                chosen.writer(
                    blocks,
                    sink,
                    schema=columns,
                    timezone=timezone,
                    metadata=metadata,
                    escape_formulas=escape_formulas,
                )
            if row_count < min_rows:
                raise AlloincognitoTooFewRowsError(row_count, min_rows, address(path))
        return LandedCalls(address(path), chosen.name, row_count, counter.bytes, columns)

    rows = rewriting.rewrite(counted_rows(), known if unknown_fields == "drop" else None)
    if not chosen.needs_schema:
        if columns is not None and unknown_fields == "refuse":
            rows = refuse_unknown_fields(rows, columns)
        return write((batch.json_lines() for batch in rows), {})
    if columns is not None and unknown_fields != "keep":
        return write(cut_blocks(rows), columns)
    with SpooledBlocks(cut_blocks(rows)) as blocks:
        if columns is not None:
            with suppress(AlloincognitoUnknownFieldError):  # then learn all fields from all rows, and start over
                return write(blocks, columns)
        fields = infer_schema(blocks)
        if columns is not None:
            fields = columns | {field: "string" for field in fields if field not in columns}
        return write(blocks, fields)


def _check_unknown_fields(unknown_fields: str, known: Schema | None) -> None:
    if unknown_fields not in get_args(UnknownFields):
        raise AlloincognitoSchemaError(f"unknown_fields must be 'keep', 'refuse' or 'drop', not {unknown_fields!r}.")
    if unknown_fields == "drop" and known is None:
        raise AlloincognitoSchemaError(
            "unknown_fields='drop' lands only the fields of the schema, but there is none, so everything would land. "
            "Give a schema."
        )


class _ByteCounter(io.RawIOBase):
    """Passes bytes on to a file and counts them; closing it leaves the file open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.bytes

    def write(self, data: Any) -> int:
        self._file.write(data)
        self.bytes += len(data)
        return len(data)
