"""Waiting under a real scheduler, executor and triggerer: three modes, no slot held, and processes that are killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from standalone import AIRFLOW, Standalone

from airflow_provider_alloincognito.sandbox import Sandbox

MOSCOW = ZoneInfo("Europe/Moscow")
DAY, NEXT_DAY = datetime(2026, 3, 3, tzinfo=MOSCOW), datetime(2026, 3, 4, tzinfo=MOSCOW)
SENSORS = 50
LATE = 150

DAGS = """
import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

HOME = Path(os.environ["AIRFLOW_HOME"])
HASH = "{{ ti.xcom_pull('ask')['request_hashes'][0] }}"
DAY = {"period_start": "2026-03-03", "period_end": "2026-03-04"}


def dag(name, retries=0):
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1), is_paused_upon_creation=False,
               default_args={"retries": retries, "retry_delay": timedelta(seconds=1)})


def sensor(name, **arguments):
    return AlloincognitoRequestResultSensor(task_id=name, request_hash=HASH, **{"poke_interval": 2, **arguments})


with dag("modes"):
    ask = AlloincognitoCallListOperator(task_id="ask", **DAY)
    land = AlloincognitoRequestResultOperator(
        task_id="land", request_hash=HASH, output_path=f"file://{HOME}/modes.jsonl"
    )
    for name, arguments in {
        "poke": {"mode": "poke", "deferrable": False},
        "reschedule": {"mode": "reschedule", "deferrable": False},
        "deferrable": {"deferrable": True},
    }.items():
        ask >> sensor(name, **arguments) >> land

with dag("fifty"):
    ask = AlloincognitoCallListOperator(task_id="ask", **DAY)
    ask >> [sensor(f"wait_{number}", deferrable=True, timeout=1800) for number in range(SENSORS)]

with dag("late"):
    AlloincognitoCallListOperator(task_id="ask", **DAY) >> sensor("wait", deferrable=True, timeout=LATE)

with dag("killed", retries=2):
    AlloincognitoCallListOperator(
        task_id="land", window=timedelta(minutes=48), output_path=f"file://{HOME}/killed.jsonl", **DAY,
        pre_execute=lambda context: (HOME / f"pid_{context['ti'].try_number}").write_text(str(os.getpid())),
    )
"""

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def airflow(standalone: Standalone) -> Standalone:
    """The running Airflow, with the DAGs above."""
    numbers = f"SENSORS, LATE = {SENSORS}, {LATE}\n"
    (standalone.dags / "waiting.py").write_text(numbers + DAGS)
    standalone.until(lambda: all(name in standalone.text_of("dags") for name in ("modes", "fifty", "late")), 90)
    return standalone


@pytest.fixture
def sandbox(standalone_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox as it was before, at the end."""
    before = standalone_sandbox.settings
    standalone_sandbox.clear_log()
    yield standalone_sandbox
    standalone_sandbox.clear_faults()
    standalone_sandbox.configure(**{name: getattr(before, name) for name in CHANGED})


CHANGED = ("pending_polls", "pending_seconds", "call_list_answer", "calls_per_day")


def start(airflow: Standalone, dag_id: str) -> None:
    airflow.ask("POST", f"dags/{dag_id}/dagRuns", {"dag_run_id": "run", "logical_date": None})


def tasks(airflow: Standalone, dag_id: str) -> dict[str, dict[str, Any]]:
    found = airflow.ask("GET", f"dags/{dag_id}/dagRuns/run/taskInstances?limit=100")["task_instances"]
    return {one["task_id"]: one for one in found}


def states(airflow: Standalone, dag_id: str) -> list[str | None]:
    return [one["state"] for one in tasks(airflow, dag_id).values()]


def ended(airflow: Standalone, dag_id: str) -> bool:
    return airflow.run_states(dag_id)["run"] in ("success", "failed")


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_sensor_in_three_modes(airflow: Standalone, sandbox: Sandbox) -> None:
    sandbox.configure(pending_polls=6, call_list_answer="hash_only")
    start(airflow, "modes")
    airflow.until(lambda: ended(airflow, "modes"), 180)
    assert set(states(airflow, "modes")) == {"success"}
    assert rows_in(airflow.home / "modes.jsonl") == sandbox.truth(DAY, NEXT_DAY)
    assert sandbox.count("getcalllist") == 1


