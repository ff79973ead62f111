"""
What a user reads in a task's log: what was asked of whom, what landed, what it took; code: operators/task_log.py.

Runs on Airflow 2.11 as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import StartSandbox
from logged import package_lines
from task_runs import TaskRun, run_task

from airflow_provider_alloincognito.amounts import bytes_text
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.shared import forget_shared
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.operators.task_log import filter_text, period_text
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

MOSCOW = ZoneInfo("Europe/Moscow")
DAY: dict[str, Any] = {"period_start": "2026-03-03", "period_end": "2026-03-04"}
PERIOD = "2026-03-03 00:00:00 to 2026-03-04 00:00:00 Europe/Moscow (2026-03-02 21:00:00 to 2026-03-03 21:00:00 UTC)"
NUMBER = "+79161234567"
AMOUNT = r"[\d.]+ \w+"
BY_HASH = "getrequestresultbyhash"
# A warning that only tests see, and the base sensor's own line.
NOT_OURS = ("The token store 'memory'", "Success criteria met")

pytestmark = [  # Airflow 2.11's own
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


def lines_of(make: Callable[[], Any], state: str = "success") -> list[str]:
    """Run a task as in a new process; return the lines of its log that are this package's."""
    forget_shared()
    with package_lines() as lines:
        run: TaskRun = run_task(make)
    assert run.state == state, run.error
    assert not [line for line in lines if "cannot be called outside" in line], "Airflow takes the call for another's"
    return [line for line in lines if not line.startswith(NOT_OURS)]


def assert_lines(lines: list[str], *patterns: str) -> None:
    """Check that there are just these lines."""
    for line, pattern in zip(lines, patterns, strict=False):
        assert re.fullmatch(pattern, line), f"{line!r} is not {pattern!r}"
    assert len(lines) == len(patterns), lines


def new_hash() -> str:
    """Request a call list, and return its hash."""
    with AlloincognitoHook().get_call_list("2026-03-03", "2026-03-04") as calls:
        for _ in [] if calls.is_pending else calls:
            pass
        assert calls.request_hash is not None
        return calls.request_hash


def test_a_call_list(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox()
    path = f"{tmp_path.as_uri()}/calls.parquet"
    lines = lines_of(lambda: AlloincognitoCallListOperator(task_id="calls", output_path=path, **DAY))
    assert_lines(
        lines,
        f"Requesting calls from {sandbox.url} \\(Connection alloincognito_default\\)",
        re.escape(f"Period: {PERIOD}"),
        "Filter: all calls",
        f"Target: {path}",
        r"AlloIncognito tokens: stored a new pair \w{12}, since there was none",
        rf"Landed 40 rows, {AMOUNT}: {path}",
        r"requestHash: [\w+/=<>]+",
        rf"Took {AMOUNT}: 2 requests, {AMOUNT} of responses(, {AMOUNT} waiting for (a token pair|responses))*",
    )


def test_filters_count_numbers_and_show_none(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    connected_sandbox()
    numbers = tmp_path / "numbers.txt"
    numbers.write_text(f"{NUMBER}\n+79161234568\n+79161234569\n")
    lines = lines_of(
        lambda: AlloincognitoCallListOperator(
            task_id="calls",
            output_path=f"{tmp_path.as_uri()}/calls.jsonl",
            numbers=numbers.as_uri(),
            direction="incoming",
            duration_from=10,
            **DAY,
        )
    )
    assert lines[2] == "Filter: only incoming calls of 3 numbers, at least 10 s"
    assert "916" not in re.sub(r"requestHash: .*", "", "\n".join(lines))


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        ({}, "all calls"),
        ({"numbers": [NUMBER]}, "only calls of 1 number"),
        ({"duration_to": 60}, "only calls, at most 60 s"),
        ({"direction": "outgoing", "is_call_record": True}, "only outgoing calls with a recording"),
        ({"duration_from": 5, "is_read": 1}, "only calls, at least 5 s, isRead 1"),
    ],
)
def test_filters(filters: dict[str, Any], text: str) -> None:
    start = datetime(2026, 3, 3, tzinfo=MOSCOW)
    query = CallListQuery.checked(period_start=start, period_end=start + timedelta(days=1), **filters)
    assert filter_text(query) == text


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Europe/Moscow", PERIOD),
        ("UTC", "2026-03-02 21:00:00 to 2026-03-03 21:00:00 UTC"),
    ],
)
def test_a_period_is_in_the_zone_of_the_api_and_in_utc(zone: str, text: str) -> None:
    start = datetime(2026, 3, 3, tzinfo=MOSCOW)
    assert period_text(CallListQuery(period_start=start, period_end=start + timedelta(days=1)), ZoneInfo(zone)) == text


def test_only_submitted_in_windows(connected_sandbox: StartSandbox) -> None:
    connected_sandbox()
    lines = lines_of(lambda: AlloincognitoCallListOperator(task_id="ask", window=timedelta(hours=4), **DAY))
    assert lines[1] == f"Period: {PERIOD}, in 6 requests"
    assert lines[3].startswith("Target: none")
    assert re.fullmatch(r"requestHash: \S+, \S+, \S+ and 3 more", lines[-2])
    assert re.match(rf"Took {AMOUNT}: 7 requests, ", lines[-1])


