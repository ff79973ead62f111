"""
Parquet out of a file of JSON lines, which the rows are written to before: ``... json_lines duckdb|polars URL FOLDER``.

Each with a schema, as it reads its own types, and with the provider's compression.
"""

from __future__ import annotations

import sys
from pathlib import Path

import requests

from benchmarks.common.bodies import SCHEMA
from benchmarks.common.stopwatch import measured


def with_duckdb(lines: Path, parquet: Path) -> None:
    """Convert by one statement."""
    import duckdb  # only its own environment has it

    types = {"string": "VARCHAR", "int64": "BIGINT", "bool": "BOOLEAN", "timestamp": "TIMESTAMP"}
    columns = {column: types[type_name] for column, type_name in SCHEMA.items()}
    with measured(), duckdb.connect() as connection:
        connection.execute(
            f"COPY (FROM read_json('{lines}', format = 'newline_delimited', columns = {columns})) "
            f"TO '{parquet}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )


def with_polars(lines: Path, parquet: Path) -> None:
    """Convert by a lazy frame, which is streamed."""
    import polars  # only its own environment has it

    types = {"string": polars.String, "int64": polars.Int64, "bool": polars.Boolean, "timestamp": polars.String}
    schema = {column: types[type_name] for column, type_name in SCHEMA.items()}
    times = [column for column, type_name in SCHEMA.items() if type_name == "timestamp"]
    with measured():
        frame = polars.scan_ndjson(lines, schema=schema)
        frame = frame.with_columns(polars.col(times).str.to_datetime("%Y-%m-%d %H:%M:%S"))
        frame.sink_parquet(parquet, compression="zstd", compression_level=1)


def write_lines(url: str, path: Path) -> None:
    """Write the rows of a call list of ``bodies.py``, in which nothing is nested."""
    body = requests.get(url).content
    start = body.index(b'"rowset":[') + len(b'"rowset":[')
    path.write_bytes(body[start : body.rindex(b"]")].replace(b"},{", b"}\n{") + b"\n")


def main(work: str, url: str, folder: str) -> None:
    """Do the work with this name."""
    lines = Path(folder).parent / "rows.ndjson"
    write_lines(url, lines)
    {"duckdb": with_duckdb, "polars": with_polars}[work](lines, Path(folder, "calls.parquet"))


if __name__ == "__main__":
    main(*sys.argv[1:])
