"""The deferrable sensor, compared with the modes poke and reschedule: skipped, failed and ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from task_runs import TaskRun

from airflow_provider_alloincognito.api.answer.envelope import Envelope
from airflow_provider_alloincognito.compat import AirflowSkipException
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoError,
    AlloincognitoResponseError,
    AlloincognitoSettingsError,
)
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

pytestmark = pytest.mark.usefixtures("airflow_database")

StartSandbox = Callable[..., Sandbox]
Wait = Callable[..., TaskRun]
BY_HASH = "getrequestresultbyhash"
DEFERRABLE = {"deferrable": True}

in_all_modes = pytest.mark.parametrize(
    "mode",
    [{"mode": "poke", "deferrable": False}, {"mode": "reschedule", "deferrable": False}, DEFERRABLE],
    ids=["poke", "reschedule", "deferrable"],
)
seen: list[Envelope] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_a_result_that_is_never_ready(soft_fail: bool, state: str, start_sandbox: StartSandbox, wait: Wait) -> None:
    sandbox = start_sandbox(pending_seconds=3600.0)
    run = wait(sandbox, timeout=1.0, soft_fail=soft_fail, **DEFERRABLE)
    assert run.state == state
    assert sandbox.count(BY_HASH) > 2
    assert soft_fail or type(run.error).__name__ == "AirflowSensorTimeout"


@pytest.mark.parametrize("soft_fail", [False, True])
@pytest.mark.parametrize("passed", [0, 1], ids=["seen by the task", "seen by the trigger"])
class TestErrorsFailTheTask:
    """``soft_fail`` applies to timeouts only."""

    @pytest.fixture
    def sandbox(self, start_sandbox: StartSandbox) -> Sandbox:
        return start_sandbox(pending_seconds=3600.0)

    def test_a_rejected_authorization_token(self, passed: int, soft_fail: bool, sandbox: Sandbox, wait: Wait) -> None:
        sandbox.add_fault("reject", method=BY_HASH, skip=passed, times=None)
        sandbox.add_fault("reject", method="refresh", times=None)
        sandbox.add_fault("reject", method="create", skip=1, times=None)  # the request for the calls makes a pair
        quick = {"pair_store_seconds": 0.02, "pair_request_seconds": 1.0}
        run = wait(sandbox, extra=quick, soft_fail=soft_fail, retries=2, **DEFERRABLE)
        assert (run.state, run.tries) == ("failed", 1)
        assert isinstance(run.error, AlloincognitoAuthError)
        assert "'my_server'" in str(run.error)

    def test_an_unknown_hash(self, passed: int, soft_fail: bool, sandbox: Sandbox, wait: Wait) -> None:
        sandbox.add_fault("error", method=BY_HASH, skip=passed, times=None, code=1404)
        run = wait(sandbox, soft_fail=soft_fail, **DEFERRABLE)
        assert run.state == "failed"
        assert isinstance(run.error, AlloincognitoError if passed else AlloincognitoApiError)
        assert "error 1404" in str(run.error)
        assert sandbox.count(BY_HASH) == passed + 1

    def test_a_response_that_is_not_json(self, passed: int, soft_fail: bool, sandbox: Sandbox, wait: Wait) -> None:
        sandbox.add_fault("html", method=BY_HASH, skip=passed, times=None)
        run = wait(sandbox, soft_fail=soft_fail, **DEFERRABLE)
        assert run.state == "failed"
        assert isinstance(run.error, AlloincognitoError if passed else AlloincognitoResponseError)
        assert sandbox.count(BY_HASH) == passed + 1


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_trigger_that_failed_fails_the_task(soft_fail: bool) -> None:
    sensor = AlloincognitoRequestResultSensor(task_id="wait", request_hash="h==", soft_fail=soft_fail, **DEFERRABLE)
    with pytest.raises(Exception, match="Trigger failure") as raised:
        sensor.resume_execution("__fail__", {"error": "Trigger failure", "traceback": None}, {})
    assert not isinstance(raised.value, AirflowSkipException)


@in_all_modes
def test_a_server_that_is_down_until_the_time_out_is_a_time_out(
    mode: dict[str, Any], sandbox: Sandbox, wait: Wait
) -> None:
    sandbox.add_fault("status", method=BY_HASH, status=503, times=None)
    assert wait(sandbox, timeout=0.5, soft_fail=True, **mode).state == "skipped"


@in_all_modes
def test_a_pending_error_code_means_not_ready(mode: dict[str, Any], start_sandbox: StartSandbox, wait: Wait) -> None:
    sandbox = start_sandbox(pending_polls=1, pending_style="error_code", pending_error_code="E-17")
    assert wait(sandbox, extra={"pending_error_codes": ["E-17", 5]}, **mode).state == "success"
    assert sandbox.count(BY_HASH) == 2


@in_all_modes
def test_any_other_code_is_an_error(mode: dict[str, Any], start_sandbox: StartSandbox, wait: Wait) -> None:
    sandbox = start_sandbox(pending_polls=1, pending_style="error_code", pending_error_code="E-17")
    run = wait(sandbox, extra={"pending_error_codes": ["E-1"]}, **mode)
    assert (run.state, sandbox.count(BY_HASH)) == ("failed", 1)
    assert isinstance(run.error, AlloincognitoApiError)
    assert run.error.code == "E-17"


@in_all_modes
def test_a_ready_check_may_wait_longer(mode: dict[str, Any], sandbox: Sandbox, wait: Wait) -> None:
    assert wait(sandbox, ready_check=f"{__name__}.second_time", **mode).state == "success"
    assert sandbox.count(BY_HASH) == 2
    assert len({envelope.request_hash for envelope in seen}) == 1


@in_all_modes
def test_a_ready_check_may_accept_less(mode: dict[str, Any], start_sandbox: StartSandbox, wait: Wait) -> None:
    sandbox = start_sandbox(pending_seconds=3600.0, pending_style="no_rowset")
    assert wait(sandbox, ready_check=f"{__name__}.always", **mode).state == "success"
    assert sandbox.count(BY_HASH) == 1


@in_all_modes
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_ready_check_that_cannot_be_imported_is_not_retried(
    mode: dict[str, Any], soft_fail: bool, sandbox: Sandbox, wait: Wait
) -> None:
    run = wait(sandbox, ready_check="nowhere.to_be_found", soft_fail=soft_fail, retries=2, **mode)
    assert (run.state, run.tries) == ("failed", 1)
    assert isinstance(run.error, AlloincognitoSettingsError)
    assert "'nowhere.to_be_found'" in str(run.error)


def second_time(envelope: Envelope) -> bool:
    seen.append(envelope)
    return len(seen) > 1


def always(envelope: Envelope) -> bool:
    return True
