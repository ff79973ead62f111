"""How operators and the sensor wait in a worker: until when, for how long, and how it ends; code: operators/base.py."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from dag_runs import StartSandbox
from plain_server import CALL_LIST_PATH, RESULT_PATH, PlainServer, Said

from airflow_provider_alloincognito.compat import AirflowSkipException
from airflow_provider_alloincognito.errors import AlloincognitoStoppedError, AlloincognitoWaitTimeout
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.operators.base import AirflowTaskTerminated
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

BY_HASH = "getrequestresultbyhash"
CONTEXT: Any = {"ti": SimpleNamespace(try_number=1, get_first_reschedule_date=lambda context: None)}
StartPlain = Callable[..., PlainServer]


class InTurn(dict[str, Said]):
    """Responses by path, after others that come once each."""

    def __init__(self, answers: dict[str, Said], path: str, *first: Said) -> None:
        super().__init__(answers)
        self._path, self._first = path, list(first)

    def get(self, path: str, default: Any = None) -> Any:
        return self._first.pop(0) if path == self._path and self._first else super().get(path, default)


@pytest.fixture
def operator(tmp_path: Any) -> Callable[..., AlloincognitoRequestResultOperator]:
    def make(**arguments: Any) -> AlloincognitoRequestResultOperator:
        values = {"request_hash": "h==", "output_path": f"{tmp_path.as_uri()}/calls.jsonl", "deferrable": False}
        return AlloincognitoRequestResultOperator(task_id="result", **{**values, **arguments})

    return make


@pytest.fixture
def request_hash(sandbox: Sandbox) -> str:
    with AlloincognitoHook().get_call_list("2025-06-02", "2025-06-03") as calls:
        assert calls.request_hash is not None
        return calls.request_hash


Make = Callable[..., AlloincognitoRequestResultOperator]


def seconds_of(todo: Callable[[], object]) -> float:
    began = time.monotonic()
    todo()
    return time.monotonic() - began


def test_the_last_poll_is_at_the_deadline(sandbox: Sandbox, request_hash: str, operator: Make) -> None:
    sandbox.add_fault("status", method=BY_HASH, status=202)
    waiting = operator(request_hash=request_hash, poll_interval=10, wait_timeout=0.5)
    assert 0.5 <= seconds_of(lambda: waiting.execute(CONTEXT)) < 3
    assert sandbox.count(BY_HASH) == 2


@pytest.mark.parametrize(("fault", "text"), [("status", "HTTP 503"), ("cut", "connection broke|truncated")])
def test_what_lasts_until_the_deadline_is_named(
    sandbox: Sandbox, request_hash: str, operator: Make, fault: str, text: str
) -> None:
    given = {"status": 503} if fault == "status" else {"after_bytes": 20}
    sandbox.add_fault(fault, method=BY_HASH, times=None, **given)
    waiting = operator(request_hash=request_hash, poll_interval=0.2, wait_timeout=0.5)
    with pytest.raises(AlloincognitoWaitTimeout, match=rf"not ready within 0 s\. The last error: .*(?i:{text})"):
        waiting.execute(CONTEXT)
    assert sandbox.count(BY_HASH) <= 4, "a wait that is over is not begun again"


def test_a_last_poll_that_the_deadline_cut_does_not_hide_the_trouble(
    sandbox: Sandbox, request_hash: str, operator: Make
) -> None:
    sandbox.add_fault("status", method=BY_HASH, status=503)
    sandbox.add_fault("stall", method=BY_HASH, after_bytes=0, times=None)
    with pytest.raises(AlloincognitoWaitTimeout, match="HTTP 503"):
        operator(request_hash=request_hash, poll_interval=0.1, wait_timeout=1.0).execute(CONTEXT)


def test_retry_after_of_a_result_that_is_not_ready(
    plain_server: StartPlain, connect: Callable[..., None], operator: Make
) -> None:
    server = plain_server()
    server.answers = InTurn(server.answers, RESULT_PATH, Said(b"{}", 202, {"Retry-After": "1"}))
    connect(server)
    assert 1 <= seconds_of(lambda: operator(poll_interval=0.01).execute(CONTEXT)) < 3
    assert server.paths.count(RESULT_PATH) == 2


@pytest.mark.parametrize("status", [202, 503])
def test_retry_after_in_the_mode_reschedule(
    status: int, plain_server: StartPlain, connect: Callable[..., None]
) -> None:
    connect(plain_server({RESULT_PATH: Said(b"{}", status, {"Retry-After": "3600"})}))
    sensor = AlloincognitoRequestResultSensor(
        task_id="ready", request_hash="h==", mode="reschedule", timeout=7200, poke_interval=1, deferrable=False
    )
    with pytest.raises(AirflowRescheduleException) as caught:
        sensor.execute(CONTEXT)
    assert (caught.value.reschedule_date - datetime.now(UTC)).total_seconds() == pytest.approx(3600, abs=10)


def test_retry_after_in_the_mode_poke_does_not_outlast_the_time_out(
    plain_server: StartPlain, connect: Callable[..., None]
) -> None:
    server = plain_server({RESULT_PATH: Said(b"{}", 202, {"Retry-After": "3600"})})
    connect(server)
    sensor = AlloincognitoRequestResultSensor(
        task_id="ready", request_hash="h==", timeout=0.5, poke_interval=0.01, soft_fail=True, deferrable=False
    )

    def skips() -> None:
        with pytest.raises(AirflowSkipException):
            sensor.execute(CONTEXT)

    assert 0.5 <= seconds_of(skips) < 3
    assert server.paths.count(RESULT_PATH) == 2


def test_a_wait_hears_of_the_stop(connected_sandbox: StartSandbox, operator: Make) -> None:
    sandbox = connected_sandbox()
    sandbox.add_fault("status", method=BY_HASH, status=202, times=None)
    waiting = operator(poll_interval=60)
    stop = threading.Timer(0.3, lambda: waiting.hook.stopped.set())

    def ends() -> None:
        stop.start()
        with pytest.raises(AlloincognitoStoppedError):
            waiting.execute(CONTEXT)

    assert seconds_of(ends) < 3


def test_a_signal_that_comes_while_the_event_is_in_use(connected_sandbox: StartSandbox, operator: Make) -> None:
    """The handler runs in the thread that waits for the event, and that may hold its lock."""
    connected_sandbox()
    waiting = operator()
    with waiting.hook.stopped._cond, pytest.raises(AirflowTaskTerminated):
        waiting.on_kill()
    assert waiting.hook.stopped.wait(5)


def test_a_response_that_is_cut_before_its_hash_is_requested_again(
    plain_server: StartPlain, connect: Callable[..., None]
) -> None:
    body = b'{"error": null, "result": {"rowset": [{"a": 1}, {"a": 2}], "requestHash": "h=="}}'
    whole = Said(body)
    cut = Said(body[:60], headers={"Content-Length": str(len(body))})
    server = plain_server({CALL_LIST_PATH: whole})
    server.answers = InTurn(server.answers, CALL_LIST_PATH, whole, cut)
    connect(server, retries=1)
    operator = AlloincognitoCallListOperator(
        task_id="submit", period_start="2026-03-01", period_end="2026-03-04", window=timedelta(days=1)
    )
    assert operator.execute(CONTEXT)["request_hashes"] == ["h=="] * 3
    assert server.paths.count(CALL_LIST_PATH) == 4, "a request that has its hash is not submitted again"
