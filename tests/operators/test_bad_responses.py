"""Tasks on errors of the API and on invalid responses."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import CONNECTION, Run, StartSandbox, one_task_dag, run_dag

from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoResponseError,
)
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator
from airflow_provider_alloincognito.sandbox import Sandbox

NEXT_DAY = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Moscow"))
DIGITS = re.compile(r"\d")


def land(tmp_path: Path, *, suffix: str = "jsonl", retries: int = 0) -> Run:
    def make() -> None:
        AlloincognitoCallListOperator(task_id="calls", output_path=f"{tmp_path.as_uri()}/calls.{suffix}")

    return run_dag(one_task_dag("bad_responses", make, retries=retries), NEXT_DAY)


def assert_holds_no_secret(sandbox: Sandbox, error: BaseException) -> None:
    """No token, and not the number that the sandbox puts into its error messages."""
    texts = f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"
    assert not [token for token in sandbox.tokens_ever_issued if token in texts]
    assert "9161234567" not in "".join(DIGITS.findall(texts))


def test_a_rejected_authorization_token_is_not_retried(
    sandbox: Sandbox, connect: Callable[..., None], tmp_path: Path
) -> None:
    old = sandbox.authorization_token
    sandbox.remake_authorization_token()
    connect(sandbox, password=old)
    run = land(tmp_path, retries=3)
    assert run.state == "failed"
    assert isinstance(run.error, AlloincognitoAuthError)
    for part in (CONNECTION, "получить authorization token", "personal account"):
        assert part in str(run.error)
    assert run.tries == {"calls": 1}, "Airflow retried it"
    assert [one.method for one in sandbox.requests] == ["create"]
    assert_holds_no_secret(sandbox, run.error)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_authorization_token_is_not_retried(
    sandbox: Sandbox, connect: Callable[..., None], tmp_path: Path
) -> None:
    connect(sandbox, password=" ")
    run = land(tmp_path, retries=3)
    assert isinstance(run.error, AlloincognitoAuthError)
    assert f"Connection '{CONNECTION}': The Connection has no password" in str(run.error)
    assert run.tries == {"calls": 1}
    assert sandbox.requests == []


@pytest.mark.parametrize("error_status", [200, 400])
def test_an_error_of_the_api_is_retried(connected_sandbox: StartSandbox, tmp_path: Path, error_status: int) -> None:
    sandbox = connected_sandbox(error_status=error_status)
    sandbox.add_fault("error", method="getcalllist", code=1742, times=None)
    run = land(tmp_path, retries=1)
    assert run.state == "failed"
    assert run.tries == {"calls": 2}
    error = run.errors[-1]
    assert isinstance(error, AlloincognitoApiError)
    assert (error.method, error.code) == ("getcalllist", 1742)
    assert "Внутренняя ошибка при обработке абонента <number>" in error.message
    assert error.request_hash
    for part in ("getcalllist", "1742", "Внутренняя ошибка", error.request_hash):
        assert part in str(error)
    assert_holds_no_secret(sandbox, error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "suffix"),
    [
        ({"kind": "html"}, "jsonl"),
        ({"kind": "empty_body"}, "jsonl"),
        ({"kind": "no_result"}, "jsonl"),
        ({"kind": "malformed_json"}, "jsonl"),
        ({"kind": "trailing_junk"}, "jsonl"),
        ({"kind": "reset", "after_fraction": 0.9}, "jsonl"),
        *(({"kind": kind}, suffix) for kind in ("short_json", "cut") for suffix in ("jsonl", "parquet", "csv.gz")),
    ],
    ids=lambda value: value if isinstance(value, str) else value["kind"],
)
def test_an_invalid_response_lands_nothing(
    sandbox: Sandbox, tmp_path: Path, fault: dict[str, Any], suffix: str
) -> None:
    sandbox.add_fault(**fault, method="getcalllist")
    run = land(tmp_path, suffix=suffix)
    assert run.state == "failed"
    assert isinstance(run.error, AlloincognitoResponseError), run.error
    assert_holds_no_secret(sandbox, run.error)
    assert list(tmp_path.iterdir()) == [], "something was left behind"
    again = land(tmp_path, suffix=suffix)
    assert again.state == "success", again.errors
    assert len(list(tmp_path.iterdir())) == 1


def test_an_earlier_file_stays_when_the_new_response_is_invalid(sandbox: Sandbox, tmp_path: Path) -> None:
    assert land(tmp_path).state == "success"
    (file,) = tmp_path.iterdir()
    before = file.read_bytes()
    sandbox.add_fault("cut", method="getcalllist", after_fraction=0.9)
    assert land(tmp_path).state == "failed"
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
