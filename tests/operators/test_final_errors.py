"""
What cannot get better by itself is not retried; code: operators/failures.py, errors.py.

Passes on Airflow 3.3 and 2.11.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import Run, StartSandbox, one_task_dag, run_dag

from airflow_provider_alloincognito import errors
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
)
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

NEXT_DAY = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Moscow"))


def land(folder: Path, **arguments: Any) -> Run:
    def make() -> None:
        AlloincognitoCallListOperator(
            task_id="calls", **{"output_path": f"{folder.as_uri()}/calls.parquet", **arguments}
        )

    return run_dag(one_task_dag("final", make, retries=2), NEXT_DAY)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (
            {"output_path": "s3://bucket/c.jsonl"},
            errors.AlloincognitoTargetSetupError,
            "apache-airflow-providers-amazon",
        ),
        ({"output_path": "foo://x/c.jsonl"}, errors.AlloincognitoTargetSetupError, "The store of output_path (foo://x"),
        ({"output_path": "out/calls.jsonl"}, errors.AlloincognitoQueryError, "which is not an absolute path"),
        ({"output_path": "file://data/calls.jsonl"}, errors.AlloincognitoQueryError, "with three slashes"),
        ({"numbers": "s3://bucket/n.txt"}, errors.AlloincognitoTargetSetupError, "The store of numbers"),
        (
            {"alloincognito_conn_id": "nobody"},
            errors.AlloincognitoSettingsError,
            "Connection 'nobody': There is no Connection with this id.",
        ),
        ({"schema": {"callId": "text"}}, errors.AlloincognitoSchemaError, "the type 'text', which is unknown"),
        ({"file_format": "xml"}, errors.AlloincognitoFormatError, "'xml' is not known"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_argument_ends_the_task_at_once(
    sandbox: Sandbox, tmp_path: Path, arguments: dict[str, Any], kind: type[BaseException], said: str
) -> None:
    run = land(tmp_path, **arguments)
    assert isinstance(run.error, kind)
    assert said in str(run.error)
    assert run.tries == {"calls": 1}
    assert sandbox.count("getcalllist") == 0


def test_a_missing_library(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    run = land(tmp_path)
    assert isinstance(run.error, errors.AlloincognitoMissingExtraError)
    assert run.tries == {"calls": 1}


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_path_that_the_server_does_not_have(sandbox: Sandbox, tmp_path: Path, status: int) -> None:
    sandbox.add_fault("status", method="getcalllist", status=status, times=None)
    run = land(tmp_path)
    assert isinstance(run.error, errors.AlloincognitoPathError)
    assert "Check that call_list_path in the Connection is the method's path" in str(run.error)
    assert run.tries == {"calls": 1}


@pytest.mark.parametrize("status", [400, 422])
def test_fields_that_the_server_does_not_take(sandbox: Sandbox, tmp_path: Path, status: int) -> None:
    sandbox.add_fault("status", method="getcalllist", status=status, times=None)
    run = land(tmp_path)
    assert isinstance(run.error, errors.AlloincognitoBadRequestError)
    assert "numbers_field and api_mapping" in str(run.error)
    assert run.tries == {"calls": 1}


def test_a_path_that_only_the_server_itself_does_not_know(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    connected_sandbox({"call_list_path": "/api/v1/request/getcalls"})
    run = land(tmp_path)
    assert isinstance(run.error, errors.AlloincognitoPathError)
    assert "error 404" in str(run.error)
    assert run.tries == {"calls": 1}


def test_a_connection_that_a_secrets_backend_may_have(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "airflow.secrets.environment_variables.EnvironmentVariablesBackend")
    run = land(tmp_path, alloincognito_conn_id="nobody")
    assert {type(error).__name__ for error in run.errors} == {"AlloincognitoSecretsBackendError"}
    assert run.tries == {"calls": 3}


def test_a_local_path_without_a_scheme(sandbox: Sandbox, tmp_path: Path) -> None:
    run = land(tmp_path, output_path=str(tmp_path / "plain.jsonl"))
    assert run.state == "success", run.errors
    assert run.xcoms["calls"]["path"] == f"file://{tmp_path}/plain.jsonl"


@pytest.mark.parametrize("status", [302, 500, 503])
def test_what_may_pass_is_retried(connected_sandbox: StartSandbox, tmp_path: Path, status: int) -> None:
    sandbox = connected_sandbox()
    sandbox.add_fault("status", method="getcalllist", status=status, times=1)
    run = land(tmp_path)
    assert run.state == "success", run.errors
    assert run.tries == {"calls": 2}


def test_the_other_operator_and_the_sensor(sandbox: Sandbox, tmp_path: Path) -> None:
    def make() -> None:
        AlloincognitoRecordingOperator(
            task_id="mp3", record_file_ids=["a"], output_path="s3://bucket/mp3", alloincognito_conn_id="nobody"
        )
        AlloincognitoRequestResultSensor(task_id="ready", request_hash="h", alloincognito_conn_id="nobody")

    run = run_dag(one_task_dag("final_others", make, retries=2), NEXT_DAY)
    assert run.tries == {"mp3": 1, "ready": 1}
    assert {type(error).__name__ for error in run.errors} == {
        "AlloincognitoTargetSetupError",
        "AlloincognitoSettingsError",
    }