def test_recordings(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox({"retries": 1})
    calls, folder = f"{tmp_path.as_uri()}/calls.jsonl", f"{tmp_path.as_uri()}/mp3"
    lines_of(lambda: AlloincognitoCallListOperator(task_id="calls", output_path=calls, **DAY))
    sandbox.clear_log()
    sandbox.add_fault("status", method="getcallrecordfile", status=502)
    lines = lines_of(lambda: AlloincognitoRecordingOperator(task_id="mp3", calls=calls, output_path=folder))
    count = len(list((tmp_path / "mp3").glob("*.mp3")))
    assert sandbox.count("getcallrecordfile") == count + 1
    assert_lines(
        lines,
        f"Fetching recordings from {sandbox.url} \\(Connection alloincognito_default\\)",
        f"Source: {calls}",
        f"Target: {folder}",
        r"AlloIncognito tokens: stored a new pair \w{12}, since there was none",
        rf"getcallrecordfile: A gateway failed \(HTTP 502\)\. Sending it again in {AMOUNT} \(retry 1 of 1\)",
        rf"Fetched {count}, skipped 0, failed 0: {AMOUNT} in {AMOUNT}\. Manifest: {folder}/manifest\.jsonl",
        rf"Took {AMOUNT}: {count + 2} requests \(1 sent again\), .*, {AMOUNT} in pauses",
    )


def test_a_result_that_is_awaited_in_the_worker(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox(call_list_answer="hash_only", pending_seconds=0.7)
    path = f"{tmp_path.as_uri()}/calls.jsonl"
    lines = lines_of(
        lambda: AlloincognitoCallListOperator(
            task_id="calls", output_path=path, poll_interval=0.5, deferrable=False, **DAY
        )
    )
    assert sandbox.count(BY_HASH) == 2
    pending = [line for line in lines if line.startswith("Result ")]
    assert_lines(
        pending,
        r"Result \S+ is not ready yet\. Waiting for up to 1 h",
        r"Result \S+ is not ready yet after 0\.\d s\. Waiting for up to .*",
        r"Result \S+ is ready after 1(\.\d)? s",
    )
    assert re.search(r", 1(\.\d)? s between polls$", lines[-1])


@pytest.mark.parametrize("kind", ["result", "sensor"])
def test_a_deferred_wait(connected_sandbox: StartSandbox, tmp_path: Path, kind: str) -> None:
    connected_sandbox(call_list_answer="hash_only", pending_polls=2)
    request_hash = new_hash()
    path = f"{tmp_path.as_uri()}/calls.jsonl"

    def make() -> Any:
        common: dict[str, Any] = {"task_id": "wait", "request_hash": request_hash, "deferrable": True}
        if kind == "result":
            return AlloincognitoRequestResultOperator(output_path=path, poll_interval=0.2, **common)
        return AlloincognitoRequestResultSensor(poke_interval=0.2, timeout=3600, **common)

    lines = lines_of(make)
    action = "Fetching" if kind == "result" else "Waiting for"
    assert re.match(rf"{action} the result of request \S+ from http://", lines[0])
    waited = [line for line in lines if line.startswith("Result ")]
    assert_lines(
        waited,
        r"Result \S+ is not ready yet\. Waiting for up to (1 h|60 min|59 min 60 s)",
        r"Result \S+ is ready",
    )
    if kind == "result":
        assert lines[-2] == f"Landed 40 rows, {bytes_text(len(Path(path[7:]).read_bytes()))}: {path}"
        assert re.fullmatch(rf"Took {AMOUNT} after the wait: \d requests?, .*", lines[-1])


def test_a_sensor_in_the_worker(connected_sandbox: StartSandbox) -> None:
    sandbox = connected_sandbox(call_list_answer="hash_only", pending_polls=6)
    request_hash = new_hash()
    lines = lines_of(
        lambda: AlloincognitoRequestResultSensor(
            task_id="wait", request_hash=request_hash, poke_interval=0.1, timeout=60, deferrable=False
        )
    )
    assert sandbox.count(BY_HASH) == 7
    assert re.match(r"Waiting for the result of request \S+ from ", lines[0])
    assert len([line for line in lines if "is not ready yet" in line]) == 3
    assert re.fullmatch(r"Result \S+ is ready after [\d.]+ s", lines[-1])


def test_a_response_that_is_cut(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox({"retries": 2})
    sandbox.add_fault("cut", method="getcalllist", after_fraction=0.7)
    path = f"{tmp_path.as_uri()}/calls.jsonl"
    lines = lines_of(lambda: AlloincognitoCallListOperator(task_id="calls", output_path=path, **DAY))
    [cut] = [line for line in lines if "truncated" in line]
    assert re.fullmatch(r"Response truncated: .*\. Sending it again in [\d.]+ s \(retry 1 of 2\)", cut)
    assert ": 3 requests" in lines[-1]


def test_a_task_that_fails_has_said_what_it_asked(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox: Sandbox = connected_sandbox()
    sandbox.add_fault("error", method="getcalllist", times=None)
    path = f"{tmp_path.as_uri()}/calls.jsonl"
    lines = lines_of(
        lambda: AlloincognitoCallListOperator(task_id="calls", output_path=path, numbers=[NUMBER], **DAY), "failed"
    )
    assert lines[1] == f"Period: {PERIOD}"
    assert not [line for line in lines if "9161234567" in line or line.startswith("Landed")]
