"""
### Load landed calls into PostgreSQL

Runs when `alloincognito_daily_calls` has landed a period, and replaces that period in the tables `calls` and
`recordings`, in one transaction. To load what has landed before, trigger it and fill in *Period start* and *Period
end*.

Needs the provider `apache-airflow-providers-postgres` and the Connection `postgres_default`. The tables are in the
`.sql` file beside this one.
"""

from __future__ import annotations

import io
import re
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from alloincognito_daily_calls import COLUMNS, FILES, ZONE

from airflow_provider_alloincognito.compat import DAG, task
from airflow_provider_alloincognito.loading import LandedPeriod, landed_periods, on_landed, without_rows
from airflow_provider_alloincognito.operators.period import period_params

if TYPE_CHECKING:
    import pyarrow

CONNECTION = "postgres_default"


@task
def load(**context: Any) -> dict[str, int]:
    """Replace each landed period in the tables."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    hook = PostgresHook(CONNECTION)
    periods = landed_periods(context, FILES, ZONE)
    return {"periods": len(periods), "rows": sum(replace(hook, period) for period in periods)}


def replace(hook: Any, period: LandedPeriod) -> int:
    """Replace a period, and return the number of its calls."""
    from airflow_provider_alloincognito.landing.reading import read_calls, read_recordings

    sql = Path(__file__).with_suffix(".sql").read_text()
    _, tables, delete_calls, delete_recordings, insert_recordings = re.split(r"^-- \w+: .*$", sql, flags=re.MULTILINE)
    days = {"first_day": period.start.date(), "last_day": (period.end - timedelta(microseconds=1)).date()}
    ends = {"start": period.start, "end": period.end, **days}
    with closing(hook.get_conn()) as connection, connection.cursor() as cursor:
        month = days["first_day"].replace(day=1)
        while month <= days["last_day"]:
            next_month = (month + timedelta(days=31)).replace(day=1)
            cursor.execute(tables.format(month=month, next_month=next_month))
            connection.commit()
            month = next_month
        cursor.execute(delete_calls.format(**ends))
        if period.manifest:
            cursor.execute(delete_recordings.format(**days))
        # The files are opened under the lock: of two loads at once, the later one reads the newer files.
        rows = copy(cursor, "calls", read_calls(period.calls, COLUMNS, ZoneInfo(ZONE)))
        if period.manifest:
            copy(cursor, "landed_recordings", read_recordings(period.manifest, days["first_day"]))
            cursor.execute(insert_recordings.format(**ends))
        connection.commit()
    return rows


def copy(cursor: Any, table: str, batches: pyarrow.RecordBatchReader) -> int:
    """Append batches to a table, and return the number of their rows."""
    import pyarrow.csv

    columns = ", ".join(f'"{name}"' for name in batches.schema.names)
    statement = f"COPY {table} ({columns}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')"
    rows = 0
    for batch in batches:
        file = io.BytesIO()
        pyarrow.csv.write_csv(batch, file, pyarrow.csv.WriteOptions(include_header=False))
        # PostgreSQL's texts cannot hold the character NUL: U+FFFD takes its place.
        lines = file.getvalue().replace(b"\0", "\ufffd".encode())
        with without_rows():
            if hasattr(cursor, "copy"):  # psycopg 3
                with cursor.copy(statement) as stream:
                    stream.write(lines)
            else:  # psycopg2
                cursor.copy_expert(statement, io.BytesIO(lines))
        rows += batch.num_rows
    return rows


with DAG(
    dag_id="alloincognito_load_postgres",
    doc_md=__doc__,
    schedule=on_landed("alloincognito_daily_calls", "recordings"),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    params=period_params(),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
) as dag:
    load()
