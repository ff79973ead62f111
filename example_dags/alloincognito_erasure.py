"""
### By hand: erase all calls and recordings of phone numbers

1. Have the numbers erased at AlloIncognito first: what its server still has, a landing of the same day brings back.
2. Pause the DAGs that land and load, and let their runs end.
3. Write the numbers to a file, one a line, that all workers can read, and trigger this DAG with the file's path. The
   numbers themselves belong in no field of the form: Airflow keeps what is written there.

Erases files, and rows of the tables `calls` and `recordings` in each warehouse, then deletes the file with the numbers.
What was erased is in the folder `erasures`, a file for each request, without the numbers.

Needs `alloincognito_daily_calls.py` and `alloincognito_retention.py` in the same folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from alloincognito_daily_calls import DIGEST_KEY, FIELDS, FILES, PROTECT, ZONE
from alloincognito_retention import WAREHOUSES, Warehouse, opened

from airflow_provider_alloincognito.compat import DAG, ObjectStoragePath, Param, task
from airflow_provider_alloincognito.scrubbing import without_locals

# The columns with phone numbers. If your rows have numbers in other fields, name those as well.
NUMBERS = ["caller", "called"]
# Whether numbers have landed as digests; True as well if they did so once.
HAS_DIGESTS = "digest" in PROTECT.values()
# Refused by the form that triggers a run: seven digits in a row.
NO_NUMBER = r"^(?!.*\d{7}).+$"


def match_of(params: dict[str, Any]) -> Any:
    """Read the numbers, in each task anew: they are in no XCom, no param and no log."""
    from airflow_provider_alloincognito.hooks.digest_key import read_digest_key
    from airflow_provider_alloincognito.landing.upkeep.number_match import NumberMatch
    from airflow_provider_alloincognito.operators.numbers import normalized_numbers

    key = read_digest_key(DIGEST_KEY) if HAS_DIGESTS else None
    return NumberMatch(normalized_numbers("numbers", params["numbers"]), key)


def trail_of(params: dict[str, Any]) -> Any:
    """Return the trail of the request."""
    from airflow_provider_alloincognito.landing.upkeep.trail import Trail

    return Trail(ObjectStoragePath(FILES), params["request"])


@task
@without_locals()  # which a log of errors may show
def erase_files(params: dict[str, Any]) -> dict[str, int]:
    """Erase rows, recordings and lines of manifests in files."""
    from airflow_provider_alloincognito.landing.layout import Layout
    from airflow_provider_alloincognito.landing.upkeep.erasure import erase

    match, trail, calls, recordings = match_of(params), trail_of(params), 0, 0
    fields, id_field = [FIELDS[column] for column in NUMBERS], FIELDS["record_file_id"]
    for erased in erase(Layout(FILES), match, fields, record_file_id_field=id_field):
        counts = {"calls": erased.calls, "recordings": erased.recordings}
        trail.add("files", erased.period, numbers=len(match.numbers), **counts)
        calls, recordings = calls + erased.calls, recordings + erased.recordings
    return {"calls": calls, "recordings": recordings}


@task
@without_locals()  # which a log of errors may show
def erase_rows(name: str, params: dict[str, Any]) -> dict[str, int]:
    """Erase rows of a warehouse."""
    match, trail, calls, recordings = match_of(params), trail_of(params), 0, 0
    counts = {}
    with opened(name) as warehouse:
        found = sorted(set(find(warehouse, match)))
        for day, rows in groupby(found, key=lambda row: row[0]):
            pairs = [(key, record_file_id) for _, key, record_file_id in rows]
            keys, ids = [key for key, _ in pairs], sorted({one for _, one in pairs if one})
            delete(warehouse, "recordings", "record_file_id", day, ids)
            delete(warehouse, "calls", "row_key", day, keys)
            counts[str(day)] = {"calls": len(keys), "recordings": len(ids)}
    if name == "duckdb":
        rewrite_duckdb()
    for day, of_day in counts.items():
        trail.add(name, day, numbers=len(match.numbers), **of_day)
        calls, recordings = calls + of_day["calls"], recordings + of_day["recordings"]
    return {"calls": calls, "recordings": recordings}


def find(warehouse: Warehouse, match: Any) -> Iterator[tuple[Any, str, str]]:
    """
    Yield day, key and recording of the calls of the numbers.

    The database gets only patterns of the last four digits, since it may log what it is asked. Which of the rows it
    finds are meant is decided here.
    """
    columns = ", ".join(NUMBERS)
    for pattern in match.patterns():
        condition = " OR ".join(f"{column} LIKE ?" for column in NUMBERS)
        sql = f"SELECT date, row_key, record_file_id, {columns} FROM calls WHERE {condition}"
        for day, key, record_file_id, *values in warehouse.read(sql, *[pattern] * len(NUMBERS)):
            if any(map(match.matches, values)):
                if not key:
                    raise ValueError(f"A row of {day} has no row_key to delete it by. Land and load the day again.")
                yield day, key, record_file_id or ""


def delete(warehouse: Warehouse, table: str, column: str, day: Any, keys: Sequence[str]) -> None:
    """Delete rows of a day by their keys."""
    for some in (keys[at : at + 500] for at in range(0, len(keys), 500)):
        condition = f"WHERE date = '{day}' AND {column} IN ({', '.join('?' * len(some))})"
        if warehouse.kind == "clickhouse":  # waits until the rows are in no part of the table
            warehouse.write(f"ALTER TABLE {table} DELETE {condition} SETTINGS mutations_sync = 2", *some)
        else:
            warehouse.write(f"DELETE FROM {table} {condition}", *some)


def rewrite_duckdb() -> None:
    """Copy the DuckDB file in its own place: it only marks the space of deleted rows as free."""
    from alloincognito_load_duckdb import WAREHOUSE, locked_warehouse

    copy = Path(f"{WAREHOUSE}.rewritten")
    with locked_warehouse() as db:
        copy.unlink(missing_ok=True)  # of a run that was killed
        db.execute("RESET memory_limit")  # indexes that you have added are made as a whole
        db.execute(f"ATTACH '{copy}' AS rewritten")
        db.execute("SELECT format('COPY FROM DATABASE \"{}\" TO rewritten', current_database())")
        [(statement,)] = db.fetchall()
        db.execute(statement)
        db.execute("DETACH rewritten")
        copy.replace(WAREHOUSE)


@task
def forget(params: dict[str, Any]) -> None:
    """Delete the file with the numbers."""
    ObjectStoragePath(params["numbers"]).unlink(missing_ok=True)


with DAG(
    dag_id="alloincognito_erasure",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    max_active_runs=1,
    params={
        "numbers": Param(
            type="string",
            pattern=NO_NUMBER,
            title="File with the numbers",
            description="A path such as file:///secure/numbers.txt, or in any storage. The file is deleted at the end.",
        ),
        "request": Param(
            type="string",
            pattern=NO_NUMBER,
            title="Request",
            description="The id of the request, such as DSR-2026-17, for the trail. Not the number.",
        ),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
) as dag:
    in_warehouses = [erase_rows.override(task_id=f"erase_rows_{one}")(one) for one in WAREHOUSES]
    for before, after in pairwise([erase_files(), *in_warehouses, forget()]):
        before >> after
