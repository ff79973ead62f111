"""The rows of an answer become one file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, cast

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import (
    AlloincognitoSchemaError,
    AlloincognitoTooFewRowsError,
    AlloincognitoUnknownFieldError,
)
from airflow_provider_alloincognito.landing.formats import FileFormat, compressed, file_format_of
from airflow_provider_alloincognito.landing.formats.csv import write_csv
from airflow_provider_alloincognito.landing.formats.json_lines import refuse_unknown_fields, write_json_lines
from airflow_provider_alloincognito.landing.formats.parquet import require_pyarrow, write_parquet
from airflow_provider_alloincognito.landing.stores import whole_file
from airflow_provider_alloincognito.landing.stores.targets import Target, address
from airflow_provider_alloincognito.landing.tables.inference import infer_schema
from airflow_provider_alloincognito.landing.tables.schema import Schema, SchemaArgument, read_schema
from airflow_provider_alloincognito.landing.tables.spool import SpooledBlocks, cut_blocks

Metadata = Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class LandedCalls:
    """A file of rows that stands at its place: where, in which format, how many rows and bytes."""

    path: str
    format: str
    rows: int
    bytes: int


def land_calls(
    batches: Iterable[RowBatch],
    path: Target,
    *,
    file_format: str | None = None,
    schema: SchemaArgument = None,
    timezone: str = "Europe/Moscow",
    unknown_fields: Literal["keep", "refuse"] = "keep",
    min_rows: int = 0,
    metadata: Metadata | None = None,
) -> LandedCalls:
    """
    Land rows in a file that appears whole, or, if anything goes wrong on the way, not at all.

    :param batches: the rows, in the order in which they stay; memory does not grow with their number.
    :param path: where the file goes; what is there is replaced at the end.
    :param file_format: ``parquet``, ``jsonl`` or ``csv``; by default the path's suffix decides.
    :param schema: column names and types (``string``, ``int64``, ``float64``, ``bool``, ``timestamp``, ``date``,
        ``json``) for Parquet and CSV, or the path of a JSON file with them; inferred from all rows if not given.
        JSON lines take the rows as they came, whatever their types.
    :param timezone: the zone of timestamps that name none.
    :param unknown_fields: ``keep`` appends fields that the schema does not name as text columns; ``refuse`` makes
        them an error.
    :param min_rows: fewer rows are an error, and what is there stays.
    :param metadata: asked once the rows have ended; goes into Parquet's key-value metadata.
    """
    if unknown_fields not in ("keep", "refuse"):
        raise AlloincognitoSchemaError(f"unknown_fields is 'keep' or 'refuse', not {unknown_fields!r}")
    chosen = file_format_of(str(path), file_format)
    landing = _Landing(batches, path, chosen, timezone, min_rows, metadata)
    columns = read_schema(schema)
    if chosen.name == "parquet":
        require_pyarrow()
    if chosen.name == "jsonl":
        landing.write_lines(columns if unknown_fields == "refuse" else None)
    elif columns is not None and unknown_fields == "refuse":
        landing.write_table(cut_blocks(landing.batches), columns)
    else:
        with SpooledBlocks(cut_blocks(landing.batches)) as windows:
            _write_all_fields(landing, windows, columns)
    return LandedCalls(address(path), chosen.name, landing.rows, landing.bytes)


def _write_all_fields(landing: _Landing, windows: SpooledBlocks, columns: Schema | None) -> None:
    """Write at once while the schema names all fields; else learn them from all rows and begin again."""
    if columns is not None:
        try:
            landing.write_table(windows, columns)
            return
        except AlloincognitoUnknownFieldError:
            columns = columns | {field: "string" for field in infer_schema(windows) if field not in columns}
    landing.write_table(windows, infer_schema(windows) if columns is None else columns)


class _Landing:
    """One answer on its way to one file; counts what goes through."""

    def __init__(
        self,
        batches: Iterable[RowBatch],
        path: Target,
        file_format: FileFormat,
        timezone: str,
        min_rows: int,
        metadata: Metadata | None,
    ) -> None:
        self.batches = self._counted(batches)
        self.rows = 0
        self.bytes = 0
        self._path = path
        self._format = file_format
        self._timezone = timezone
        self._min_rows = min_rows
        self._metadata = metadata

    def _counted(self, batches: Iterable[RowBatch]) -> Iterator[RowBatch]:
        for batch in batches:
            self.rows += len(batch)
            yield batch

    def write(self, write_rows: Callable[[BinaryIO], object]) -> None:
        with whole_file(self._path) as file:
            counting = _CountingSink(file)
            with compressed(cast(BinaryIO, counting), self._format.compression) as sink:
                write_rows(sink)
            if self.rows < self._min_rows:
                raise AlloincognitoTooFewRowsError(self.rows, self._min_rows, address(self._path))
            self.bytes = counting.bytes

    def write_lines(self, known: Schema | None) -> None:
        batches = self.batches if known is None else refuse_unknown_fields(self.batches, known)
        self.write(lambda sink: write_json_lines(batches, sink))

    def write_table(self, windows: Iterable[bytes], columns: Schema) -> None:
        if self._format.name == "csv":
            self.write(lambda sink: write_csv(windows, sink, columns, self._timezone))
        else:
            self.write(lambda sink: write_parquet(windows, sink, columns, self._timezone, self._metadata))


class _CountingSink(io.RawIOBase):
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
