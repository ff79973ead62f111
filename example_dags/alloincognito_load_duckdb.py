"""
### What the daily DAG has landed, into a DuckDB file

Runs when `alloincognito_daily_calls` has landed a day, and replaces that day in the tables `calls` and `recordings`.
Loading a day again gives the same rows. To load days that landed before, trigger the DAG and fill in *Period start* and
*Period end*.

Needs `alloincognito_daily_calls.py` and `alloincognito_load_duckdb.sql` in the same folder.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from alloincognito_daily_calls import COLUMNS, FILES, HOME, ZONE

from airflow_provider_alloincognito.compat import DAG, task
from airflow_provider_alloincognito.loading import LandedPeriod, landed_periods, on_landed, without_rows
from airflow_provider_alloincognito.operators.period import period_params

# The DuckDB file.
WAREHOUSE = os.environ.get("ALLOINCOGNITO_WAREHOUSE", f"{HOME}/alloincognito.duckdb")
# DuckDB would take most of the machine's memory. What does not fit into this waits on disk.
MEMORY = "24MB"
SQL = Path(__file__).with_suffix(".sql")


@task(max_active_tis_per_dag=1)  # the others would only wait for the file's lock
def load(**context: Any) -> dict[str, int]:
    """Replace each period that has landed in the tables."""
    import pyarrow

    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # the default pool keeps what it has freed
    periods = landed_periods(context, FILES, ZONE)
    with locked_warehouse() as db:  # before a file is opened: the last one to load has the newest file
        return {"periods": len(periods), "rows": sum(replace(db, period) for period in periods)}


def locked_warehouse() -> Any:
    """Open the DuckDB file, which one process at a time can do. Wait while another one has it."""
    import duckdb
    import tenacity

    os.umask(0o077)  # the warehouse is for its owner alone, as the files are
    patiently = tenacity.Retrying(
        retry=tenacity.retry_if_exception_message(match=".*Could not set lock"),
        wait=tenacity.wait_random(0.2, 1),
        stop=tenacity.stop_after_delay(timedelta(minutes=10)),
        reraise=True,
    )
    config = {"memory_limit": MEMORY, "threads": 1, "preserve_insertion_order": False}
    return patiently(duckdb.connect, WAREHOUSE, config=config)


def replace(db: Any, period: LandedPeriod) -> int:
    """Replace a period's calls and recordings, all or nothing; return the number of calls."""
    from airflow_provider_alloincognito.landing.reading import read_calls, read_recordings

    last_day = (period.end - timedelta(microseconds=1)).date()
    values = {
        "period_start": period.start,
        "period_end": period.end,
        "first_day": period.start.date(),
        "last_day": last_day,
        "has_recordings": period.manifest is not None,
    }
    db.register("landed_calls", read_calls(period.calls, COLUMNS, ZoneInfo(ZONE)))
    db.register("landed_recordings", read_recordings(period.manifest, period.start.date()))
    db.begin()
    with without_rows():
        for statement in db.extract_statements(SQL.read_text()):
            db.execute(statement, {name: values[name] for name in statement.named_parameters})
    db.commit()
    ((rows,),) = db.execute(
        "SELECT count(*) FROM calls WHERE started_at >= ? AND started_at < ?", [period.start, period.end]
    ).fetchall()
    return int(rows)


with DAG(
    dag_id="alloincognito_load_duckdb",
    doc_md=__doc__,
    schedule=on_landed("alloincognito_daily_calls", "recordings"),
    start_date=datetime(2020, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    params=period_params(),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
    auto_register=False,  # alloincognito_stream.py, which imports names from here, would have this DAG as well
) as dag:
    load()
