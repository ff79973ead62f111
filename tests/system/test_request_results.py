"""The example DAG on a request's result, in the sensor's three modes, and users who end a wait by hand."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_alloincognito.sandbox import Sandbox
from services.standalone import EXAMPLES, Standalone, Standalone2

MOSCOW = ZoneInfo("Europe/Moscow")
EXAMPLE = "alloincognito_request_result"
ARGUMENTS = 'mode="reschedule", poke_interval=60'
MODES = {
    "poke": 'mode="poke", poke_interval=2',
    # Shorter, Airflow may queue the task again before it knows that its process has ended, and fails it.
    "reschedule": 'mode="reschedule", poke_interval=10',
    "deferrable": "deferrable=True, poke_interval=2",
}
BY_HASH = "getrequestresultbyhash"
ENDED_BY_HAND = """
import os
from datetime import datetime

from airflow_provider_alloincognito.compat import DAG
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

HASH = {"request_hash": "{{ ti.xcom_pull('ask')['request_hashes'][0] }}"}
PATH = f"file://{os.environ['AIRFLOW_HOME']}/ended/calls.jsonl"

with DAG("ended_by_hand", schedule=None, start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):
    AlloincognitoCallListOperator(task_id="ask", period_start="2026-03-03", period_end="2026-03-04") >> [
        AlloincognitoRequestResultSensor(task_id="deferred", deferrable=True, poke_interval=2, **HASH),
        AlloincognitoRequestResultSensor(task_id="poking", poke_interval=2, **HASH),
        AlloincognitoRequestResultOperator(task_id="landing", poll_interval=2, output_path=PATH, **HASH),
    ]
"""

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.waiting]

Started = tuple[Standalone, Sandbox]


@pytest.fixture
def airflow_3(standalone: Standalone, changed_sandbox: Sandbox) -> Started:
    return standalone, changed_sandbox


@pytest.fixture
def airflow_2(airflow_2_python: str, tmp_path: Path, start_sandbox: Callable[..., Sandbox]) -> Iterator[Started]:
    sandbox = start_sandbox(calls_per_day=20)
    connection = sandbox.connection(pair_store_seconds=1, pair_request_seconds=1)
    airflow = Standalone2(tmp_path, airflow_2_python, AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT=json.dumps(connection))
    try:
        airflow.wait_until_healthy()
        yield airflow, sandbox
    finally:
        airflow.stop()


def copies_of_the_example(folder: Path) -> list[str]:
    """Write a copy of the example for each mode, with a DAG id and files of its own; return the DAG ids."""
    source = (EXAMPLES / f"{EXAMPLE}.py").read_text()
    for mode, arguments in MODES.items():
        copy = source
        for old, new in {EXAMPLE: f"{EXAMPLE}_{mode}", ARGUMENTS: arguments, "/months/": f"/{mode}/"}.items():
            assert copy.count(old) == 1
            copy = copy.replace(old, new)
        (folder / f"{EXAMPLE}_{mode}.py").write_text(copy)
    return [f"{EXAMPLE}_{mode}" for mode in MODES]


@pytest.mark.parametrize("generation", ["airflow_3", "airflow_2"])
def test_the_example_in_three_modes(request: pytest.FixtureRequest, generation: str) -> None:
    started: Started = request.getfixturevalue(generation)
    airflow, sandbox = started
    sandbox.configure(pending_polls=3, call_list_answer="hash_only")
    dags = copies_of_the_example(airflow.dags)
    airflow.until(lambda: all(name in airflow.text_of("dags") for name in dags), 90)
    for name in dags:
        airflow.call("PATCH", f"dags/{name}", {"is_paused": False})
    airflow.until(lambda: all(airflow.ended(name) for name in dags), 400)

    end = datetime.now(MOSCOW).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    start = (end - timedelta(days=1)).replace(day=1)
    for name, mode in zip(dags, MODES, strict=True):
        ((run_id, state),) = airflow.run_states(name).items()
        assert state == "success"
        assert {one["try_number"] for one in airflow.tasks(name, run_id).values()} == {1}
        folder = airflow.home / "alloincognito" / mode
        assert [file.name for file in folder.iterdir()] == [f"{start:%Y-%m}.jsonl.gz"]
        assert rows_in(next(folder.iterdir())) == sandbox.truth(start, end)
    polls: dict[str, int] = {}
    for one in sandbox.requests:
        if one.method == BY_HASH:
            polls[one.query["requestHash"]] = polls.get(one.query["requestHash"], 0) + 1
    assert sorted(polls.values()) == [5, 5, 5], "three times not ready, once ready, and once to land it"
    assert (sandbox.count("getcalllist"), len(sandbox.rotations)) == (3, 1)


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_no_request_follows_when_a_user_ends_a_wait(standalone: Standalone, changed_sandbox: Sandbox) -> None:
    changed_sandbox.configure(pending_seconds=3600.0, call_list_answer="hash_only")
    (standalone.dags / "ended_by_hand.py").write_text(ENDED_BY_HAND)
    standalone.until(lambda: "ended_by_hand" in standalone.text_of("dags"), 90)
    standalone.start_run("ended_by_hand")

    def states() -> list[str]:
        tasks = standalone.tasks("ended_by_hand")
        return [tasks[one]["state"] for one in ("deferred", "poking", "landing")]

    standalone.until(lambda: states() == ["deferred", "running", "running"], 120)
    polls = changed_sandbox.count(BY_HASH)
    standalone.until(lambda: changed_sandbox.count(BY_HASH) > polls + 6, 60)
    for name in ("deferred", "poking", "landing"):
        path = f"dags/ended_by_hand/dagRuns/run/taskInstances/{name}"
        standalone.call("PATCH", path, {"new_state": "failed"})
    time.sleep(15)  # the next heartbeats stop the processes
    changed_sandbox.clear_log()
    time.sleep(30)  # the deferred sensor would poll twice in this time
    assert states() == ["failed"] * 3
    assert changed_sandbox.requests == []
    assert standalone.run_states("ended_by_hand") == {"run": "failed"}
    assert not (standalone.home / "ended").exists() or list((standalone.home / "ended").iterdir()) == []
