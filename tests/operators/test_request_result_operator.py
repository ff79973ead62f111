"""Request, wait, land: the result of an earlier request by its ``requestHash``; code: operators/request_result.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from dag_runs import Run, StartSandbox, one_task_dag, run_dag

from airflow_provider_alloincognito.errors import AlloincognitoApiError, AlloincognitoQueryError
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))
NEXT_DAY = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Moscow"))


def request_and_land(path: Path, *, mode: str = "poke", logical_date: datetime = NEXT_DAY, **period: Any) -> Run:
    def make() -> None:
        request = AlloincognitoCallListOperator(task_id="request", output_path=None)
        request_hash = "{{ ti.xcom_pull('request')['request_hashes'][0] }}"
        ready = AlloincognitoRequestResultSensor(
            task_id="ready", request_hash=request_hash, mode=mode, poke_interval=0.1, timeout=60
        )
        land = AlloincognitoRequestResultOperator(
            task_id="land", request_hash=request_hash, output_path=path.as_uri(), poll_interval=0.1, **period
        )
        request >> ready >> land

    return run_dag(one_task_dag("results", make), logical_date)


@pytest.mark.parametrize("setting", ["inclusive", "unknown"])
def test_consecutive_days_share_no_call(
    connected_sandbox: Callable[..., Sandbox], tmp_path: Path, setting: str
) -> None:
    # With a known period_end the request is exact; otherwise the rows are cut to the period when they land.
    sandbox = connected_sandbox({"start_time_field": "startTime", "period_end": setting}, period_end="inclusive")
    landed = []
    for number in range(3):
        start, end = DAY + timedelta(days=number), DAY + timedelta(days=number + 1)
        period = {} if setting == "inclusive" else {"period_start": start, "period_end": end}
        path = tmp_path / f"{number}.jsonl"
        run = request_and_land(path, logical_date=end, **period)
        assert run.state == "success", run.errors
        landed += [json.loads(line)["callId"] for line in path.read_text().splitlines()]
    assert sorted(landed) == sorted(call["callId"] for call in sandbox.truth(DAY, DAY + timedelta(days=3)))


def test_a_period_without_start_time_field_is_an_error(sandbox: Sandbox, tmp_path: Path) -> None:
    run = request_and_land(tmp_path / "calls.jsonl", period_start=DAY, period_end=NEXT_DAY)
    assert isinstance(run.error, AlloincognitoQueryError)
    assert "Set start_time_field" in str(run.error)
    assert list(tmp_path.iterdir()) == []


def land_by_hash(request_hash: str, path: Path) -> Run:
    def make() -> None:
        AlloincognitoRequestResultOperator(task_id="land", request_hash=request_hash, output_path=path.as_uri())

    return run_dag(one_task_dag("by_hash", make), NEXT_DAY)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize(
    ("settings", "extra"),
    [
        ({"call_list_answer": "rows"}, {}),
        ({"call_list_answer": "hash_only", "pending_polls": 2}, {}),
        ({"call_list_answer": "hash_only", "pending_polls": 2, "pending_style": "no_rowset"}, {}),
        (
            {"call_list_answer": "hash_only", "pending_polls": 2, "pending_style": "error_code"},
            {"pending_error_codes": [1100]},
        ),
    ],
    ids=["at once", "202", "no rowset", "error code"],
)
def test_a_call_list_is_requested_and_landed(
    connected_sandbox: StartSandbox, tmp_path: Path, settings: dict[str, Any], extra: dict[str, Any], mode: str
) -> None:
    sandbox = connected_sandbox(extra, always_awkward_hashes=True, **settings)
    run = request_and_land(tmp_path / "calls.jsonl", mode=mode)
    assert run.state == "success", run.errors
    rows = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert rows == sandbox.truth(DAY, NEXT_DAY)
    (request_hash,) = run.xcoms["request"]["request_hashes"]
    assert {"=", "+", "/"} <= set(request_hash)
    # The hash is percent-encoded exactly once.
    polls = [one for one in sandbox.requests if one.method == "getrequestresultbyhash"]
    assert len(polls) >= (4 if "pending_polls" in settings else 2)
    for one in polls:
        assert one.query == {"requestHash": request_hash}
        assert unquote(one.raw_query.removeprefix("requestHash=")) == request_hash
    assert sandbox.count("getcalllist") == 1


def test_a_recording_is_landed(sandbox: Sandbox, tmp_path: Path) -> None:
    record_file_id = next(row["recordFileId"] for row in sandbox.truth(DAY, NEXT_DAY) if row["recordFileId"])
    with AlloincognitoHook().get_call_record_file(record_file_id) as recording:
        assert b"".join(recording) == sandbox.recording(record_file_id)
        request_hash = recording.request_hash
    assert request_hash is not None
    run = land_by_hash(request_hash, tmp_path / "recording.mp3")
    assert run.state == "success", run.errors
    assert (tmp_path / "recording.mp3").read_bytes() == sandbox.recording(record_file_id)
    assert run.xcoms["land"]["bytes"] == len(sandbox.recording(record_file_id))
    assert "file_name" not in json.dumps(run.xcoms["land"])


def test_an_unknown_hash_fails_the_task(sandbox: Sandbox, tmp_path: Path) -> None:
    run = land_by_hash("dW5rbm93bg==", tmp_path / "calls.jsonl")
    assert run.state == "failed"
    assert isinstance(run.error, AlloincognitoApiError)
    assert run.error.method == "getrequestresultbyhash"
    assert run.error.code == sandbox.settings.error_code
    assert list(tmp_path.iterdir()) == []
