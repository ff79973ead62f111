"""
### Every day: delete calls and recordings that are past their age

Deletes files, and rows of the tables `calls` and `recordings` in each warehouse, oldest first. Set the ages below, and
the warehouses that you load into. What has been deleted is gone: switch the DAG on when the ages are agreed on.

Needs `alloincognito_daily_calls.py` in the same folder, and `alloincognito_load_duckdb.py` if you use it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from airflow.timetables.trigger import CronTriggerTimetable
from alloincognito_daily_calls import FILES, ZONE

from airflow_provider_alloincognito.compat import DAG, BaseHook, task

# So many days are kept: rows of calls, and the recorded voices, usually for a shorter time.
CALLS_DAYS = 3 * 365
RECORDINGS_DAYS = 180
# The ids of the Connections of your warehouses, PostgreSQL or ClickHouse. "duckdb" is the file of
# alloincognito_load_duckdb.
WAREHOUSES = json.loads(os.environ.get("ALLOINCOGNITO_WAREHOUSES", '["duckdb"]'))

# Whether a table is there: 1 or 0.
EXISTS = {
    "duckdb": "SELECT count(*) FROM information_schema.tables WHERE table_name = '{table}'",
    "postgres": "SELECT count(to_regclass('{table}'))",
    "clickhouse": "EXISTS TABLE {table}",
}
# PostgreSQL: the partitions of a table, and the day on which each ends.
PARTITIONS = """
SELECT child.oid::regclass::text, substring(pg_get_expr(child.relpartbound, child.oid) FROM 'TO \\(''([0-9-]+)''\\)')
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid WHERE inhparent = to_regclass('{table}')
"""


class Warehouse(NamedTuple):
    """An open warehouse: its Connection's type, a cursor, and what stands for a parameter in its SQL."""

    kind: str
    cursor: Any
    placeholder: str = "%s"

    def read(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return rows. By a cursor: Airflow's hooks log SQL and parameters."""
        self.write(sql, *values)
        return list(self.cursor.fetchall())

    def write(self, sql: str, *values: Any) -> None:
        """Run a statement with parameters, each a ``?``."""
        self.cursor.execute(sql.replace("?", self.placeholder), values)


@contextmanager
def opened(name: str) -> Iterator[Warehouse]:
    """Open a warehouse. All that is written is committed at the end of the ``with``, or after an error not at all."""
    if name == "duckdb":
        from alloincognito_load_duckdb import locked_warehouse

        with locked_warehouse() as connection:
            connection.begin()
            yield Warehouse("duckdb", connection, "?")
            connection.commit()
            connection.execute("CHECKPOINT")  # else the log beside the file keeps the rows
        return
    hook: Any = BaseHook.get_hook(name)
    with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
        warehouse = Warehouse(hook.conn_type, cursor)
        if warehouse.kind == "postgres":  # waits for the lock of alloincognito_load_postgres: no load is under way
            warehouse.write("SELECT pg_advisory_xact_lock(hashtext('alloincognito'))")
        yield warehouse
        connection.commit()


def first_day_kept(days: int) -> date:
    """Return the oldest day that is not past its age."""
    return datetime.now(ZoneInfo(ZONE)).date() - timedelta(days=days)


@task
def delete_files() -> dict[str, Any]:
    """Delete files."""
    from airflow_provider_alloincognito.landing.layout import Layout
    from airflow_provider_alloincognito.landing.upkeep.retention import delete_calls, delete_recordings

    layout = Layout(FILES)
    recordings = delete_recordings(layout, first_day_kept(RECORDINGS_DAYS))
    return {"recordings": asdict(recordings), "calls": asdict(delete_calls(layout, first_day_kept(CALLS_DAYS)))}


@task
def delete_rows(name: str) -> dict[str, int]:
    """Delete rows of a warehouse."""
    ages = {"calls": CALLS_DAYS, "recordings": RECORDINGS_DAYS}
    with opened(name) as warehouse:
        return {table: delete_old(warehouse, table, first_day_kept(days)) for table, days in ages.items()}


def delete_old(warehouse: Warehouse, table: str, before: date) -> int:
    """Delete the rows of a table from before a day, and return how many they were."""
    ((exists,),) = warehouse.read(EXISTS[warehouse.kind].format(table=table))
    if not exists:  # nothing has been loaded so far
        return 0
    old = f"{table} WHERE date < '{before}'"
    ((rows,),) = warehouse.read(f"SELECT count(*) FROM {old}")
    if warehouse.kind == "clickhouse":  # a day is a partition
        for (day,) in warehouse.read(f"SELECT DISTINCT date FROM {old} ORDER BY date"):
            warehouse.write(f"ALTER TABLE {table} DROP PARTITION '{day}'")
        return int(rows)
    if warehouse.kind == "postgres":
        for partition, end in warehouse.read(PARTITIONS.format(table=table)):
            if end and end <= str(before):
                warehouse.write(f"DROP TABLE {partition}")
    warehouse.write(f"DELETE FROM {old}")
    return int(rows)


with DAG(
    dag_id="alloincognito_retention",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 5 * * *", timezone=ZONE),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
    # alloincognito_erasure imports names from this file, and would otherwise have this DAG as well.
    auto_register=False,
) as dag:
    delete_files()
    for one in WAREHOUSES:
        delete_rows.override(task_id=f"delete_rows_{one}")(one)
