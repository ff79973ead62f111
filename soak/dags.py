"""
The DAGs of the soak; Airflow reads this file. A run covers the day of its data interval, Moscow time.

Many tries fail here, by faults of the API and by SIGKILL: hence many retries with short delays.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_alloincognito.compat import DAG, ObjectStoragePath, task
from airflow_provider_alloincognito.landing.stores import whole_file
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

DATE = "{{ data_interval_start.in_timezone('Europe/Moscow').to_date_string() }}"
FOLDER = f"file://{os.environ['SOAK_FILES']}/{{{{ dag.dag_id }}}}/{DATE}"
CALLS = f"{FOLDER}/calls.jsonl"
CHUNK = 12
SENSORS: dict[str, dict[str, Any]] = {
    "deferred": {"deferrable": True, "poke_interval": 3},
    "poked": {"mode": "poke", "poke_interval": 3},
    # The scheduler is surprised by a task that it has rescheduled and sees again a few seconds later.
    "rescheduled": {"mode": "reschedule", "poke_interval": 10},
}


def soak_dag(dag_id: str) -> DAG:
    """Return an empty DAG whose runs are triggered from outside."""
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2024, 12, 1),
        is_paused_upon_creation=False,
        default_args={"retries": 6, "retry_delay": timedelta(seconds=3)},
    )


with soak_dag("daily"):
    calls = AlloincognitoCallListOperator(task_id="calls", output_path=CALLS, poll_interval=2)
    calls >> AlloincognitoRecordingOperator(task_id="recordings", calls=CALLS, output_path=f"{FOLDER}/recordings")

with soak_dag("windows"):
    AlloincognitoCallListOperator(
        task_id="calls",
        output_path=f"{FOLDER}/calls.parquet",
        window=timedelta(hours=4),
        start_time_field="startTime",
        deferrable=True,
        poll_interval=2,
    )

with soak_dag("waiting"):
    ask = AlloincognitoCallListOperator(task_id="ask", output_path=None, poll_interval=2)
    request_hash = "{{ ti.xcom_pull('ask')['request_hashes'][0] }}"
    sensors = [
        AlloincognitoRequestResultSensor(task_id=name, request_hash=request_hash, **arguments)
        for name, arguments in SENSORS.items()
    ]
    result = AlloincognitoRequestResultOperator(
        task_id="result",
        request_hash=request_hash,
        output_path=f"{FOLDER}/calls.jsonl.gz",
        deferrable=True,
        poll_interval=2,
    )
    ask >> [*sensors, result]

with soak_dag("mapped"):

    @task
    def chunks(path: str) -> list[dict[str, str]]:
        """Write the ids to one file for each chunk."""
        rows = map(json.loads, ObjectStoragePath(path).read_bytes().splitlines())
        ids = [row["recordFileId"] for row in rows]
        wanted = []
        for number, start in enumerate(range(0, len(ids), CHUNK)):
            chunk = path.replace("calls.jsonl", f"chunk-{number}")
            with whole_file(ObjectStoragePath(f"{chunk}.jsonl")) as file:
                file.writelines(
                    json.dumps({"recordFileId": one}).encode() + b"\n" for one in ids[start : start + CHUNK]
                )
            wanted.append({"calls": f"{chunk}.jsonl", "manifest_path": f"{chunk}.manifest.jsonl"})
        return wanted

    recorded = AlloincognitoCallListOperator(
        task_id="calls", output_path=CALLS, is_call_record=True, deferrable=True, poll_interval=2
    )
    wanted = chunks(CALLS)
    recorded >> wanted
    AlloincognitoRecordingOperator.partial(
        task_id="recordings", output_path=f"{FOLDER}/recordings", concurrency=2
    ).expand_kwargs(wanted)
