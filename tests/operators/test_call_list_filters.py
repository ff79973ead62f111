"""Each filter of the operator: what is sent, and what lands; code: operators/call_list.py, api/query.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import Run, one_task_dag, run_dag

from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator
from airflow_provider_alloincognito.sandbox import Sandbox

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))
NEXT_DAY = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Moscow"))
UNSET = {
    "periodStart": "2026-03-03 00:00:00",
    "periodEnd": "2026-03-04 00:00:00",
    "direction": 0,
    "durationFrom": None,
    "durationTo": None,
    "isCallRecord": 0,
    "isRead": None,
}

Row = dict[str, Any]


def land(tmp_path: Path, **arguments: Any) -> tuple[Run, list[Row]]:
    target = tmp_path / "landed" / "calls.jsonl"

    def make() -> None:
        AlloincognitoCallListOperator(task_id="calls", output_path=target.as_uri(), **arguments)

    run = run_dag(one_task_dag("filters", make), NEXT_DAY)
    rows = [json.loads(line) for line in target.read_text().splitlines()] if target.exists() else []
    return run, rows


def body_of(sandbox: Sandbox) -> Any:
    (request,) = [one for one in sandbox.requests if one.method == "getcalllist"]
    assert request.http_method == "POST"
    return request.body


def test_unset_filters_are_sent_as_the_api_documents_them(sandbox: Sandbox, tmp_path: Path) -> None:
    run, rows = land(tmp_path)
    assert run.state == "success", run.errors
    assert body_of(sandbox) == UNSET
    assert rows == sandbox.truth(DAY, NEXT_DAY)


@pytest.mark.parametrize(
    ("arguments", "sent", "keeps"),
    [
        ({"direction": "outgoing"}, {"direction": 1}, lambda row: row["direction"] == 1),
        ({"direction": "incoming"}, {"direction": 2}, lambda row: row["direction"] == 2),
        ({"direction": 2}, {"direction": 2}, lambda row: row["direction"] == 2),
        ({"direction": "{{ 'out' ~ 'going' }}"}, {"direction": 1}, lambda row: row["direction"] == 1),
        ({"duration_from": 60}, {"durationFrom": 60}, lambda row: row["duration"] >= 60),
        ({"duration_from": "{{ 6 * 10 }}"}, {"durationFrom": 60}, lambda row: row["duration"] >= 60),
        ({"duration_to": 60}, {"durationTo": 60}, lambda row: row["duration"] <= 60),
        ({"duration_to": 0}, {"durationTo": 0}, lambda row: row["duration"] == 0),
        ({"is_call_record": True}, {"isCallRecord": 1}, lambda row: row["recordFileId"] is not None),
        ({"is_read": 1}, {"isRead": 1}, lambda row: row["isRead"] == 1),
        ({"is_read": 0}, {"isRead": 0}, lambda row: row["isRead"] == 0),
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_filter_alone(
    sandbox: Sandbox, tmp_path: Path, arguments: Row, sent: Row, keeps: Callable[[Row], bool]
) -> None:
    run, rows = land(tmp_path, **arguments)
    assert run.state == "success", run.errors
    assert body_of(sandbox) == {**UNSET, **sent}
    everything = sandbox.truth(DAY, NEXT_DAY)
    assert rows == [row for row in everything if keeps(row)]
    assert 0 < len(rows) < len(everything)


def numbers_of(sandbox: Sandbox) -> tuple[str, str]:
    """Return two numbers that take part in some, but not all, calls of the day."""
    first, second = sandbox.truth(DAY, NEXT_DAY)[5:7]
    return first["callerNumber"], second["calledNumber"]


@pytest.mark.parametrize("given_as", ["list", "text", "file", "template"])
def test_numbers_in_every_form(sandbox: Sandbox, tmp_path: Path, given_as: str) -> None:
    numbers = numbers_of(sandbox)
    file = tmp_path / "numbers.txt"
    file.write_text("\n".join(numbers) + "\n")
    run, rows = land(
        tmp_path,
        numbers={
            "list": list(numbers),
            "text": ", ".join(numbers),
            "file": str(file),
            "template": f"{tmp_path}/{{{{ 'num' ~ 'bers' }}}}.txt",
        }[given_as],
    )
    assert run.state == "success", run.errors
    assert body_of(sandbox) == {**UNSET, "numbers": list(numbers)}
    everything = sandbox.truth(DAY, NEXT_DAY)
    wanted = {same(number) for number in numbers}
    assert rows == [row for row in everything if {same(row["callerNumber"]), same(row["calledNumber"])} & wanted]
    assert 0 < len(rows) < len(everything)
    # What Airflow stores and shows of the task: rendered fields and its return value.
    shown = json.dumps([run.rendered, run.xcoms], default=str)
    assert "output_path" in shown
    assert not [number for number in numbers if number in shown]
    of_numbers = {"list": "2 numbers (not shown)", "text": "numbers (not shown)"}
    assert run.rendered["calls"]["numbers"] == of_numbers.get(given_as, str(file))


def test_the_connection_can_rename_the_numbers_field(connected_sandbox: Callable[..., Sandbox], tmp_path: Path) -> None:
    sandbox = connected_sandbox({"numbers_field": "abonents"}, numbers_field="abonents")
    numbers = numbers_of(sandbox)
    run, rows = land(tmp_path, numbers=numbers)
    assert run.state == "success", run.errors
    assert body_of(sandbox)["abonents"] == list(numbers)
    assert rows


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"period_end": "2026-03-01 00:00:00"}, ["period_start", "is after", "A period must end after it starts"]),
        ({"period_start": "2026-03-04 00:00:00"}, ["the period is empty", "The usual cause"]),
        ({"period_start": "the other day"}, ["period_start", "not a valid time", "2026-03-01 00:00:00"]),
        ({"period_start": "00:00:00"}, ["period_start is '00:00:00', which is not a valid time"]),
        ({"period_start": "+7 916 000-11-22"}, ["period_start is '<number>', which is not a valid time"]),
        ({"duration_from": -1}, ["duration_from is -1", "0 or more"]),
        ({"duration_to": "long"}, ["duration_to is 'long'", "whole number of seconds"]),
        ({"duration_from": 10, "duration_to": 5}, ["duration_from (10)", "duration_to (5)", "swapped"]),
        ({"direction": "sideways"}, ["direction is 'sideways'", "'outgoing'", "'incoming'"]),
        ({"direction": 3}, ["direction is 3", "0, 1, 2"]),
        ({"is_read": 2}, ["is_read is 2", "0, 1"]),
        ({"numbers": ["+7 (916) 000-11-22", "reception"]}, ["numbers[1]", "digits", "usual cause"]),
        ({"numbers": "+7 (916) 000-11-22 / +7 (916) 000-11-23"}, ["numbers[0] is not a valid phone number"]),
        ({"numbers": "/etc"}, ["numbers", "cannot be read (IsADirectoryError)"]),
        ({"numbers": []}, ["numbers", "contains no number", "usual cause"]),
        (
            {"numbers": "/nowhere/numbers.txt"},
            ["numbers", "cannot be read (FileNotFoundError)", "/nowhere/numbers.txt"],
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_an_invalid_query_fails_before_any_request(
    sandbox: Sandbox, tmp_path: Path, arguments: Row, parts: list[str]
) -> None:
    run, _ = land(tmp_path, retries=3, **arguments)
    assert run.state == "failed"
    assert isinstance(run.error, AlloincognitoQueryError)
    for part in parts:
        assert part in str(run.error)
    assert "reception" not in str(run.error)
    assert "000-11" not in str(run.error)
    assert run.tries == {"calls": 1}, "Airflow retried it"
    assert sandbox.requests == []
    assert not (tmp_path / "landed").exists()


@pytest.mark.parametrize(
    "arguments",
    [{"file_format": "csv"}, {"schema": {"callId": "text"}}, {"unknown_fields": "lose"}, {"unknown_fields": "drop"}],
    ids=str,
)
def test_invalid_file_options_are_not_retried(sandbox: Sandbox, tmp_path: Path, arguments: Row) -> None:
    run, _ = land(tmp_path, retries=3, **arguments)
    assert run.state == "failed"
    assert run.tries == {"calls": 1}
    assert [one.method for one in sandbox.requests if one.method == "getcalllist"] == []


def same(number: str) -> str:
    """Return a Russian number without its country code."""
    return "7" + number[1:] if number[0] == "8" else number
