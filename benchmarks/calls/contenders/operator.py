"""The provider's operator in a task: ``... operator STAND ROWS FORMAT DAYS FOLDER``."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.compute
import pyarrow.json
import pyarrow.parquet  # noqa: F401 - imported on first use, which is not to be measured
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator
from benchmarks.common.bodies import SCHEMA
from benchmarks.common.in_task import run_in_task
from benchmarks.common.provider import connection_to


def main(stand: str, rows: str, suffix: str, days: str, folder: str) -> None:
    """Land a period of so many daily windows, each with as many rows."""
    os.environ["AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT"] = connection_to(stand, f"/rows/{rows}")
    path = ObjectStoragePath(f"file://{Path(folder).resolve()}/calls.{suffix}")
    path.exists()  # imports the file systems of all providers
    run_in_task(
        lambda start, stop: AlloincognitoCallListOperator(
            task_id="calls",
            output_path=str(path),
            period_start="2026-03-01 00:00:00",
            period_end=str(datetime(2026, 3, 1) + timedelta(days=int(days))),
            window=timedelta(days=1),
            schema=SCHEMA,
            pre_execute=start,
            post_execute=stop,
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
