"""
### Submit a request now, fetch the result when it is ready

The first task requests the call list and keeps only its `requestHash`. A sensor waits for the result without occupying
a worker; then the result is written to a file. For long periods, and for servers that need long for a call list.

Needs the Connection `alloincognito_default`. A run covers the month before its date. To fetch another period, trigger
the DAG and fill in *Period start* and *Period end*.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_alloincognito.compat import DAG
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.operators.period import period_params
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
# A folder for the files, in any storage that Airflow supports, such as s3://aws_default@bucket/alloincognito.
FILES = os.environ.get("ALLOINCOGNITO_FILES", f"file://{HOME}/alloincognito")

ZONE = "Europe/Moscow"

with DAG(
    dag_id="alloincognito_request_result",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 0 1 * *", timezone=ZONE),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    params=period_params(),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
) as dag:
    ask = AlloincognitoCallListOperator(task_id="ask", output_path=None)
    ready = AlloincognitoRequestResultSensor(
        task_id="ready", request_hash=ask.output, mode="reschedule", poke_interval=60, timeout=6 * 3600
    )
    land = AlloincognitoRequestResultOperator(
        task_id="land",
        request_hash=ask.output,
        output_path=f"{FILES}/months/{{{{ period }}}}.jsonl.gz",
    )
    ready >> land
