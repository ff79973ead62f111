"""
The provider's operators, in a task.

``python -m benchmarks.contenders.operator calls SERVER ROWS FORMAT DAYS FOLDER``, or
``... operator recordings SERVER BYTES COUNT CONCURRENCY FOLDER``.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from airflow_provider_alloincognito import compat
from airflow_provider_alloincognito.compat import ObjectStoragePath
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
)
from benchmarks.common.bodies import SCHEMA
from benchmarks.common.in_task import MakeOperator, run_in_task
from benchmarks.common.provider import connection_json, import_all, import_pyarrow


def calls(server: str, rows: str, suffix: str, days: str, folder: str) -> None:
    """Land a period of so many daily windows, each with as many rows."""
    import_pyarrow()
    make = partial(
        AlloincognitoCallListOperator,
        task_id="calls",
        output_path=f"file://{Path(folder).resolve()}/calls.{suffix}",
        period_start="2026-03-01 00:00:00",
        period_end=str(datetime(2026, 3, 1) + timedelta(days=int(days))),
        window=timedelta(days=1),
        schema=SCHEMA,
    )
    _run(connection_json(server, f"/rows/{rows}"), make)


def recordings(server: str, size: str, count: str, concurrency: str, folder: str) -> None:
    """Land so many recordings of one size."""
    make = partial(
        AlloincognitoRecordingOperator,
        task_id="recordings",
        output_path=f"file://{Path(folder).resolve()}",
        record_file_ids=[f"recording-{number}" for number in range(int(count))],
        concurrency=int(concurrency),
    )
    _run(connection_json(server, f"/recording/{size}"), make)


def _run(connection: str, make: MakeOperator) -> None:
    os.environ["AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT"] = connection
    import_all("api", "hooks", "landing", "operators")
    ObjectStoragePath("file:///").exists()  # imports the file systems of all providers
    for name in ("Connection", "get_hook_lineage_collector"):  # imported when they are first used
        getattr(compat, name)
    run_in_task(make)


if __name__ == "__main__":
    work, *arguments = sys.argv[1:]
    calls(*arguments) if work == "calls" else recordings(*arguments)
