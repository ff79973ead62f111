"""Read landed files back as Arrow batches, to load them into a warehouse. pyarrow is imported when it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.errors import (
    AlloincognitoFormatError,
    AlloincognitoMissingExtraError,
    AlloincognitoTargetError,
)
from airflow_provider_alloincognito.landing.manifest import ManifestLine, read_manifest
from airflow_provider_alloincognito.landing.stores.targets import (
    Target,
    address,
    explain_local_errors,
    open_for_reading,
    version_of,
)

if TYPE_CHECKING:
    import pyarrow

START = "started_at"
"""The column of the table that says on which day a call is."""
_BATCH = 8192
"""Rows in memory at a time."""


def read_calls(path: Target, columns: Mapping[str, str], zone: ZoneInfo) -> pyarrow.RecordBatchReader:
    """
    Return the calls of a landed file as a stream of Arrow batches, however large the file is.

    :param path: a Parquet file that :class:`AlloincognitoCallListOperator` landed.
    :param columns: column of the table to field of the landed rows. ``started_at`` has to be among them. A field that
        the file lacks is a column of nulls, as text.
    :param zone: the API's.
    :return: the column ``date``, the day of ``started_at`` in ``zone``, then ``columns`` in their order. Read it to its
        end, or close it.
    :raises AlloincognitoFormatError: if the file is not Parquet, or ``started_at`` is not a timestamp in it.
    :raises AlloincognitoTargetError: if the file is missing or cannot be read.
    :raises AlloincognitoMissingExtraError: if pyarrow is not installed.
    """
    if START not in columns:
        raise AlloincognitoFormatError(
            f"The columns have no {START!r}, so the calls' days are not known. Add it to FIELDS, with the field that "
            "says when a call started."
        )
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise AlloincognitoMissingExtraError("Reading Parquet", "parquet") from None

    file = _open(path)
    try:
        with _explained(path):
            # Pre-buffering would fetch the whole file before its first batch.
            parquet = pyarrow.parquet.ParquetFile(file, pre_buffer=False)
        landed = parquet.schema_arrow
        start = columns[START]
        if start not in landed.names or getattr(landed.field(start).type, "tz", None) is None:
            raise AlloincognitoFormatError(
                f"The field {start!r} of {address(path)} is missing or not a timestamp, so the calls' days are not "
                f"known. Name the right field in FIELDS, keep {START!r} in TYPES as 'timestamp', and land the calls "
                "again."
            )
    except BaseException:
        file.close()
        raise
    fields = [
        landed.field(field).with_name(column) if field in landed.names else pyarrow.field(column, pyarrow.string())
        for column, field in columns.items()
    ]
    schema = pyarrow.schema([pyarrow.field("date", pyarrow.date32()), *(field.remove_metadata() for field in fields)])
    batches = _batches(file, parquet, path, columns, schema, zone)
    next(batches)  # from now on it closes the file, also if nobody reads on
    return pyarrow.RecordBatchReader.from_batches(schema, batches)


def _batches(
    file: BinaryIO, parquet: Any, path: Target, columns: Mapping[str, str], schema: Any, zone: ZoneInfo
) -> Iterator[Any]:
    import pyarrow
    import pyarrow.compute

    there = [field for field in dict.fromkeys(columns.values()) if field in parquet.schema_arrow.names]
    with file, _explained(path):
        yield
        # Each thread would keep memory of its own.
        for batch in parquet.iter_batches(_BATCH, columns=there, use_threads=False):
            starts = batch.column(columns[START]).cast(pyarrow.timestamp("us", zone.key))
            days = pyarrow.compute.local_timestamp(starts).cast(pyarrow.date32(), safe=False)
            arrays = [
                batch.column(field) if field in there else pyarrow.nulls(batch.num_rows, pyarrow.string())
                for field in columns.values()
            ]
            yield pyarrow.RecordBatch.from_arrays([days, *arrays], schema=schema)


def read_recordings(manifest: Target | None, day: date) -> pyarrow.RecordBatchReader:
    """
    Return the lines of a manifest as a stream of Arrow batches. Without the recordings' ``file_NAME``, which may hold
    phone numbers.

    :param manifest: the file; None, or one that does not exist, has no lines.
    :param day: the column ``date``; of a longer period, its first day.
    :return: the columns ``date``, ``record_file_id``, ``path``, ``bytes``, ``sha256``, ``status`` and ``error``.
    :raises AlloincognitoTargetError: if the file cannot be read.
    :raises AlloincognitoMissingExtraError: if pyarrow is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise AlloincognitoMissingExtraError("Reading a manifest as Arrow", "parquet") from None

    text = pyarrow.string()
    schema = pyarrow.schema(
        {
            "date": pyarrow.date32(),
            "record_file_id": text,
            "path": text,
            "bytes": pyarrow.int64(),
            "sha256": text,
            "status": text,
            "error": text,
        }
    )

    def row(line: ManifestLine) -> dict[str, Any]:
        return {
            "date": day,
            "record_file_id": line.id,
            **{name: getattr(line, name) for name in schema.names if name not in ("date", "record_file_id")},
        }

    def batches() -> Iterator[Any]:
        lines = iter(()) if manifest is None else read_manifest(_place(manifest))
        while chunk := list(islice(lines, _BATCH)):
            yield pyarrow.RecordBatch.from_pylist([row(line) for line in chunk], schema=schema)

    return pyarrow.RecordBatchReader.from_batches(schema, batches())


def file_versions(*paths: Target | None) -> tuple[str | None, ...]:
    """
    Return a text for each landed file that changes when it is written again; None for one that does not exist.

    For loads into a warehouse without locks: a load that has replaced a day sees by it that the files have changed
    meanwhile, and loads them again.

    :param paths: the files; None stands for a file that does not exist.
    :raises AlloincognitoTargetError: if the store cannot be read.
    """
    return tuple(None if path is None else version_of(_place(path)) for path in paths)


def _open(path: Target) -> BinaryIO:
    path = _place(path)
    if not address(path).lower().endswith(".parquet"):
        raise AlloincognitoFormatError(
            f"{address(path)} is not a Parquet file, and only those are loaded. Let the output_path of the calls end "
            "in .parquet, and land them again."
        )
    try:
        with explain_local_errors(address(path), "read", FileNotFoundError):
            file: BinaryIO = open_for_reading(path)
            return file
    except FileNotFoundError:
        raise AlloincognitoTargetError(
            f"There is no file {address(path)}, so there is nothing to load. Land the calls of its period first: run "
            "the daily DAG for it."
        ) from None


def _place(path: Target) -> Target:
    """Return the path of a text: events have those of other stores as texts, too."""
    from airflow_provider_alloincognito.compat import ObjectStoragePath

    return ObjectStoragePath(path) if isinstance(path, str) else path


@contextmanager
def _explained(path: Target) -> Iterator[None]:
    """Raise pyarrow's errors as one that says what to do."""
    import pyarrow

    try:
        yield
    except pyarrow.ArrowException as error:
        raise AlloincognitoTargetError(
            f"Cannot read the calls in {address(path)} ({type(error).__name__}). The file is damaged or cut off: land "
            "the calls again by clearing their task, then run this one again."
        ) from error
