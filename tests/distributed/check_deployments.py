"""
Real tasks on real deployments: a fresh one, one whose pair lives for seconds, one whose connection test is pressed.

Not one of the tests that ``make test`` finds: they take minutes each, and an environment of their own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.rotation.deployment import postgresql
from benchmarks.rotation.plan import Plan
from benchmarks.rotation.report import Report
from benchmarks.rotation.tasks import LoadedDeployment, loaded_deployment

AIRFLOW_3 = Path(sys.executable)
# The environment with Airflow 2.11, which the target that runs this has made.
AIRFLOW_2 = Path(os.environ.get("AIRFLOW_2_PYTHON", ".venv-distributed-2.11/bin/python")).absolute()
DEFAULT_BOUNDS = {"store_latency": 1.0, "call_seconds": 3.0}


def plan_of(tasks: int, lifetime: float, seconds: float) -> Plan:
    """Tasks that share a pair, with the provider's default bounds."""
    return Plan(
        mode="airflow",
        processes=tasks,
        lifetime=lifetime,
        api_latency=0.05,
        seconds=seconds,
        kill_every=0.0,
        foreign_every=0.0,
        **DEFAULT_BOUNDS,
    )


@contextmanager
def running(plan: Plan, python: Path = AIRFLOW_3, *, on_postgresql: bool = False) -> Iterator[LoadedDeployment]:
    """A fresh deployment whose tasks have begun to ask."""
    if not on_postgresql:
        with loaded_deployment(plan, python=python) as loaded:
            loaded.wait_for_requests()
            yield loaded
        return
    with postgresql() as database, loaded_deployment(plan, python=python, database=database) as loaded:
        loaded.wait_for_requests()
        yield loaded


def all_green(loaded: LoadedDeployment) -> Report:
    """Wait for the end, and judge what holds for every deployment."""
    states, report = loaded.end()
    print(f"\n{report.text()}")
    assert states == {"success": loaded.plan.processes}
    assert report.faults() == []
    return report


def test_16_tasks_of_a_fresh_deployment() -> None:
    with running(plan_of(16, lifetime=3600, seconds=20)) as loaded:
        report = all_green(loaded)
    assert report.causes["create: there was none"] == 1
    assert len(report.rotations) == 1


@pytest.mark.parametrize(
    ("python", "on_postgresql"),
    [
        pytest.param(AIRFLOW_3, False, id="3.3 on SQLite"),
        pytest.param(AIRFLOW_3, True, id="3.3 on PostgreSQL"),
        pytest.param(AIRFLOW_2, True, id="2.11 on PostgreSQL"),
    ],
)
def test_8_tasks_whose_pair_lives_for_20_seconds(python: Path, on_postgresql: bool) -> None:
    with running(plan_of(8, lifetime=20, seconds=120), python, on_postgresql=on_postgresql) as loaded:
        all_green(loaded)


def test_pressing_test_kills_no_task() -> None:
    with running(plan_of(8, lifetime=3600, seconds=90)) as loaded:
        airflow = loaded.deployment
        connection = json.loads(loaded.stand.connection())
        body = {**connection, "connection_id": "pressed", "extra": json.dumps(connection["extra"])}
        for _ in range(10):
            answer = airflow.ask("POST", "/api/v2/connections/test", body)
            assert answer.ok, answer.text
            assert answer.json()["status"], answer.text
        print(f"\nthe UI says: {answer.json()['message']}")
        for _ in range(2):
            said = airflow.airflow("connections", "test", "alloincognito_default")
            assert "success" in said.lower(), said
        report = all_green(loaded)
    assert len(report.rotations) == 1
