"""Waiting under a real scheduler: deferred tasks hold no slot, and killed workers and triggerers lose nothing."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_alloincognito.sandbox import Sandbox
from services.standalone import AIRFLOW, Standalone

MOSCOW = ZoneInfo("Europe/Moscow")
DAY, NEXT_DAY = datetime(2026, 3, 3, tzinfo=MOSCOW), datetime(2026, 3, 4, tzinfo=MOSCOW)
SENSORS = 50
LATE = 150
KEPT_HASHES = ["kept", "run_again", "forgotten"]

DAGS = """
import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow_provider_alloincognito.compat import DAG
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

HOME = Path(os.environ["AIRFLOW_HOME"])
HASH = "{{ ti.xcom_pull('ask')['request_hashes'][0] }}"
DAY = {"period_start": "2026-03-03", "period_end": "2026-03-04"}


def dag(name, retries=0):
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1), is_paused_upon_creation=False,
               default_args={"retries": retries, "retry_delay": timedelta(seconds=1)})


def sensor(name, **arguments):
    return AlloincognitoRequestResultSensor(task_id=name, request_hash=HASH, **{"poke_interval": 2, **arguments})


with dag("fifty"):
    ask = AlloincognitoCallListOperator(task_id="ask", **DAY)
    ask >> [sensor(f"wait_{number}", deferrable=True, timeout=1800) for number in range(SENSORS)]

with dag("late"):
    AlloincognitoCallListOperator(task_id="ask", **DAY) >> sensor("wait", deferrable=True, timeout=LATE)

def note_pid(context):
    (HOME / f"{context['ti'].dag_id}_{context['ti'].try_number}.pid").write_text(str(os.getpid()))


for name, window in {"killed": timedelta(minutes=48), **dict.fromkeys(KEPT_HASHES)}.items():
    with dag(name, retries=2):
        AlloincognitoCallListOperator(
            task_id="land", window=window, output_path=f"file://{HOME}/{name}.jsonl", pre_execute=note_pid, **DAY
        )
"""

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.waiting]


@pytest.fixture(scope="module")
def airflow(standalone: Standalone) -> Standalone:
    """The running Airflow, with the DAGs above."""
    named = f"SENSORS, LATE, KEPT_HASHES = {SENSORS}, {LATE}, {KEPT_HASHES}\n"
    (standalone.dags / "waiting.py").write_text(named + DAGS)
    names = ("fifty", "late", "killed", *KEPT_HASHES)
    standalone.until(lambda: all(name in standalone.text_of("dags") for name in names), 90)
    return standalone


def states(airflow: Standalone, dag_id: str) -> list[str | None]:
    return [one["state"] for one in airflow.tasks(dag_id).values()]


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def kill_while_reading(airflow: Standalone, sandbox: Sandbox, dag_id: str, responses: int) -> None:
    """Kill the worker while it reads the last of so many responses."""
    sandbox.add_fault("stall", method="getcalllist", skip=responses - 1, after_fraction=0.8)
    airflow.start_run(dag_id)
    airflow.until(lambda: sandbox.count("getcalllist", status=200) == responses, 180)
    time.sleep(1)  # the worker reads the response's head
    os.kill(int((airflow.home / f"{dag_id}_1.pid").read_text()), signal.SIGKILL)
    sandbox.clear_faults()


def wait_for_second_try(airflow: Standalone, sandbox: Sandbox, dag_id: str) -> list[str]:
    """Wait until another process has run the second try; return the methods of all requests, in order."""
    airflow.until(lambda: airflow.ended(dag_id), 180)
    assert airflow.run_states(dag_id)["run"] == "success"
    assert (airflow.home / f"{dag_id}_2.pid").read_text() != (airflow.home / f"{dag_id}_1.pid").read_text()
    assert rows_in(airflow.home / f"{dag_id}.jsonl") == sandbox.truth(DAY, NEXT_DAY)
    return [one.method for one in sandbox.requests if one.method.startswith("get")]


def test_a_worker_killed_in_the_seventeenth_of_thirty_windows_is_resumed_there(
    airflow: Standalone, changed_sandbox: Sandbox
) -> None:
    kill_while_reading(airflow, changed_sandbox, "killed", 17)
    assert wait_for_second_try(airflow, changed_sandbox, "killed") == [
        *["getcalllist"] * 17,
        *["getrequestresultbyhash"] * 17,  # only the hash of the 17th was read
        *["getcalllist"] * 13,
    ]


@pytest.mark.parametrize("dag_id", KEPT_HASHES)
def test_a_worker_killed_before_landing_is_resumed_by_the_hash(
    airflow: Standalone, changed_sandbox: Sandbox, dag_id: str
) -> None:
    changed_sandbox.configure(hash_reruns_query=dag_id == "run_again")
    kill_while_reading(airflow, changed_sandbox, dag_id, 1)
    if dag_id == "forgotten":
        changed_sandbox.forget_hashes()
    assert wait_for_second_try(airflow, changed_sandbox, dag_id) == [
        "getcalllist",
        "getrequestresultbyhash",
        *["getcalllist"] * (dag_id == "forgotten"),
    ]


def test_fifty_deferred_sensors_hold_no_slot_and_survive_a_killed_triggerer(
    airflow: Standalone, changed_sandbox: Sandbox
) -> None:
    changed_sandbox.configure(pending_seconds=3600.0)
    airflow.start_run("late")
    airflow.until(lambda: airflow.tasks("late")["wait"]["state"] == "deferred", 120)
    late_since = time.time()
    changed_sandbox.configure(pending_seconds=0.0)
    changed_sandbox.add_fault("status", method="getrequestresultbyhash", status=202, times=None)
    airflow.start_run("fifty")
    airflow.until(lambda: states(airflow, "fifty").count("deferred") == SENSORS, 300)
    pool = airflow.call("GET", "pools/default_pool")
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
        changed_sandbox.clear_faults()
        airflow.until(lambda: airflow.ended("fifty"), 240)
        assert set(states(airflow, "fifty")) == {"success"}
        # Its result is never ready: it ends at its first deadline, although its triggerer was killed.
        airflow.until(lambda: airflow.ended("late"), 240)
        wait = airflow.tasks("late")["wait"]
        assert wait["state"] == "failed"
        print("late by", datetime.fromisoformat(wait["end_date"]).timestamp() - late_since - LATE)
        assert LATE - 10 < datetime.fromisoformat(wait["end_date"]).timestamp() - late_since < LATE + 60
    finally:
        os.killpg(again.pid, signal.SIGTERM)
        again.wait(30)


def kept_triggers(airflow: Standalone) -> dict[int, str]:
    """Return the arguments of all triggers as the database has them, encrypted."""
    with sqlite3.connect(f"file:{airflow.home / 'airflow.db'}?mode=ro", uri=True) as db:
        return dict(db.execute("SELECT id, kwargs FROM trigger").fetchall())


def processes(airflow: Standalone, word: str) -> list[int]:
    """Return the ids of this Airflow's processes with a word in their command line."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            is_ours = process.name.isdigit() and f"AIRFLOW_HOME={airflow.home}\0" in (process / "environ").read_text()
            if is_ours and word in (process / "cmdline").read_text():
                found.append(int(process.name))
        except OSError:
            continue
    return found
