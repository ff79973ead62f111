"""The calls that daily runs land: period boundaries, time zones, empty intervals; code: operators/call_list.py."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import Run, daily, one_task_dag, run_dag

from airflow_provider_alloincognito.compat import DAG
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator
from airflow_provider_alloincognito.sandbox import Sandbox

MOSCOW = ZoneInfo("Europe/Moscow")
DAYS = 7


def lines(path: Path) -> list[str]:
    """Return rows as texts that are equal for equal rows."""
    return [json.dumps(json.loads(line), sort_keys=True) for line in path.read_text().splitlines()]


def dag_into(folder: Path, dag_id: str, schedule: Any = None, **arguments: Any) -> DAG:
    def make() -> None:
        AlloincognitoCallListOperator(
            task_id="calls",
            output_path=f"{folder.as_uri()}/{{{{ data_interval_start.strftime('%Y%m%dT%H%M') }}}}.jsonl",
            **arguments,
        )

    return one_task_dag(dag_id, make, schedule=schedule)


def land(folder: Path, dag_id: str, logical_date: datetime, schedule: Any = None, **arguments: Any) -> Run:
    return run_dag(dag_into(folder, dag_id, schedule, **arguments), logical_date)


def seven_days(tmp_path: Path, zone: str, hour: int = 0) -> tuple[list[str], list[str], datetime]:
    """Land seven days with seven runs, and with one; return the rows of both, and the start."""
    start = datetime(2026, 3, 2, hour, tzinfo=ZoneInfo(zone))
    dag = dag_into(tmp_path / "daily", "daily_calls", daily(zone, hour))
    for day in range(1, DAYS + 1):
        run = run_dag(dag, start + timedelta(days=day))
        assert run.state == "success", run.errors
    once = land(
        tmp_path / "weekly",
        "weekly_calls",
        start + timedelta(days=1),
        period_start=start,
        period_end=start + timedelta(days=DAYS),
    )
    assert once.state == "success", once.errors
    files = sorted((tmp_path / "daily").iterdir())
    assert len(files) == DAYS
    (whole,) = (tmp_path / "weekly").iterdir()
    return [row for file in files for row in lines(file)], lines(whole), start


def truth(sandbox: Sandbox, start: datetime, days: int = DAYS) -> list[str]:
    return [json.dumps(row, sort_keys=True) for row in sandbox.truth(start, start + timedelta(days=days))]


# Midnight in each zone, and the hour of Moscow's midnight: the sandbox has calls exactly then.
@pytest.mark.parametrize(
    ("zone", "hour", "server"),
    [
        ("Europe/Moscow", 0, "inclusive"),
        ("Europe/Moscow", 0, "exclusive"),
        ("UTC", 21, "inclusive"),
        ("UTC", 21, "exclusive"),
        ("UTC", 0, "inclusive"),
        ("Asia/Vladivostok", 7, "inclusive"),
        ("Asia/Vladivostok", 7, "exclusive"),
        ("Asia/Vladivostok", 0, "inclusive"),
    ],
)
@pytest.mark.parametrize("setting", ["period_end", "start_time_field"])
def test_seven_daily_runs_land_the_calls_of_one_run(
    connected_sandbox: Callable[..., Sandbox], tmp_path: Path, zone: str, hour: int, server: str, setting: str
) -> None:
    extra = {"period_end": server} if setting == "period_end" else {"start_time_field": "startTime"}
    sandbox = connected_sandbox(extra, period_end=server, start_fractions=True)
    by_days, at_once, start = seven_days(tmp_path, zone, hour)
    assert by_days == at_once == truth(sandbox, start)
    # The test is sharp: there are calls exactly at midnight, and within the last second before it.
    clock = Counter(json.loads(row)["startTime"][11:] for row in by_days)
    assert clock["00:00:00"] >= 2 * DAYS
    assert clock["23:59:59.750"] == DAYS


@pytest.mark.parametrize("server", ["inclusive", "exclusive"])
def test_without_either_setting_no_call_is_lost(
    connected_sandbox: Callable[..., Sandbox], tmp_path: Path, server: str
) -> None:
    sandbox = connected_sandbox(period_end=server)
    by_days, at_once, start = seven_days(tmp_path, "Europe/Moscow")
    wanted = truth(sandbox, start)
    too_many = Counter(by_days) - Counter(wanted)
    assert not Counter(wanted) - Counter(by_days)
    assert not Counter(wanted) - Counter(at_once)
    midnights = {json.loads(row)["startTime"][11:] for row in too_many}
    assert midnights == ({"00:00:00"} if server == "inclusive" else set())
    # Two calls start at each midnight: an inclusive server lists them in both periods.
    assert sum(too_many.values()) == (2 * DAYS if server == "inclusive" else 0)


def test_an_empty_interval_is_explained(sandbox: Sandbox, tmp_path: Path) -> None:
    # Airflow 3 gives "@daily" an empty interval by default.
    run = land(tmp_path, "empty_interval", datetime(2026, 3, 2, tzinfo=MOSCOW), "@daily", retries=3)
    assert isinstance(run.error, AlloincognitoQueryError)
    for part in ("period_start", "period is empty", "'@daily'", "CronDataIntervalTimetable('0 0 * * *'"):
        assert part in str(run.error)
    assert run.tries == {"calls": 1}
    assert list(tmp_path.iterdir()) == []
    assert sandbox.requests == []


def test_a_run_without_a_logical_date_is_explained(sandbox: Sandbox, tmp_path: Path) -> None:
    def make() -> None:
        AlloincognitoCallListOperator(task_id="calls", output_path=f"{tmp_path.as_uri()}/calls.jsonl", retries=3)

    run = run_dag(one_task_dag("no_logical_date", make), None)
    assert isinstance(run.error, AlloincognitoQueryError)
    assert "period_start is not given, and this run has no data interval" in str(run.error)
    assert run.tries == {"calls": 1}
    assert list(tmp_path.iterdir()) == []
    assert sandbox.requests == []


@pytest.mark.parametrize("allowed", [False, True])
def test_an_end_in_the_future(sandbox: Sandbox, tmp_path: Path, allowed: bool) -> None:
    now = datetime.now(UTC)
    run = land(
        tmp_path,
        "future",
        datetime(2026, 3, 2, tzinfo=MOSCOW),
        period_start=now - timedelta(days=1),
        period_end=now + timedelta(hours=1),
        allow_incomplete=allowed,
    )
    if allowed:
        assert run.state == "success", run.errors
        assert len(list(tmp_path.iterdir())) == 1
    else:
        assert isinstance(run.error, AlloincognitoQueryError)
        assert "is in the future" in str(run.error)
        assert "allow_incomplete=True" in str(run.error)
        assert sandbox.requests == []


def test_the_result_has_the_period_that_was_sent(connected_sandbox: Callable[..., Sandbox], tmp_path: Path) -> None:
    sandbox = connected_sandbox({"period_end": "inclusive"}, period_end="inclusive")
    run = land(tmp_path, "sent", datetime(2026, 3, 3, tzinfo=MOSCOW))
    (request,) = [one for one in sandbox.requests if one.method == "getcalllist"]
    result = run.xcoms["calls"]
    assert (result["period_start"], result["period_end"]) == ("2026-03-02 00:00:00", "2026-03-02 23:59:59")
    assert (request.body["periodStart"], request.body["periodEnd"]) == (result["period_start"], result["period_end"])


def test_windows_land_the_same_as_one_request(sandbox: Sandbox, tmp_path: Path) -> None:
    logical_date = datetime(2026, 3, 3, tzinfo=MOSCOW)
    assert land(tmp_path / "one", "one_request", logical_date).state == "success"
    sandbox.clear_log()
    run = land(tmp_path / "many", "many_requests", logical_date, window=timedelta(hours=5))
    assert run.state == "success", run.errors
    assert sandbox.count("getcalllist") == len(run.xcoms["calls"]["request_hashes"]) == 5
    (one,), (many,) = (tmp_path / "one").iterdir(), (tmp_path / "many").iterdir()
    assert one.read_bytes() == many.read_bytes()


def test_a_quiet_day_lands_an_empty_file(connected_sandbox: Callable[..., Sandbox], tmp_path: Path) -> None:
    connected_sandbox(calls_per_day=0)
    run = land(tmp_path, "quiet", datetime(2026, 3, 3, tzinfo=MOSCOW))
    assert run.xcoms["calls"]["rows"] == 0
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == b""
