"""
Where the period comes from, and its names in templates; code: operators/period.py.

Passes on Airflow 3.3 and 2.11; runs without a logical date exist only on 3.x.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import Run, StartSandbox, one_task_dag, run_dag

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.operators.period import period_name, period_params
from airflow_provider_alloincognito.sandbox import Sandbox

MOSCOW = ZoneInfo("Europe/Moscow")
NEXT_DAY = datetime(2026, 3, 4, tzinfo=MOSCOW)
PARAMS = {"period_start": "2026-02-01T00:00:00+03:00", "period_end": "2026-02-02T00:00:00+03:00"}
INTERVAL, FROM_PARAMS = ("2026-03-03 00:00:00", "2026-03-04 00:00:00"), ("2026-02-01 00:00:00", "2026-02-02 00:00:00")

without_date = pytest.mark.skipif(AIRFLOW_VERSION < (3, 0), reason="every run of Airflow 2 has a logical date")


def run_with(
    folder: Path, *, date: datetime | None = NEXT_DAY, conf: dict[str, Any] | None = None, **arguments: Any
) -> Run:
    def make() -> None:
        AlloincognitoCallListOperator(
            task_id="calls", **{"output_path": f"{folder.as_uri()}/{{{{ period_start | ds }}}}.jsonl", **arguments}
        )

    dag = one_task_dag("period", make, retries=2)
    dag.params.update(period_params())
    return run_dag(dag, date, conf)


def period_of(run: Run) -> tuple[str, str]:
    assert run.state == "success", run.errors
    return run.xcoms["calls"]["period_start"], run.xcoms["calls"]["period_end"]


def test_arguments_go_before_params_and_params_before_the_interval(sandbox: Sandbox, tmp_path: Path) -> None:
    assert period_of(run_with(tmp_path)) == INTERVAL
    assert period_of(run_with(tmp_path, conf=PARAMS)) == FROM_PARAMS
    given = {"period_start": "2026-01-01", "period_end": datetime(2026, 1, 2)}
    assert period_of(run_with(tmp_path, conf=PARAMS, **given)) == ("2026-01-01 00:00:00", "2026-01-02 00:00:00")
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "2026-01-01.jsonl",
        "2026-02-01.jsonl",
        "2026-03-03.jsonl",
    ], "the names in the path follow the period"


@without_date
def test_a_run_without_a_date_takes_the_params(sandbox: Sandbox, tmp_path: Path) -> None:
    assert period_of(run_with(tmp_path, date=None, conf=PARAMS)) == FROM_PARAMS
    assert (tmp_path / "2026-02-01.jsonl").exists()


@without_date
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"output_path": "file:///nowhere/calls.jsonl"},
            "period_start is not given, and this run has no data interval",
        ),
        ({}, "period_start is not given, and this run has no data interval"),
        ({"output_path": "file:///nowhere/{{ ds }}"}, "A template cannot be rendered: 'ds' is undefined. This run has"),
        (
            {"output_path": "file:///nowhere/{{ data_interval_start | ds }}"},
            "A template cannot be rendered: 'data_interval_start' is undefined. This run has no data interval",
        ),
    ],
)
def test_a_run_without_a_period_is_explained_and_not_retried(
    sandbox: Sandbox, tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    run = run_with(tmp_path, date=None, **arguments)
    assert isinstance(run.error, AlloincognitoQueryError)
    assert str(run.error).startswith(said)
    assert "Trigger the DAG with the params period_start and period_end" in str(run.error)
    assert run.tries == {"calls": 1}
    assert sandbox.requests == []


@pytest.mark.parametrize("given", ["period_start", "period_end"])
def test_half_a_period_in_the_params_is_refused(sandbox: Sandbox, tmp_path: Path, given: str) -> None:
    run = run_with(tmp_path, conf={given: PARAMS[given]})
    assert isinstance(run.error, AlloincognitoQueryError)
    assert "only one is given" in str(run.error)
    assert run.tries == {"calls": 1}
    assert sandbox.requests == []


def test_a_mistyped_param_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    run = run_with(tmp_path, conf={"periodstart": PARAMS["period_start"], "period_end": PARAMS["period_end"]})
    assert "Is 'periodstart' meant to be period_start?" in str(run.error)


def test_a_mistyped_date_is_shown(sandbox: Sandbox, tmp_path: Path) -> None:
    run = run_with(tmp_path, period_start="2026-13-45", period_end="2026-03-02")
    assert "period_start is '2026-13-45', which is not a valid time" in str(run.error)


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        ("2026-03-01T00:00:00", "2026-03-02T00:00:00", "2026-03-01"),
        ("2026-02-01T00:00:00", "2026-03-01T00:00:00", "2026-02"),
        ("2025-12-01T00:00:00", "2026-01-01T00:00:00", "2025-12"),
        ("2026-02-01T00:00:00", "2026-04-01T00:00:00", "2026-02-01T00-00-00_2026-04-01T00-00-00"),
        ("2026-03-01T08:00:00", "2026-03-01T20:00:00", "2026-03-01T08-00-00_2026-03-01T20-00-00"),
        ("2026-03-01T00:00:00", "2026-03-01T23:59:59", "2026-03-01T00-00-00_2026-03-01T23-59-59"),
    ],
)
def test_a_period_that_is_no_whole_day_has_a_name_of_its_own(start: str, end: str, name: str) -> None:
    assert period_name(*(datetime.fromisoformat(one).replace(tzinfo=MOSCOW) for one in (start, end))) == name


def test_some_hours_by_hand_do_not_replace_the_file_of_the_day(sandbox: Sandbox, tmp_path: Path) -> None:
    path = f"{tmp_path.as_uri()}/date={{{{ period }}}}/calls.jsonl"
    run_with(tmp_path, output_path=path)
    whole = (tmp_path / "date=2026-03-03" / "calls.jsonl").read_bytes()
    hours = {"period_start": "2026-03-03T00:00:00+03:00", "period_end": "2026-03-03T12:00:00+03:00"}
    run_with(tmp_path, output_path=path, conf=hours)
    assert (tmp_path / "date=2026-03-03" / "calls.jsonl").read_bytes() == whole
    assert (tmp_path / "date=2026-03-03T00-00-00_2026-03-03T12-00-00" / "calls.jsonl").stat().st_size < len(whole)


def test_a_template_that_cannot_be_read_is_not_retried(sandbox: Sandbox, tmp_path: Path) -> None:
    run = run_with(tmp_path, direction="{{ period")
    assert isinstance(run.error, AlloincognitoQueryError)
    assert run.tries == {"calls": 1}


def test_a_wrong_name_in_a_template_is_explained_and_not_retried(sandbox: Sandbox, tmp_path: Path) -> None:
    run = run_with(tmp_path, direction="{{ richtung }}")
    assert isinstance(run.error, AlloincognitoQueryError)
    assert str(run.error).startswith("A template cannot be rendered: 'richtung' is undefined. Check its names")
    assert run.tries == {"calls": 1}


def test_the_names_are_times_in_the_zone_of_the_api(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    connected_sandbox({"timezone": "Asia/Vladivostok"}, timezone="Asia/Vladivostok")
    run = run_with(
        tmp_path,
        period_start="2026-03-03T15:00:00+00:00",
        period_end="{{ period_start.add(days=1) }}",
        output_path=f"{tmp_path.as_uri()}/{{{{ period_start }}}} {{{{ period_end.format('YYYY-MM') }}}}.jsonl",
    )
    assert period_of(run) == ("2026-03-04 01:00:00", "2026-03-05 01:00:00")
    assert [file.name for file in tmp_path.iterdir()] == ["2026-03-04 01:00:00+10:00 2026-03.jsonl"]


def test_all_operators_know_the_names_also_mapped(sandbox: Sandbox, tmp_path: Path) -> None:
    folder = f"{tmp_path.as_uri()}/{{{{ period_start | ds }}}}"

    def make() -> None:
        calls = AlloincognitoCallListOperator.partial(task_id="calls", output_path=f"{folder}/calls.jsonl").expand(
            direction=["all"]
        )
        asked = AlloincognitoCallListOperator(task_id="asked", output_path=f"{folder}/asked.jsonl")
        AlloincognitoRecordingOperator(task_id="mp3", calls=asked.output, output_path=f"{folder}/mp3")
        AlloincognitoRequestResultOperator(
            task_id="result", request_hash=asked.output, output_path=f"{folder}/result.jsonl"
        )
        calls >> asked

    run = run_dag(one_task_dag("names", make), NEXT_DAY)
    assert run.state == "success", run.errors
    names = {file.name for file in (tmp_path / "2026-03-03").iterdir()}
    assert names == {"calls.jsonl", "asked.jsonl", "mp3", "result.jsonl"}


def test_only_the_names_themselves_are_looked_up(sandbox: Sandbox, tmp_path: Path) -> None:
    path = f"{tmp_path.as_uri()}/period_start-{{{{ params.period_start or 'none' }}}}.jsonl"
    assert period_of(run_with(tmp_path, output_path=path)) == INTERVAL
    assert [file.name for file in tmp_path.iterdir()] == ["period_start-none.jsonl"]


def test_a_macro_of_the_dag_keeps_its_name(sandbox: Sandbox, tmp_path: Path) -> None:
    def make() -> None:
        path = f"{tmp_path.as_uri()}/{{{{ period_start }}}}.jsonl"
        AlloincognitoCallListOperator(task_id="calls", output_path=path)

    dag = one_task_dag("macro", make)
    dag.user_defined_macros = {"period_start": "mine"}
    assert run_dag(dag, NEXT_DAY).state == "success"
    assert [file.name for file in tmp_path.iterdir()] == ["mine.jsonl"]


def test_a_mapped_period(sandbox: Sandbox, tmp_path: Path) -> None:
    def make() -> None:
        AlloincognitoCallListOperator.partial(
            task_id="calls", output_path=f"{tmp_path.as_uri()}/{{{{ period_start | ds }}}}.jsonl"
        ).expand_kwargs([{"period_start": "2026-01-01", "period_end": "2026-01-02"}])

    run = run_dag(one_task_dag("mapped_period", make), NEXT_DAY)
    assert run.state == "success", run.errors
    assert [file.name for file in tmp_path.iterdir()] == ["2026-01-01.jsonl"]


def test_the_form_has_two_dates_that_may_be_empty() -> None:
    params = period_params()
    assert list(params) == ["period_start", "period_end"]
    for param in params.values():
        assert param.resolve() is None
        assert param.resolve("2026-03-01T00:00:00+03:00") == "2026-03-01T00:00:00+03:00"
        assert param.schema["format"] == "date-time"
        assert param.schema["title"]
        assert param.description