def test_a_worker_killed_in_the_seventeenth_of_thirty_windows(airflow: Standalone, sandbox: Sandbox) -> None:
    sandbox.add_fault("stall", method="getcalllist", skip=16, after_fraction=0.8)
    start(airflow, "killed")
    airflow.until(lambda: sandbox.count("getcalllist", status=200) == 17, 180)
    time.sleep(1)  # the answer's head is on its way
    os.kill(int((airflow.home / "pid_1").read_text()), signal.SIGKILL)
    sandbox.clear_faults()
    airflow.until(lambda: ended(airflow, "killed"), 180)
    assert airflow.run_states("killed")["run"] == "success"
    assert (airflow.home / "pid_2").read_text() != (airflow.home / "pid_1").read_text()
    asked = [(one.method, one.status) for one in sandbox.requests if one.method.startswith("get")]
    assert [method for method, _ in asked] == [
        *["getcalllist"] * 17,
        *["getrequestresultbyhash"] * 16,
        *["getcalllist"] * 14,  # the 17th was killed before its hash had been read
    ]
    assert rows_in(airflow.home / "killed.jsonl") == sandbox.truth(DAY, NEXT_DAY)


def test_fifty_wait_without_a_slot_and_outlive_their_triggerer(airflow: Standalone, sandbox: Sandbox) -> None:
    sandbox.configure(pending_seconds=3600.0)
    start(airflow, "late")
    airflow.until(lambda: tasks(airflow, "late")["wait"]["state"] == "deferred", 120)
    late_since = time.time()
    sandbox.configure(pending_seconds=0.0)
    sandbox.add_fault("status", method="getrequestresultbyhash", status=202, times=None)
    start(airflow, "fifty")
    airflow.until(lambda: states(airflow, "fifty").count("deferred") == SENSORS, 300)
    pool = airflow.ask("GET", "pools/default_pool")
    assert pool["occupied_slots"] == pool["running_slots"] == pool["queued_slots"] == 0
    assert pool["deferred_slots"] >= SENSORS
    triggers = kept_triggers(airflow)

    for pid in processes(airflow, "triggerer"):
        os.kill(pid, signal.SIGKILL)
    again = subprocess.Popen(
        [AIRFLOW, "triggerer"],
        env=airflow.environment,
        cwd=airflow.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        time.sleep(5)
        kept = kept_triggers(airflow)
        assert {key: triggers[key] for key in kept} == kept, "a trigger's arguments, its deadline too, have changed"
        sandbox.clear_faults()
        airflow.until(lambda: ended(airflow, "fifty"), 240)
        assert set(states(airflow, "fifty")) == {"success"}
        # Never ready: it ends at its first deadline, though its triggerer was killed; but not before there is one.
        airflow.until(lambda: ended(airflow, "late"), 240)
        wait = tasks(airflow, "late")["wait"]
        assert wait["state"] == "failed"
        print("late by", datetime.fromisoformat(wait["end_date"]).timestamp() - late_since - LATE)
        assert LATE - 10 < datetime.fromisoformat(wait["end_date"]).timestamp() - late_since < LATE + 60
    finally:
        os.killpg(again.pid, signal.SIGTERM)
        again.wait(30)


def kept_triggers(airflow: Standalone) -> dict[int, str]:
    """Arguments of all triggers as the database has them, encrypted."""
    with sqlite3.connect(f"file:{airflow.home / 'airflow.db'}?mode=ro", uri=True) as db:
        return dict(db.execute("SELECT id, kwargs FROM trigger").fetchall())


def processes(airflow: Standalone, word: str) -> list[int]:
    """Processes of this Airflow with a word in their command line."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            is_ours = process.name.isdigit() and f"AIRFLOW_HOME={airflow.home}\0" in (process / "environ").read_text()
            if is_ours and word in (process / "cmdline").read_text():
                found.append(int(process.name))
        except OSError:
            continue
    return found
