"""
### Every day: a day of calls and their recordings, into the warehouse

Needs the Connection `alloincognito_default`. Set the names of your server's fields in `FIELDS`.

A run covers one whole day, Moscow time. Running it again gives the same rows, in the files and in the table.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_alloincognito.compat import DAG, ObjectStoragePath, task
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
)

# Column of the table: field of a row. Put your server's names on the right; its /docs page lists them. You may add
# columns, and remove those that your server has no field for, except started_at and record_file_id.
FIELDS = {
    "call_id": "callId",
    "started_at": "startTime",
    "direction": "direction",
    "caller": "callerNumber",
    "called": "calledNumber",
    "talk_seconds": "duration",
    "record_file_id": "recordFileId",
}
# The types of columns that are not text.
TYPES = {"started_at": "timestamp", "talk_seconds": "int64"}

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
# A folder for the files, in any storage that Airflow supports, such as s3://aws_default@bucket/alloincognito.
FILES = os.environ.get("ALLOINCOGNITO_FILES", f"file://{HOME}/alloincognito")
# The DuckDB file. For another warehouse, change load() below.
WAREHOUSE = os.environ.get("ALLOINCOGNITO_WAREHOUSE", f"{HOME}/alloincognito.duckdb")
# The first day to fetch. When you switch the DAG on, Airflow runs it for each day from here.
FIRST_DAY = os.environ.get("ALLOINCOGNITO_FIRST_DAY", "2026-01-01")
# Some calls end after midnight, and recordings are available some time after their calls.
SETTLING_TIME = timedelta(hours=4)

ZONE = "Europe/Moscow"
DATE = f"{{{{ data_interval_start.in_timezone('{ZONE}').to_date_string() if data_interval_start }}}}"
CALLS = f"{FILES}/calls/date={DATE}/calls.parquet"


@task(max_active_tis_per_dag=1)  # a DuckDB file has one writer at a time
def load(date: str, calls: str, manifest: str, warehouse: str) -> dict[str, str | int]:
    """Replace a day's calls in the table."""
    import duckdb
    import pyarrow.parquet

    with ObjectStoragePath(calls).open("rb") as file:
        day = pyarrow.parquet.read_table(file).select(list(FIELDS.values())).rename_columns(list(FIELDS))
    lines = map(json.loads, ObjectStoragePath(manifest).read_bytes().splitlines())
    paths = {line["id"]: line["path"] for line in lines}
    recordings = [paths.get(record_file_id) for record_file_id in day["record_file_id"].to_pylist()]
    day = day.append_column("recording", pyarrow.array(recordings, pyarrow.string()))

    os.umask(0o077)  # the warehouse is for its owner alone, as the files are
    with duckdb.connect(warehouse) as db:
        db.register("day", day)
        db.begin()
        db.execute("CREATE TABLE IF NOT EXISTS calls AS SELECT CAST(NULL AS DATE) AS date, * FROM day LIMIT 0")
        db.execute("DELETE FROM calls WHERE date = ?", [date])
        db.execute("INSERT INTO calls BY NAME SELECT CAST(? AS DATE) AS date, * FROM day", [date])
        db.commit()
    return {"date": date, "rows": day.num_rows}


with DAG(
    dag_id="alloincognito_daily_calls",
    doc_md=__doc__,
    # Not "@daily", which in Airflow 3 gives an empty data interval.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone=ZONE),
    start_date=datetime.fromisoformat(FIRST_DAY).replace(tzinfo=ZoneInfo(ZONE)),
    catchup=True,
    max_active_runs=3,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
) as dag:
    settled = TimeDeltaSensor(task_id="settled", delta=SETTLING_TIME, mode="reschedule", poke_interval=600)
    calls = AlloincognitoCallListOperator(
        task_id="calls",
        output_path=CALLS,
        schema={field: TYPES.get(column, "string") for column, field in FIELDS.items()},
        required_fields=list(FIELDS.values()),
        start_time_field=FIELDS["started_at"],
    )
    recordings = AlloincognitoRecordingOperator(
        task_id="recordings",
        calls=CALLS,
        record_file_id_field=FIELDS["record_file_id"],
        output_path=f"{FILES}/recordings/date={DATE}",
    )
    settled >> calls >> recordings >> load(DATE, CALLS, "{{ ti.xcom_pull('recordings')['manifest'] }}", WAREHOUSE)
