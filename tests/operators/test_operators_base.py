"""``on_kill`` ends a task even if Python dropped the exception of the signal; code: operators/base.py."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dag_runs import StartSandbox

from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoRequestResultOperator
from airflow_provider_alloincognito.operators.base import AirflowTaskTerminated
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

BY_HASH = "getrequestresultbyhash"


def killed_without_exception(task: Any) -> Any:
    """Kill a task, and drop the exception, as Python does while it finalizes an object."""
    with suppress(AirflowTaskTerminated):
        task.on_kill()
    return task


def test_a_killed_operator_polls_at_most_once(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox()
    sandbox.add_fault("status", method=BY_HASH, status=202, times=None)
    path = (tmp_path / "calls.jsonl").as_uri()
    operator = AlloincognitoRequestResultOperator(
        task_id="result", request_hash="h==", output_path=path, poll_interval=0.01, wait_timeout=5
    )
    with pytest.raises(AirflowTaskTerminated):
        killed_without_exception(operator).execute({"ti": SimpleNamespace(try_number=1)})
    assert sandbox.count(BY_HASH) == 1


def test_a_killed_sensor_does_not_poke(connected_sandbox: StartSandbox) -> None:
    sandbox = connected_sandbox()
    sensor = AlloincognitoRequestResultSensor(task_id="ready", request_hash="h==")
    with pytest.raises(AirflowTaskTerminated):
        killed_without_exception(sensor).poke({})
    assert sandbox.count(BY_HASH) == 0
