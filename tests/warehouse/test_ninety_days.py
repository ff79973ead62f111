"""
Ninety days under a real scheduler, amid killed tasks and a token pair that lives a minute, into every warehouse.

``WAREHOUSE_DAYS=3`` tries it with fewer days.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.parquet
import pytest
import requests
from deployed import DAILY, LOADS, Deployed, deployed

from airflow_provider_alloincognito.sandbox import Sandbox, SandboxSettings
from services.sandbox import running_sandbox
from services.task_killer import TaskKiller

pytestmark = [pytest.mark.long, pytest.mark.warehouse]

DAYS = int(os.environ.get("WAREHOUSE_DAYS", "90"))
# A few days already reach into another month.
FIRST_DAY = date(2025, 12, 30)
ALL_DAYS = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
MOSCOW = ZoneInfo("Europe/Moscow")
SANDBOX = {
    "seed": "ninety days",
    "calls_per_day": 40,
    "recording_bytes": [700, 7000],
    "access_lifetime": 60,
    "refresh_lifetime": 75,
    # With an inclusive period_end a call at midnight is listed in two days, and landed in one.
    "period_end": "inclusive",
}
BETWEEN_KILLS = 20.0
LONGEST = 300.0 + 40.0 * DAYS
CALLS = pyarrow.schema(
    {
        "date": pyarrow.date32(),
        "call_id": pyarrow.string(),
        "started_at": pyarrow.timestamp("us", "UTC"),
        "direction": pyarrow.string(),
        "caller": pyarrow.string(),
        "called": pyarrow.string(),
        "talk_seconds": pyarrow.int64(),
        "record_file_id": pyarrow.string(),
    }
)
RECORDINGS = pyarrow.schema(
    {
        "date": pyarrow.date32(),
        "record_file_id": pyarrow.string(),
        "path": pyarrow.string(),
        "bytes": pyarrow.int64(),
        "sha256": pyarrow.string(),
        "error": pyarrow.string(),
    }
)
KEYS = pyarrow.schema({"date": pyarrow.date32(), "row_key": pyarrow.string()})
Rows = list[dict[str, Any]]


def test_ninety_days(tmp_path: Path) -> None:
    truth = Sandbox(SandboxSettings.of(SANDBOX))
    with running_sandbox(SANDBOX) as sandbox, deployed(tmp_path, sandbox, FIRST_DAY, ALL_DAYS[-1]) as deployment:
        killer = TaskKiller(deployment.airflow.pid)
        for dag_id in [*LOADS, DAILY]:  # a load learns only of what lands while it is not paused
            deployment.unpause(dag_id)
        began = time.monotonic()
        _wait_amid_kills(deployment, killer)
        minutes = (time.monotonic() - began) / 60
        killed = deployment.tasks(killer.killed)
        pairs = len(requests.get(f"{sandbox.url}/_sandbox/rotations", timeout=30).json())
        print(f"\n{DAYS} days in {minutes:.1f} minutes; {pairs} pairs were made; killed: {dict(killed)}")
        for dag_id in LOADS:
            print(f"{dag_id}: {deployment.runs(dag_id).total()} runs")

        assert pairs >= DAYS / 15, "the pair did not expire"
        assert killed.total() >= minutes / 2
        differences = [one for day in ALL_DAYS for one in _differences_of_files(deployment.files, day, truth)]
        assert differences == []
        calls, recordings = _calls(truth), _recordings(deployment.files, truth)
        for warehouse in deployment.warehouses:
            assert _sorted(warehouse.read("calls", CALLS).to_pylist()) == calls, warehouse.name
            assert _sorted(warehouse.read("recordings", RECORDINGS).to_pylist()) == recordings, warehouse.name
            keys = warehouse.read("calls", KEYS)
            assert len({*keys["row_key"].to_pylist()} - {None}) == len(calls), warehouse.name


def _wait_amid_kills(deployment: Deployed, killer: TaskKiller) -> None:
    """Kill a task now and then, until every day has landed and every event has been loaded."""
    give_up = time.monotonic() + LONGEST
    next_kill = time.monotonic() + BETWEEN_KILLS
    while not _all_is_done(deployment):
        assert time.monotonic() < give_up, {dag_id: deployment.runs(dag_id) for dag_id in [DAILY, *LOADS]}
        if time.monotonic() >= next_kill:
            killer.kill_one()
            next_kill += BETWEEN_KILLS
        time.sleep(1)


def _all_is_done(deployment: Deployed) -> bool:
    daily = deployment.runs(DAILY)
    assert not daily["failed"]
    # In this order: the last day's event waits for a run before the day's own run ends.
    if daily["success"] < DAYS or deployment.events_that_wait():
        return False
    loads = [deployment.runs(dag_id) for dag_id in LOADS]
    assert not any(runs["failed"] for runs in loads), loads
    return all(runs and set(runs) == {"success"} for runs in loads)


def _differences_of_files(files: Path, day: date, truth: Sandbox) -> Iterator[str]:
    """Yield what of a day's files is not as it should be."""
    wanted = _truth_of(day, truth)
    with (files / f"calls/date={day}/calls.parquet").open("rb") as file:
        landed = pyarrow.parquet.read_table(file).to_pylist()
    if [_as_in_table(row) for row in landed] != [_as_in_table(row) for row in wanted]:
        yield f"{day}: calls"
    folder = files / f"recordings/date={day}"
    ids = {row["recordFileId"] for row in wanted if row["recordFileId"]}
    there = {path.stem: path for path in folder.glob("*.mp3")}
    yield from (f"{day}: recording {one}" for one in ids ^ set(there))
    for one in ids & set(there):
        if there[one].read_bytes() != truth.recording(one):
            yield f"{day}: content of {one}"
    # What a killed task left of a file goes when the file is written again.
    yield from (f"{day}: left behind {path.name}" for path in files.glob(f"*/date={day}/.*"))


def _calls(truth: Sandbox) -> Rows:
    """Return what the table of calls is to hold."""
    return _sorted([{"date": day, **_as_in_table(row)} for day in ALL_DAYS for row in _truth_of(day, truth)])


def _recordings(files: Path, truth: Sandbox) -> Rows:
    """Return what the table of recordings is to hold, but for its status: a killed task fetches some of them twice."""
    rows = []
    for day in ALL_DAYS:
        folder = f"file://{files}/recordings/date={day}"
        for one in {row["recordFileId"] for row in _truth_of(day, truth)} - {None}:
            content = truth.recording(one)
            found = {"date": day, "record_file_id": one, "path": f"{folder}/{one}.mp3", "bytes": len(content)}
            rows.append({**found, "sha256": hashlib.sha256(content).hexdigest(), "error": None})
    return _sorted(rows)


def _truth_of(day: date, truth: Sandbox) -> Rows:
    return truth.truth(str(day), str(day + timedelta(days=1)))


def _as_in_table(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the sandbox, or of a landed file, with the table's names and types."""
    start = row["startTime"]
    if isinstance(start, str):
        start = datetime.fromisoformat(start).replace(tzinfo=MOSCOW)
    return {
        "call_id": str(row["callId"]),
        "started_at": start.astimezone(UTC),
        "direction": str(row["direction"]),
        "caller": row["callerNumber"],
        "called": row["calledNumber"],
        "talk_seconds": row["duration"],
        "record_file_id": row["recordFileId"],
    }


def _sorted(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: list(row.values())[:2])
