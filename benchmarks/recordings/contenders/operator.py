"""The provider's operator in a task: ``... operator STAND BYTES COUNT CONCURRENCY FOLDER``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoRecordingOperator
from benchmarks.common.in_task import run_in_task
from benchmarks.common.provider import connection_to


def main(stand: str, size: str, count: str, concurrency: str, folder: str) -> None:
    """Land so many recordings of one size."""
    os.environ["AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT"] = connection_to(stand, f"/recording/{size}")
    path = ObjectStoragePath(f"file://{Path(folder).resolve()}")
    path.exists()  # imports the file systems of all providers
    run_in_task(
        lambda start, stop: AlloincognitoRecordingOperator(
            task_id="recordings",
            output_path=str(path),
            record_file_ids=[f"recording-{number}" for number in range(int(count))],
            concurrency=int(concurrency),
            pre_execute=start,
            post_execute=stop,
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
