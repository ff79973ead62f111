"""Deferred operators and sensors in whole DAG runs: requests, files, and how a wait can end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import Run, StartSandbox, one_task_dag, run_dag

from airflow_provider_alloincognito.errors import AlloincognitoAuthError, AlloincognitoWaitTimeout
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))
NEXT_DAY = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Moscow"))
BY_HASH = "getrequestresultbyhash"
in_both_places = pytest.mark.parametrize("start", ["environment", "database"], indirect=True)
QUICK: dict[str, Any] = {
    "pair_store": "memory",
    "pair_store_seconds": 0.02,
    "pair_request_seconds": 1.0,
    "retries": 0,
    "timeout": 5,
}
NOT_YET: dict[str, Any] = {"call_list_answer": "hash_only", "pending_polls": 3}
NEVER: dict[str, Any] = {"call_list_answer": "hash_only", "pending_seconds": 3600.0}
OPERATORS = ["call list", "result", "sensor"]


@pytest.fixture
def start(
    request: pytest.FixtureRequest,
    start_sandbox: StartSandbox,
    connect: Callable[..., None],
    connect_in_database: Callable[..., None],
) -> StartSandbox:
    """Start a sandbox; the Connection to it is in the environment or in the database."""
    is_in_database = getattr(request, "param", "environment") == "database"
    set_connection = connect_in_database if is_in_database else connect

    def start(extra: dict[str, Any] | None = None, **settings: Any) -> Sandbox:
        sandbox = start_sandbox(**settings)
        set_connection(sandbox, **{**QUICK, **(extra or {})})
        return sandbox

    return start


def wait(kind: str, path: Path, *, timeout: float = 30, retries: int = 0, **arguments: Any) -> Run:
    """Run a task of this kind that defers and lands in ``path``, after a task that makes the request if needed."""
    common = {"task_id": "wait", "deferrable": True, **arguments}
    polling = {"output_path": path.as_uri(), "poll_interval": 0.02, "wait_timeout": timeout}
    by_hash = {"request_hash": "{{ ti.xcom_pull('request')['request_hashes'][0] }}"}

    def make() -> None:
        if kind == "call list":
            AlloincognitoCallListOperator(**polling, **common)
            return
        request = AlloincognitoCallListOperator(task_id="request")
        if kind == "result":
            request >> AlloincognitoRequestResultOperator(**by_hash, **polling, **common)
        else:
            request >> AlloincognitoRequestResultSensor(**by_hash, poke_interval=0.02, timeout=timeout, **common)

    return run_dag(one_task_dag("deferring", make, retries=retries), NEXT_DAY)


@contextmanager
def once_it_polls(sandbox: Sandbox, todo: Callable[[], object]) -> Iterator[None]:
    """Call ``todo`` as soon as the trigger polls."""

    def watch() -> None:
        deadline = time.monotonic() + 20
        while sandbox.count(BY_HASH) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        todo()

    watching = threading.Thread(target=watch)
    watching.start()
    yield
    watching.join()


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@in_both_places
@pytest.mark.parametrize(
    ("kind", "polls"),
    # The polls of the trigger, and those of the task: before it defers, and to land.
    [("sensor", 3 + 1), ("result", 3 + 2), ("call list", 4 + 1)],
)
def test_a_result_that_is_not_ready_is_awaited(start: StartSandbox, tmp_path: Path, kind: str, polls: int) -> None:
    sandbox = start(**NOT_YET)
    path = tmp_path / "calls.jsonl"
    run = wait(kind, path)
    assert (run.state, run.tries["wait"]) == ("success", 1), run.errors
    assert (sandbox.count("getcalllist"), sandbox.count(BY_HASH), sandbox.count("create")) == (1, polls, 1)
    if kind != "sensor":
        assert rows_in(path) == sandbox.truth(DAY, NEXT_DAY)
        assert run.xcoms["wait"]["rows"] == len(sandbox.truth(DAY, NEXT_DAY))
    assert [one.name for one in tmp_path.iterdir()] == ([] if kind == "sensor" else [path.name])


def test_windows_are_awaited_together_and_land_in_one_file(start: StartSandbox, tmp_path: Path) -> None:
    sandbox = start(call_list_answer="hash_only", pending_seconds=1.5)
    path = tmp_path / "calls.jsonl"
    run = wait("call list", path, window=timedelta(hours=4))
    assert run.state == "success", run.errors
    assert rows_in(path) == sandbox.truth(DAY, NEXT_DAY)
    hashes = run.xcoms["wait"]["request_hashes"]
    polled = Counter(one.query["requestHash"] for one in sandbox.requests if one.method == BY_HASH)
    assert sandbox.count("getcalllist") == len(hashes) == 6
    assert [polled[one] for one in hashes[:-1]] == [1] * 5, "a window was fetched more than once"
    assert polled[hashes[-1]] > 2


def test_a_window_that_takes_longer_than_those_after_it(start: StartSandbox, tmp_path: Path) -> None:
    sandbox = start(call_list_answer="hash_only", pending_polls=2)
    path = tmp_path / "calls.jsonl"
    run = wait("call list", path, window=timedelta(hours=8))
    assert run.state == "success", run.errors
    assert rows_in(path) == sandbox.truth(DAY, NEXT_DAY)
    assert sandbox.count("getcalllist") == 3


@pytest.mark.parametrize("kind", OPERATORS)
def test_a_code_may_mean_not_ready_yet(start: StartSandbox, tmp_path: Path, kind: str) -> None:
    sandbox = start({"pending_error_codes": [1100]}, pending_style="error_code", **NOT_YET)
    run = wait(kind, tmp_path / "calls.jsonl")
    assert run.state == "success", run.errors
    assert sandbox.count(BY_HASH) >= 4


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("kind", OPERATORS)
def test_a_pending_response_may_come_without_a_hash(
    start: StartSandbox, tmp_path: Path, kind: str, deferrable: bool
) -> None:
    sandbox = start(call_list_answer="hash_only")
    sandbox.add_fault("status", method=BY_HASH, status=202, times=3)
    run = wait(kind, tmp_path / "calls.jsonl", deferrable=deferrable)
    assert run.state == "success", run.errors
    assert sandbox.count(BY_HASH, status=202) == 3


@pytest.mark.parametrize("kind", OPERATORS)
def test_a_wait_that_is_too_long_fails_the_task(start: StartSandbox, tmp_path: Path, kind: str) -> None:
    sandbox = start(**NEVER)
    run = wait(kind, tmp_path / "calls.jsonl", timeout=1.0)
    assert run.state == "failed"
    assert "was not ready in time" in str(run.error)
    assert isinstance(run.error, AlloincognitoWaitTimeout) or type(run.error).__name__ == "AirflowSensorTimeout"
    assert sandbox.count(BY_HASH) > 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", OPERATORS)
def test_a_rejected_authorization_token_is_not_retried(start: StartSandbox, tmp_path: Path, kind: str) -> None:
    sandbox = start(**NEVER)
    with once_it_polls(sandbox, sandbox.remake_authorization_token):
        run = wait(kind, tmp_path / "calls.jsonl", retries=3)
    assert run.state == "failed"
    assert isinstance(run.error, AlloincognitoAuthError)
    assert "'alloincognito_default'" in str(run.error)
    assert run.tries["wait"] == 1
    made = sandbox.count("create")
    assert made == 2, "the first pair, and the one rejected attempt"
    assert not [token for token in sandbox.tokens_ever_issued if token in str(run.error)]


def test_airflows_default_for_deferring() -> None:
    script = """
from airflow_provider_alloincognito.operators.alloincognito import *
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor as Sensor
result = {"request_hash": "h==", "output_path": "file:///tmp/a.jsonl"}
print(AlloincognitoCallListOperator(task_id="a").deferrable,
      AlloincognitoRequestResultOperator(task_id="b", **result).deferrable,
      Sensor(task_id="c", request_hash="h==").deferrable,
      Sensor(task_id="d", request_hash="h==", deferrable=False).deferrable)
"""
    environment = {**os.environ, "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split()[-4:] == ["True", "True", "True", "False"], done.stderr
