"""Numbers in the whole chain with all warehouses at once: with digests they are in no table, file or output."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from chain import Chain
from dag_runs import StartSandbox
from traces import Part, Traces, files_in, keep_temporary_files
from warehouses import Warehouse

from airflow_provider_alloincognito.landing.rewriting.phone_numbers import digest
from airflow_provider_alloincognito.sandbox import Sandbox

pytestmark = [pytest.mark.long, pytest.mark.warehouse]

TODAY = datetime.now(ZoneInfo("Europe/Moscow")).date()
DAYS = [TODAY - timedelta(days=5), TODAY - timedelta(days=4)]
PAST_ITS_AGE = TODAY - timedelta(days=3 * 365 + 1)
KEY = "Zq7 the canary's key, 32 bytes.."
NAMES = {"duckdb": "duckdb", "postgres": "postgres_default", "clickhouse": "clickhouse_default"}
DIGESTS = '{"caller": "digest", "called": "digest"}'


def numbers_of(sandbox: Sandbox, *days: date) -> set[str]:
    return {number for day in days for number in sandbox.phone_numbers(day, day + timedelta(days=1))}


def tables_of(started: dict[str, Warehouse]) -> Iterator[Part]:
    """Yield each table of PostgreSQL and of ClickHouse's engine."""
    for name in ("postgres", "clickhouse"):
        for table in started[name].tables():
            yield f"{name}: {table}", str(rows_of(started[name], table)).encode()


def rows_of(warehouse: Warehouse, table: str) -> list[Any]:
    statement = f"SELECT * FROM {table} ORDER BY date, record_file_id, {'path' if table == 'recordings' else '2'}"
    if not table.startswith(("calls", "recordings")):
        statement = f"SELECT * FROM {table}"
    with closing(warehouse.connect()) as connection:
        if warehouse.name == "clickhouse":
            return list(connection.query(statement).result_rows)
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())


def without(rows: list[Any], *values: str) -> list[Any]:
    return [row for row in rows if not set(values) & set(row)]


@pytest.mark.parametrize("has_digests", [True, False])
def test_numbers_in_the_whole_chain(
    has_digests: bool,
    every_warehouse: dict[str, Warehouse],
    airflow_database: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    connected_sandbox: StartSandbox,
    capfd: pytest.CaptureFixture[str],
) -> None:
    variables = {"AIRFLOW_VAR_ALLOINCOGNITO_DIGEST_SECRET": KEY}
    variables["ALLOINCOGNITO_PROTECT"] = DIGESTS if has_digests else "{}"
    for name in ("postgres", "clickhouse"):
        every_warehouse[name].empty()
        variables.update(every_warehouse[name].variables)
    sandbox = connected_sandbox(seed=f"three warehouses {has_digests}", calls_per_day=40)
    keep_temporary_files(tmp_path / "kept", monkeypatch)
    chain = Chain(tmp_path, monkeypatch, NAMES, variables)
    chain.land(PAST_ITS_AGE, *DAYS)
    chain.load(PAST_ITS_AGE, *DAYS)
    sandbox.configure(changes=[{"day": str(DAYS[0]), "index": 6, "change": "longer"}])
    chain.reconcile(*DAYS)
    chain.load(DAYS[0])
    chain.run("retention")
    chain.run("report")
    numbers = numbers_of(sandbox, PAST_ITS_AGE, *DAYS)

    landed_as = (lambda number: digest(number, KEY.encode())) if has_digests else str
    ends = ("callerNumber", "calledNumber")
    calls = [(day, row) for day in DAYS for row in sandbox.truth(day, day + timedelta(days=1))]
    wanted = sorted((day, *(landed_as(row[end]) for end in ends)) for day, row in calls)
    before = {
        name: {table: rows_of(every_warehouse[name], table) for table in ("calls", "recordings")}
        for name in list(NAMES)[1:]
    }
    for tables in before.values():
        assert sorted((row[0], row[5], row[6]) for row in tables["calls"]) == wanted
    number = min(numbers_of(sandbox, DAYS[0]) & numbers_of(sandbox, DAYS[1]))
    gone = [row["recordFileId"] for _, row in calls if number in (row[ends[0]], row[ends[1]]) and row["recordFileId"]]
    chain.erase(f"+7 {number[1:4]} {number[4:]}")
    mark = landed_as(number)
    for name, tables in before.items():
        assert rows_of(every_warehouse[name], "calls") == without(tables["calls"], mark)
        assert rows_of(every_warehouse[name], "recordings") == without(tables["recordings"], *gone)
    chain.run("report")
    erased = Traces(texts=[mark])
    assert erased.places([*files_in(chain.files), *tables_of(every_warehouse)]) == set()

    shown = ("output", str(capfd.readouterr()).encode())
    home = list(files_in(Path(os.environ["AIRFLOW_HOME"])))
    places = Traces(numbers).places([*files_in(tmp_path), *home, *tables_of(every_warehouse), shown])
    places = {place for place in places if not place.endswith(" numbers.txt")}
    if has_digests:
        assert places == set()
        assert Traces(texts=[KEY]).places([*files_in(tmp_path), *home, *tables_of(every_warehouse), shown]) == set()
    else:  # the control: what is not found above would be found
        assert {"calls.duckdb: calls", "postgres: calls", "clickhouse: calls"} <= places
        assert not {"output", *(name for name, _ in home)} & places
