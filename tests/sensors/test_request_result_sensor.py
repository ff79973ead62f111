"""The sensor in real tasks: results that are ready, pending or never ready, and errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from task_runs import TaskRun

from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoQueryError,
    AlloincognitoResponseError,
)
from airflow_provider_alloincognito.sandbox import Fault, Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

pytestmark = pytest.mark.usefixtures("airflow_database")

StartSandbox = Callable[..., Sandbox]
Wait = Callable[..., TaskRun]


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_ready_result_takes_one_poll(mode: str, sandbox: Sandbox, wait: Wait) -> None:
    assert wait(sandbox, mode=mode).state == "success"
    assert sandbox.count("getrequestresultbyhash") == 1


@pytest.mark.parametrize("style", ["202", "no_rowset"])
def test_poking_goes_on_until_the_result_is_ready(style: str, start_sandbox: StartSandbox, wait: Wait) -> None:
    sandbox = start_sandbox(pending_polls=3, pending_style=style)
    assert wait(sandbox).state == "success"
    assert sandbox.count("getrequestresultbyhash") == 4
    assert sandbox.count("create") == 1


def test_rescheduling_frees_the_worker_between_polls(start_sandbox: StartSandbox, wait: Wait) -> None:
    sandbox = start_sandbox(pending_polls=1)
    run = wait(sandbox, mode="reschedule")
    assert run.state == "success"
    assert run.tries == 1
    assert sandbox.count("getrequestresultbyhash") == 2


@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_a_result_that_is_never_ready(soft_fail: bool, state: str, start_sandbox: StartSandbox, wait: Wait) -> None:
    sandbox = start_sandbox(pending_seconds=3600.0)
    run = wait(sandbox, timeout=1.0, soft_fail=soft_fail)
    assert run.state == state
    assert sandbox.count("getrequestresultbyhash") > 1
    if run.error is not None:
        assert type(run.error).__name__ == "AirflowSensorTimeout"


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize("soft_fail", [False, True])
class TestErrorsFailTheTask:
    """``soft_fail`` applies to timeouts only."""

    def test_a_rejected_authorization_token_is_not_retried(
        self, mode: str, soft_fail: bool, sandbox: Sandbox, wait: Wait
    ) -> None:
        run = wait(sandbox, password="not.a.token", request_hash="h==", mode=mode, soft_fail=soft_fail, retries=2)
        assert run.state == "failed"
        assert isinstance(run.error, AlloincognitoAuthError)
        assert "'my_server'" in str(run.error)
        assert (sandbox.count("create"), len(sandbox.requests)) == (1, 1)

    def test_an_unknown_hash_is_an_error_of_the_api(
        self, mode: str, soft_fail: bool, sandbox: Sandbox, wait: Wait
    ) -> None:
        run = wait(sandbox, request_hash="bm9ib2R5cw==", mode=mode, soft_fail=soft_fail)
        assert run.state == "failed"
        assert isinstance(run.error, AlloincognitoApiError)
        assert run.error.method == "getrequestresultbyhash"
        assert "79161234567" not in str(run.error)

    def test_an_invalid_response(self, mode: str, soft_fail: bool, sandbox: Sandbox, wait: Wait) -> None:
        sandbox.add_fault("html", method="getrequestresultbyhash", times=None)
        run = wait(sandbox, mode=mode, soft_fail=soft_fail)
        assert run.state == "failed"
        assert isinstance(run.error, AlloincognitoResponseError)

    def test_an_empty_hash_is_not_retried(self, mode: str, soft_fail: bool, sandbox: Sandbox, wait: Wait) -> None:
        run = wait(sandbox, request_hash=" ", mode=mode, soft_fail=soft_fail, retries=2)
        assert run.state == "failed"
        assert isinstance(run.error, AlloincognitoQueryError)
        assert sandbox.requests == []


@pytest.mark.parametrize(
    "fault", [Fault(kind="status", status=503), Fault(kind="status", status=500), Fault(kind="reset")]
)
def test_what_passes_by_itself_is_waited_out(fault: Fault, sandbox: Sandbox, wait: Wait) -> None:
    sandbox.add_fault(Fault(**{**fault.to_json(), "method": "getrequestresultbyhash", "times": 2}))
    run = wait(sandbox, extra={"retries": 0}, retries=1, retry_delay=0)
    assert (run.state, run.tries) == ("success", 1)


def test_execution_timeout_is_retried(start_sandbox: StartSandbox, wait: Wait) -> None:
    sandbox = start_sandbox(pending_seconds=3600.0)
    run = wait(sandbox, execution_timeout=timedelta(seconds=0.5), retries=1, retry_delay=0)
    assert (run.state, run.tries) == ("failed", 2)
    assert type(run.error).__name__ == "AirflowTaskTimeout"


def test_the_hash_and_the_connection_are_templates() -> None:
    assert {"request_hash", "alloincognito_conn_id"} <= set(AlloincognitoRequestResultSensor.template_fields)
