"""
### The calls of the last year as one HTML page

Writes the page `REPORT` every morning, when the day before has been loaded: when people call, direction and outcome,
talk time, the busiest numbers as digests, recordings, and the days that are missing. The page loads nothing: it can be
opened from a disk, sent by mail, or put on any web server. For a page now, trigger the DAG.

Needs `alloincognito_daily_calls.py`, `alloincognito_load_duckdb.py`, `alloincognito_report.sql` and the folder
`alloincognito_report_page` beside it, and the package `plotly`.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.timetables.trigger import CronTriggerTimetable
from alloincognito_daily_calls import FILES, ZONE

from airflow_provider_alloincognito.compat import DAG, ObjectStoragePath, Param, task

# The page, in any storage that Airflow supports.
REPORT = os.environ.get("ALLOINCOGNITO_REPORT", f"{FILES}/report.html")
# "en" or "ru"; the form of a run by hand asks for it, too.
LANGUAGE = os.environ.get("ALLOINCOGNITO_REPORT_LANGUAGE", "en")
# What the values of the column direction mean. Others are shown as they are.
DIRECTIONS = {"1": "outgoing", "2": "incoming"}
SQL = Path(__file__).with_suffix(".sql")


@task
def report(params: dict[str, Any]) -> str:
    """Write the page, and return its path."""
    from alloincognito_report_page import make_page

    from airflow_provider_alloincognito.landing.stores import whole_file

    page = make_page(read_rows(), zone=ZONE, directions=DIRECTIONS, language=params["language"])
    with whole_file(ObjectStoragePath(REPORT)) as file:
        file.write(page.encode())
    return REPORT


def read_rows() -> dict[str, list[tuple[Any, ...]]]:
    """Run the queries, and return the rows of each by its name."""
    from alloincognito_load_duckdb import locked_warehouse

    _, *parts = re.split(r"^-- query: (\w+)$", SQL.read_text().format(zone=ZONE), flags=re.MULTILINE)
    rows = {}
    # For PostgreSQL: with closing(PostgresHook("postgres_default").get_cursor()) as db:
    with locked_warehouse() as db:
        for name, query in zip(parts[::2], parts[1::2], strict=True):
            db.execute(query)
            rows[name] = db.fetchall()
    return rows


with DAG(
    dag_id="alloincognito_report",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 6 * * *", timezone=ZONE),
    start_date=datetime(2020, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    max_active_runs=1,
    params={"language": Param(LANGUAGE, enum=["en", "ru"], title="Language")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
) as dag:
    report()
