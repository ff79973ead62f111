"""
### Every day: a day of calls and their recordings, landed in files

Needs the Connection `alloincognito_default`. Set the names of your server's fields in `FIELDS`.

A run covers one whole day, in the zone `ZONE`. Running it again gives the same files. To fetch another day, trigger the
DAG and fill in *Period start* and *Period end*.

Each run starts the DAGs that load the day into a warehouse, such as `alloincognito_load_duckdb`. `alarm` fails if none
of the day's recordings could be fetched.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_alloincognito.compat import DAG, AirflowFailException, task
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
)
from airflow_provider_alloincognito.operators.period import period_params

# Column of the table: field of a row. Put your server's names on the right: `airflow alloincognito discover --write`
# does it by the server's /docs page, `airflow alloincognito sample --write` by its rows. You may add columns, and
# remove those that your server has no field for, except started_at and record_file_id.
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

# The columns that identify a call: of one that changes later, the row is replaced. None of them: all its fields.
KEY = ["started_at", "caller", "called"]
# Columns whose phone numbers are replaced at landing: "digest" (the same number has the same digest) or "mask", such as
# {"caller": "digest", "called": "digest"}. The key of the digests is in this Variable, or in a connection://<id>.
PROTECT: dict[str, str] = json.loads(os.environ.get("ALLOINCOGNITO_PROTECT", "{}"))
DIGEST_KEY = os.environ.get("ALLOINCOGNITO_DIGEST_KEY", "variable://alloincognito_digest_secret")

# The tables of the warehouse: column, and the field of the landed file.
COLUMNS = {"row_key": "row_key", **FIELDS}

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
# A folder for the files, in any storage that Airflow supports, such as s3://aws_default@bucket/alloincognito.
FILES = os.environ.get("ALLOINCOGNITO_FILES", f"file://{HOME}/alloincognito")
# Switched on, the DAG begins with yesterday. To have Airflow run it for all days since an earlier one first, name that
# day here, such as "2026-01-01".
FIRST_DAY = os.environ.get("ALLOINCOGNITO_FIRST_DAY")
# Some calls end after midnight, and recordings are available some time after their calls.
SETTLING_TIME = timedelta(hours=4)

# Where the day begins at midnight: in the zone of the API's times, the Connection's setting timezone.
ZONE = "Europe/Moscow"


@task.sensor(mode="reschedule", poke_interval=600)
def settled(params: dict[str, Any], data_interval_end: datetime | None = None) -> bool:
    """Wait until the day's recordings are available. A run by hand for a period of its own does not wait."""
    if params["period_end"] or data_interval_end is None:
        return True
    return datetime.now(UTC) >= data_interval_end + SETTLING_TIME


@task
def alarm(landed: dict[str, Any]) -> None:
    """Fail if recordings were wanted and none could be fetched: few failures may be theirs, all are not."""
    if landed["failed"] and not landed["fetched"] + landed["skipped"]:
        raise AirflowFailException(
            f"None of the {landed['failed']:,} recordings could be fetched. The calls have landed, and are loaded all "
            f"the same. The reason of each recording is in the manifest, {landed['manifest']}. If it is the "
            "Connection, such as its record_file_path, set it right. Then clear the task recordings, which fetches "
            "them and has the day loaded again."
        )


with DAG(
    dag_id="alloincognito_daily_calls",
    doc_md=__doc__,
    # Not "@daily", which in Airflow 3 gives an empty data interval.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone=ZONE),
    start_date=datetime.fromisoformat(FIRST_DAY or "2026-01-01").replace(tzinfo=ZoneInfo(ZONE)),
    catchup=bool(FIRST_DAY),
    max_active_runs=3,
    params=period_params(),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
    # The DAG files that import names from this one would otherwise have this DAG as well.
    auto_register=False,
) as dag:
    calls = AlloincognitoCallListOperator(
        task_id="calls",
        output_path=f"{FILES}/calls/date={{{{ period }}}}/calls.parquet",
        schema={field: TYPES.get(column, "string") for column, field in FIELDS.items()},
        required_fields=list(FIELDS.values()),
        start_time_field=FIELDS["started_at"],
        row_key=COLUMNS["row_key"],
        row_key_fields=[FIELDS[column] for column in KEY if column in FIELDS],
        protect={FIELDS[column]: how for column, how in PROTECT.items()},
        digest_key=DIGEST_KEY,
        unknown_fields="drop" if PROTECT else "keep",  # they may hold numbers as well
    )
    recordings = AlloincognitoRecordingOperator(
        task_id="recordings",
        calls=calls.output,
        record_file_id_field=FIELDS["record_file_id"],
        output_path=f"{FILES}/recordings/date={{{{ period }}}}",
        keep_file_names=not PROTECT,
        # What could not be fetched is in the manifest, and keeps no call from the warehouse. See `alarm`.
        on_error="skip",
        # On Airflow 3.3, a run of the DAGs that load for each day.
        partition_by_day=True,
    )
    settled() >> calls
    alarm(recordings.output)
