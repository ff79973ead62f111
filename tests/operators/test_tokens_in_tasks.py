"""The number of token pairs that tasks make, with the pair in an Airflow Variable; code: hooks/."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dag_runs import VARIABLE, Run, StartSandbox, one_task_dag, run_dag

from airflow_provider_alloincognito.hooks.shared import forget_shared
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
)
from airflow_provider_alloincognito.sandbox import Sandbox

# The pair lives shorter than refresh_before_expiry.
AGEING = {**VARIABLE, "refresh_before_expiry": 3600}
NEXT_DAY = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Moscow"))


@pytest.fixture
def run(tmp_path: Path) -> Callable[[], Run]:
    """Run calls and recordings of a day, each task as in a new process."""

    def make() -> None:
        forget = {"on_execute_callback": lambda context: forget_shared()}
        calls = AlloincognitoCallListOperator(task_id="calls", output_path=f"{tmp_path.as_uri()}/a.jsonl", **forget)
        calls >> AlloincognitoRecordingOperator(
            task_id="recordings",
            calls=f"{tmp_path.as_uri()}/a.jsonl",
            output_path=f"{tmp_path.as_uri()}/mp3",
            skip_existing=False,
            **forget,
        )

    dag = one_task_dag("tokens", make)

    def once() -> Run:
        run = run_dag(dag, NEXT_DAY)
        assert run.state == "success", run.errors
        return run

    return once


def counts(sandbox: Sandbox) -> dict[str, int]:
    """Return the number of requests for pairs since the last call."""
    counted = {method: sandbox.count(method) for method in ("create", "refresh")}
    assert sandbox.count("getcalllist") > 0
    assert sandbox.count("getcallrecordfile") > 0
    sandbox.clear_log()
    return counted


@pytest.mark.parametrize("early_refresh", ["allowed", "refused"])
def test_pairs_over_the_runs_of_a_dag(
    connected_sandbox: StartSandbox, run: Callable[[], Run], early_refresh: str
) -> None:
    sandbox = connected_sandbox(VARIABLE, calls_per_day=8, early_refresh=early_refresh)
    run()
    assert counts(sandbox) == {"create": 1, "refresh": 0}, "the first run ever"
    run()
    run()
    assert counts(sandbox) == {"create": 0, "refresh": 0}, "a valid pair"
    sandbox.expire_access()
    run()
    assert counts(sandbox) == {"create": 0, "refresh": 1}, "the access token has expired"
    sandbox.expire_pair()
    run()
    assert counts(sandbox)["create"] == 1, "both have expired"
    run()
    assert counts(sandbox) == {"create": 0, "refresh": 0}, "a valid pair again"


def test_an_ageing_pair_is_refreshed_before_its_end(connected_sandbox: StartSandbox, run: Callable[[], Run]) -> None:
    sandbox = connected_sandbox(AGEING, calls_per_day=8, access_lifetime=300.0)
    run()
    sandbox.clear_log()
    sandbox.configure(access_lifetime=24 * 3600.0)
    made = len(sandbox.rotations)
    run()
    assert counts(sandbox) == {"create": 0, "refresh": 1}
    assert [one.by for one in sandbox.rotations[made:]] == ["refresh"]


def test_an_ageing_pair_is_used_while_the_server_refuses_to_refresh_it(
    connected_sandbox: StartSandbox, run: Callable[[], Run]
) -> None:
    sandbox = connected_sandbox(AGEING, calls_per_day=8, access_lifetime=300.0, early_refresh="refused")
    run()
    made = len(sandbox.rotations)
    sandbox.clear_log()
    run()
    assert counts(sandbox)["create"] == 0, "the pair is still valid"
    assert len(sandbox.rotations) == made
    sandbox.configure(access_lifetime=24 * 3600.0)
    sandbox.expire_access()
    run()
    # The server may refuse once more before the token has expired.
    assert counts(sandbox)["create"] == 0
    assert [one.by for one in sandbox.rotations[made:]] == ["refresh"]
