"""A retry fetches what an earlier try requested by its hash, with Airflow's task state store; code: submitted.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import Run, StartSandbox, one_task_dag, run_dag

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator
from airflow_provider_alloincognito.operators.submitted import STATE_KEY
from airflow_provider_alloincognito.sandbox import Sandbox

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))
NEXT_DAY = DAY + timedelta(days=1)

pytestmark = pytest.mark.skipif(AIRFLOW_VERSION < (3, 0), reason="Airflow 2 has no task state store")


def counts(sandbox: Sandbox) -> tuple[int, int]:
    """Return the numbers of requests for call lists, and for results by their hashes."""
    return sandbox.count("getcalllist"), sandbox.count("getrequestresultbyhash")


def land(path: Path, before_try: Callable[[int], None], *, retries: int = 1, **arguments: Any) -> Run:
    """Land a day; ``before_try`` is called with the number of each try."""

    def make() -> None:
        task = AlloincognitoCallListOperator(task_id="land", output_path=path.as_uri(), **arguments)
        task._pre_execute_hook = lambda context: before_try(context["ti"].try_number)

    return run_dag(one_task_dag("submitted", make, retries=retries), NEXT_DAY)


def kept_state() -> list[Any]:
    """Return what the task state store holds."""
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        kept = TaskStateStoreModel
        return [row.value for row in session.scalars(select(kept).where(kept.key == STATE_KEY))]


@pytest.fixture(autouse=True)
def empty_state_store(airflow_database: None) -> None:
    """Remove the hashes that failed tasks of other tests have left."""
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(TaskStateStoreModel))


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class Blocked:
    """A target that cannot be written to for some tries: a folder has the file's name."""

    def __init__(self, path: Path, tries: int, *todo: Callable[[], object]) -> None:
        self._path, self._tries, self._todo = path, tries, todo
        (path / "in the way").mkdir(parents=True)

    def __call__(self, try_number: int) -> None:
        if try_number > 1:
            for one in self._todo:
                one()
        if try_number == self._tries + 1:
            (self._path / "in the way").rmdir()
            self._path.rmdir()


def test_a_landing_that_failed_is_repeated_by_the_hash(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    run = land(path, Blocked(path, 1))
    assert (run.state, run.tries["land"], len(run.errors)) == ("success", 2, 1), run.errors
    assert counts(sandbox) == (1, 1)
    assert rows_in(path) == sandbox.truth(DAY, NEXT_DAY)
    assert kept_state() == [], "success forgets the hashes"


def test_a_server_that_runs_the_query_again_for_a_hash(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox(hash_reruns_query=True)
    path = tmp_path / "calls.jsonl"
    run = land(path, Blocked(path, 2), retries=2)
    assert (run.state, run.tries["land"]) == ("success", 3), run.errors
    assert counts(sandbox) == (1, 2)
    assert rows_in(path) == sandbox.truth(DAY, NEXT_DAY)
    # Each response has its own hash: the next try used the newest one.
    by_hash = [one.query["requestHash"] for one in sandbox.requests if one.method == "getrequestresultbyhash"]
    assert len({*by_hash, *run.xcoms["land"]["request_hashes"]}) == 3


def test_a_forgotten_hash_leads_to_a_new_request(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    run = land(path, Blocked(path, 1, sandbox.forget_hashes))
    assert run.state == "success", run.errors
    assert counts(sandbox) == (2, 1)
    assert rows_in(path) == sandbox.truth(DAY, NEXT_DAY)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_store_that_is_down_for_two_tries(sandbox: Sandbox, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"calls.{suffix}"
    run = land(path, Blocked(path, 2), retries=2)
    assert (run.state, run.tries["land"], len(run.errors)) == ("success", 3, 2), run.errors
    assert counts(sandbox) == (1, 2)
    assert run.xcoms["land"]["rows"] == len(sandbox.truth(DAY, NEXT_DAY))
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_truncated_response_is_fetched_by_its_hash(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_fault("cut", method="getcalllist", after_fraction=0.7)
    path = tmp_path / "calls.jsonl"
    run = land(path, lambda _: None)
    assert (run.state, run.tries["land"]) == ("success", 2), run.errors
    assert counts(sandbox) == (1, 1)
    assert rows_in(path) == sandbox.truth(DAY, NEXT_DAY)


def test_an_invalid_response_is_not_fetched_by_its_hash(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_fault("malformed_json", method="getcalllist", after_fraction=0.7)
    sandbox.add_fault("malformed_json", method="getrequestresultbyhash", after_fraction=0.7, times=None)
    path = tmp_path / "calls.jsonl"
    run = land(path, lambda _: None)
    assert run.state == "success", run.errors
    assert counts(sandbox) == (2, 0)
    assert rows_in(path) == sandbox.truth(DAY, NEXT_DAY)


@pytest.mark.parametrize("kind", ["html", "empty_body", "no_result"])
def test_a_hash_without_a_result_leads_to_a_new_request(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    sandbox.add_fault(kind, method="getrequestresultbyhash", times=None)
    path = tmp_path / "calls.jsonl"
    run = land(path, Blocked(path, 1))
    assert (run.state, run.tries["land"]) == ("success", 2), run.errors
    assert counts(sandbox) == (2, 1)
    assert rows_in(path) == sandbox.truth(DAY, NEXT_DAY)


def test_a_result_that_is_cut_again_and_again_keeps_its_hash(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_fault("cut", method="getrequestresultbyhash", after_bytes=20, times=None)
    path = tmp_path / "calls.jsonl"
    run = land(path, Blocked(path, 1), poll_interval=0.1, wait_timeout=0.3)
    assert run.state == "failed"
    assert counts(sandbox)[0] == 1
    assert len(kept_state()) == 1


def test_too_few_rows_lead_to_a_new_request(sandbox: Sandbox, tmp_path: Path) -> None:
    """The first response's hash would never bring calls that appear later."""
    path = tmp_path / "calls.jsonl"
    run = land(path, lambda _: None, min_rows=10_000)
    assert (run.state, run.tries["land"], len(run.errors)) == ("failed", 2, 2), run.errors
    assert "min_rows" in str(run.errors[-1])
    assert counts(sandbox) == (2, 0)
    assert kept_state() == []


def test_the_state_holds_hashes_and_no_number(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    seen: list[Any] = []

    def look(try_number: int) -> None:
        if try_number == 2:
            seen.extend(kept_state())

    land(path, Blocked(path, 1, lambda: look(2)), numbers=["+79161234567"])
    assert len(seen) == 1
    assert "9161234567" not in json.dumps(seen)


def test_of_thirty_windows_those_with_a_response_are_fetched_by_their_hashes(
    connected_sandbox: StartSandbox, tmp_path: Path
) -> None:
    sandbox = connected_sandbox()
    sandbox.add_fault("cut", method="getcalllist", skip=16)
    path = tmp_path / "calls.jsonl"
    run = land(path, lambda _: None, window=timedelta(minutes=48))
    assert (run.state, run.tries["land"]) == ("success", 2), run.errors
    assert counts(sandbox) == (30, 17)
    assert rows_in(path) == sandbox.truth(DAY, NEXT_DAY)


def test_changed_arguments_lead_to_a_new_request(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    run = land(path, Blocked(path, 1), direction="{{ 'all' if ti.try_number == 1 else 'incoming' }}")
    assert run.state == "success", run.errors
    assert counts(sandbox) == (2, 0)
    assert rows_in(path) == [row for row in sandbox.truth(DAY, NEXT_DAY) if row["direction"] == 2]
