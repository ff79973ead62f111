"""
Operators, sensor and trigger are deep-copied and pickled, also after they have run.

Airflow copies tasks and ``default_args``, and executors and users' own tools pickle them. Hooks: tests/hooks; errors:
tests/test_errors.py. Passes on Airflow 3.3 and 2.11.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from dag_runs import one_task_dag, run_dag

from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor
from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger

COPIES = [copy.deepcopy, copy.copy, lambda one: pickle.loads(pickle.dumps(one))]
TASKS: dict[str, Callable[[str], Any]] = {
    "calls": lambda folder: AlloincognitoCallListOperator(
        task_id="calls", output_path=f"{folder}/calls.jsonl", numbers=["79161234567"], min_rows=0
    ),
    "recordings": lambda folder: AlloincognitoRecordingOperator(
        task_id="recordings", record_file_ids=["a"], output_path=folder, on_error="skip"
    ),
    "result": lambda folder: AlloincognitoRequestResultOperator(
        task_id="result", request_hash="h==", output_path=f"{folder}/result.jsonl"
    ),
    "ready": lambda folder: AlloincognitoRequestResultSensor(task_id="ready", request_hash="h=="),
}


def arguments_of(task: Any) -> dict[str, Any]:
    return {name: getattr(task, name) for name in task.template_fields}


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "copy", "pickle"])
def test_a_task_and_the_hook_that_it_has_used(
    sandbox: Sandbox, tmp_path: Path, name: str, copied: Callable[[Any], Any]
) -> None:
    task = TASKS[name](tmp_path.as_uri())
    task.hook.get_conn()
    other = copied(task)
    assert type(other) is type(task)
    assert arguments_of(other) == arguments_of(task)
    assert other.hook.settings == task.hook.settings


@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "copy", "pickle"])
def test_a_trigger(copied: Callable[[Any], Any]) -> None:
    trigger = AlloincognitoRequestResultTrigger("h==", 1.0, request_hashes=["h==", None])
    assert copied(trigger).serialize() == trigger.serialize()


@pytest.mark.parametrize("copied", COPIES[:2], ids=["deepcopy", "copy"])
def test_a_copy_of_a_dag_runs(sandbox: Sandbox, tmp_path: Path, copied: Callable[[Any], Any]) -> None:
    dag = copied(one_task_dag("copied", lambda: TASKS["calls"](tmp_path.as_uri())))
    run = run_dag(dag, datetime.fromisoformat("2026-03-04T00:00:00+03:00"))
    assert run.state == "success", run.errors
    assert run.rendered["calls"]["numbers"] == "1 number (not shown)"
