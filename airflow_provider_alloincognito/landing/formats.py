"""Which format a file of rows has, from what the user says or from its suffix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from airflow_provider_alloincognito.landing.compression import Compression
from airflow_provider_alloincognito.landing.errors import AlloincognitoFormatError

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
