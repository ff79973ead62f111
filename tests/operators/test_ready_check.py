"""A ready check of the user's own decides when operators stop waiting, deferred or not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import StartSandbox, one_task_dag, run_dag

from airflow_provider_alloincognito.api.answer.envelope import Envelope
from airflow_provider_alloincognito.errors import AlloincognitoSettingsError
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRequestResultOperator,
)

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))
NEXT_DAY = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Moscow"))
BY_HASH = "getrequestresultbyhash"

polls: list[Envelope] = []

waiting = pytest.mark.parametrize("deferrable", [False, True], ids=["holding a worker", "deferred"])


@pytest.fixture(autouse=True)
def no_polls_yet() -> None:
    polls.clear()


def third_response(envelope: Envelope) -> bool:
    """Ready from the third response on, whatever it holds."""
    polls.append(envelope)
    return len(polls) >= 3


def land(make: Callable[..., Any], path: Path, **arguments: Any) -> Any:
    settings = {"output_path": path.as_uri(), "poll_interval": 0.01, "wait_timeout": 20, **arguments}
    return run_dag(one_task_dag("ready_check", lambda: make(task_id="land", **settings)), NEXT_DAY)


@waiting
def test_a_call_list_is_polled_for_until_the_check_says_ready(
    connected_sandbox: StartSandbox, tmp_path: Path, deferrable: bool
) -> None:
    sandbox = connected_sandbox()
    path = tmp_path / "calls.jsonl"
    check = f"{__name__}.third_response"
    run = land(AlloincognitoCallListOperator, path, ready_check=check, deferrable=deferrable)
    assert run.state == "success", run.errors
    # A task that defers starts again after the trigger's event, and fetches the result once more.
    assert (len(polls), sandbox.count(BY_HASH)) == ((4, 3) if deferrable else (3, 2))
    assert path.read_text().count("\n") == len(sandbox.truth(DAY, NEXT_DAY))


@waiting
def test_a_result_is_polled_for_until_the_check_says_ready(
    connected_sandbox: StartSandbox, tmp_path: Path, deferrable: bool
) -> None:
    sandbox = connected_sandbox()
    submitted = run_dag(one_task_dag("submit", lambda: AlloincognitoCallListOperator(task_id="submit")), NEXT_DAY)
    (request_hash,) = submitted.xcoms["submit"]["request_hashes"]
    path = tmp_path / "calls.jsonl"
    check = f"{__name__}.third_response"
    run = land(
        AlloincognitoRequestResultOperator, path, request_hash=request_hash, ready_check=check, deferrable=deferrable
    )
    assert run.state == "success", run.errors
    assert len(polls) == (4 if deferrable else 3)
    assert path.read_text().count("\n") == len(sandbox.truth(DAY, NEXT_DAY))


@waiting
def test_a_check_that_cannot_be_imported_fails_the_task_without_a_retry(
    connected_sandbox: StartSandbox, tmp_path: Path, deferrable: bool
) -> None:
    connected_sandbox()
    path = tmp_path / "calls.jsonl"
    run = land(AlloincognitoCallListOperator, path, ready_check="nowhere.is_ready", deferrable=deferrable, retries=2)
    assert isinstance(run.error, AlloincognitoSettingsError)
    assert "ready_check is 'nowhere.is_ready'" in str(run.error)
    assert not path.exists()
