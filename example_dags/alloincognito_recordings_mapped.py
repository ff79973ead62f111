"""
### A day's recordings, fetched by many workers at once

Needs the Connection `alloincognito_default`. Set the names of your server's fields in `FIELDS`.

The first task lists the day's calls that have a recording. Their ids are split into files (chunks) of some hundred
ids, and a mapped task fetches the recordings of each chunk. One manifest lists all recordings. All tasks, on all
workers, share one token pair. Running it again fetches only what is missing. To fetch another day, trigger the DAG
and fill in *Period start* and *Period end*.
"""

from __future__ import annotations

import json
import math
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_alloincognito.compat import DAG, ObjectStoragePath, task
from airflow_provider_alloincognito.landing.stores import whole_file
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
)
from airflow_provider_alloincognito.operators.period import period_params

# Name in this DAG: field of a row. Put your server's names on the right; its /docs page lists them.
FIELDS = {
    "started_at": "startTime",
    "record_file_id": "recordFileId",
}

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
# A folder for the files, such as s3://aws_default@bucket/alloincognito. All workers must be able to access it.
FILES = os.environ.get("ALLOINCOGNITO_FILES", f"file://{HOME}/alloincognito")
# Switched on, the DAG begins with yesterday. To have Airflow run it for all days since an earlier one first, name that
# day here, such as "2026-01-01".
FIRST_DAY = os.environ.get("ALLOINCOGNITO_FIRST_DAY")
# Some calls end after midnight, and recordings are available some time after their calls.
SETTLING_TIME = timedelta(hours=4)
# Recordings for each task. It then takes some minutes, so a worker that dies loses little.
CHUNK = 250
# Airflow maps a task at most 1,024 times ([core] max_map_length). On a day with more recordings, chunks get larger.
MOST_CHUNKS = 1000
# How many of these tasks run at a time, and how many recordings each fetches at a time.
TASKS_AT_A_TIME = 8
RECORDINGS_AT_A_TIME = 4

ZONE = "Europe/Moscow"


@task.sensor(mode="reschedule", poke_interval=600)
def settled(params: dict[str, Any], data_interval_end: datetime | None = None) -> bool:
    """Wait until the day's recordings are available. A run by hand for a period of its own does not wait."""
    if params["period_end"] or data_interval_end is None:
        return True
    return datetime.now(UTC) >= data_interval_end + SETTLING_TIME


@task
def chunks(calls: str) -> list[dict[str, str]]:
    """Write the ids to one file for each chunk; only the paths go through XCom."""
    import pyarrow.parquet

    field = FIELDS["record_file_id"]
    with ObjectStoragePath(calls).open("rb") as file:
        day = pyarrow.parquet.read_table(file)
    ids = [one for one in day[field].to_pylist() if one] if day.num_rows else []
    size = max(CHUNK, math.ceil(len(ids) / MOST_CHUNKS))
    wanted = []
    for number, start in enumerate(range(0, len(ids), size), start=1):
        chunk = f"{calls.rsplit('/', 1)[0]}/chunk-{number:04d}"
        with whole_file(ObjectStoragePath(f"{chunk}.jsonl")) as file:
            file.writelines(json.dumps({field: one}).encode() + b"\n" for one in ids[start : start + size])
        wanted.append({"calls": f"{chunk}.jsonl", "manifest_path": f"{chunk}.manifest.jsonl"})
    return wanted


@task(trigger_rule="none_failed")  # a day without recordings has no chunks, but a manifest
def manifest(wanted: list[dict[str, str]], calls: dict[str, Any]) -> dict[str, str | int]:
    """Join the chunks' manifests, in the order of the calls."""
    period = calls["path"].split("/")[-2]  # the name of the folder
    path = f"{FILES}/recordings/{period}/manifest.jsonl"
    recordings = 0
    with whole_file(ObjectStoragePath(path)) as file:
        for chunk in wanted:
            lines = ObjectStoragePath(chunk["manifest_path"]).read_bytes()
            file.write(lines)
            recordings += lines.count(b"\n")
    return {"manifest": path, "recordings": recordings}


with DAG(
    dag_id="alloincognito_recordings_mapped",
    doc_md=__doc__,
    # Not "@daily", which in Airflow 3 gives an empty data interval.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone=ZONE),
    start_date=datetime.fromisoformat(FIRST_DAY or "2026-01-01").replace(tzinfo=ZoneInfo(ZONE)),
    catchup=bool(FIRST_DAY),
    max_active_runs=1,
    params=period_params(),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
) as dag:
    calls = AlloincognitoCallListOperator(
        task_id="calls",
        output_path=f"{FILES}/recorded_calls/date={{{{ period }}}}/calls.parquet",
        is_call_record=True,
        required_fields=list(FIELDS.values()),
        start_time_field=FIELDS["started_at"],
    )
    wanted = chunks(calls.output["path"])
    recordings = AlloincognitoRecordingOperator.partial(
        task_id="recordings",
        record_file_id_field=FIELDS["record_file_id"],
        output_path=f"{FILES}/recordings/date={{{{ period }}}}",
        concurrency=RECORDINGS_AT_A_TIME,
        max_active_tis_per_dagrun=TASKS_AT_A_TIME,
    ).expand_kwargs(wanted)
    settled() >> calls
    recordings >> manifest(wanted, calls.output)
