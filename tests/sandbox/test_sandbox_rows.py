"""The rows of a call list: its period, its filters, and how rows are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from sandbox_client import PlainClient

from airflow_provider_alloincognito.sandbox import ROW_FIELDS

Row = dict[str, Any]


def test_the_rows_of_a_day_are_the_truth_in_order(client: PlainClient) -> None:
    rows = client.rows()
    assert rows == client.sandbox.truth("2025-06-02", "2025-06-03")
    assert rows == sorted(rows, key=lambda row: row["startTime"])
    assert tuple(rows[0]) == ROW_FIELDS


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ({"direction": 1}, lambda row: row["direction"] == 1),
        ({"direction": 2}, lambda row: row["direction"] == 2),
        ({"durationFrom": 60}, lambda row: row["duration"] >= 60),
        ({"durationTo": 60}, lambda row: row["duration"] <= 60),
        ({"durationFrom": 30, "durationTo": 90}, lambda row: 30 <= row["duration"] <= 90),
        ({"durationTo": 0}, lambda row: row["duration"] == 0),
        ({"isCallRecord": 1}, lambda row: row["recordFileId"] is not None),
        ({"isRead": 0}, lambda row: row["isVoicemail"] and row["isRead"] == 0),
        ({"isRead": 1}, lambda row: row["isVoicemail"] and row["isRead"] == 1),
        ({"direction": 2, "isCallRecord": 1}, lambda row: row["direction"] == 2 and row["recordFileId"]),
    ],
)
def test_a_filter_selects_rows(client: PlainClient, body: Row, right: Callable[[Row], Any]) -> None:
    everything = client.sandbox.truth("2025-06-02", "2025-06-03")
    found = client.rows(**body)
    assert found == [row for row in everything if right(row)]
    assert 0 < len(found) < len(everything)


@pytest.mark.parametrize(
    ("value", "first"),
    [
        ("iso", "2025-06-02T00:00:00"),
        ("iso_offset", "2025-06-02T00:00:00+03:00"),
        ("iso_z", "2025-06-01T21:00:00Z"),
        ("dotted", "02.06.2025 00:00:00"),
        ("epoch_s", 1748811600),
        ("epoch_ms", 1748811600000),
    ],
)
def test_how_a_start_is_written(client: PlainClient, value: str, first: str | int) -> None:
    client.sandbox.configure(start_format=value)
    rows = client.rows()
    assert rows[0]["startTime"] == first
    assert rows == client.sandbox.truth("2025-06-02", "2025-06-03")


def test_numbers_select_callers_and_called(client: PlainClient) -> None:
    everything = client.sandbox.truth("2025-06-02", "2025-06-03")
    wanted = everything[5]["callerNumber"], everything[9]["calledNumber"]
    found = client.rows(numbers=list(wanted))
    assert found == [row for row in everything if row["callerNumber"] in wanted or row["calledNumber"] in wanted]
    assert len(found) >= 2
    assert client.rows(numbers=["70000000000"]) == []
    assert client.rows(numbers=[]) == everything


def test_a_number_is_the_same_with_8_7_or_plus_7(client: PlainClient) -> None:
    number = next(
        row["callerNumber"] for row in client.sandbox.truth("2025-06-02", "2025-06-03") if row["callerNumber"][0] == "7"
    )
    found = client.rows(numbers=[number])
    assert found
    assert found == client.rows(numbers=["+" + number]) == client.rows(numbers=["8" + number[1:]])


def test_the_end_is_outside_or_inside_the_period(client: PlainClient) -> None:
    two_days = client.sandbox.truth("2025-06-02", "2025-06-04")
    boundary = [row for row in two_days if row["startTime"] == "2025-06-03 00:00:00"]
    monday = client.sandbox.truth("2025-06-02", "2025-06-03")
    assert len(boundary) == 2
    assert client.rows() == monday
    client.sandbox.configure(period_end="inclusive")
    assert client.rows() == monday + boundary
    assert client.rows(periodEnd="2025-06-02 23:59:59") == monday


def test_an_inclusive_end_includes_the_fractions_of_its_second(client: PlainClient) -> None:
    client.sandbox.configure(period_end="inclusive", start_fractions=True)
    rows = client.rows(periodEnd="2025-06-02 23:59:59")
    assert rows == client.sandbox.truth("2025-06-02", "2025-06-03")
    assert rows[-1]["startTime"] == "2025-06-02 23:59:59.750"


def test_a_period_in_parts_has_each_row_once(client: PlainClient) -> None:
    client.sandbox.configure(start_fractions=True)
    cuts = ["2025-06-01 18:30:00", "2025-06-02 00:00:00", "2025-06-02 11:11:11", "2025-06-03 09:00:01"]
    parts = [client.rows(periodStart=start, periodEnd=end) for start, end in pairwise(cuts)]
    whole = client.rows(periodStart=cuts[0], periodEnd=cuts[-1])
    assert [row for part in parts for row in part] == whole
    assert whole == client.sandbox.truth(cuts[0], cuts[-1])


def test_a_period_of_one_moment_has_rows_if_its_end_is_inclusive(client: PlainClient) -> None:
    moment = {"periodStart": "2025-06-02 00:00:00", "periodEnd": "2025-06-02 00:00:00"}
    assert client.rows(**moment) == []
    client.sandbox.configure(period_end="inclusive")
    assert len(client.rows(**moment)) == 2


@pytest.mark.parametrize(("value", "seen"), [("[]", []), ("null", None)])
def test_a_day_without_calls(client: PlainClient, value: str, seen: Any) -> None:
    client.sandbox.configure(calls_per_day=0, empty_rowset=value)
    result = client.call_list().json()["result"]
    assert result["rowset"] == seen
    assert result["requestHash"]


def test_row_fields_can_be_renamed_and_left_out(client: PlainClient) -> None:
    client.sandbox.configure(row_fields={"startTime": "дата", "recordFileId": "file%id", "comment": None})
    rows = client.rows(isCallRecord=1)
    assert rows == [row for row in client.sandbox.truth("2025-06-02", "2025-06-03") if row["file%id"]]
    assert "comment" not in rows[0]
    assert rows[0]["дата"] == "2025-06-02 00:00:00"


def test_awkward_rows_are_the_truth(client: PlainClient) -> None:
    client.sandbox.configure(awkward_rows=True)
    rows = client.rows()
    assert rows == client.sandbox.truth("2025-06-02", "2025-06-03")
    assert any("}]" in json.dumps(row["comment"]) for row in rows)
    assert any(isinstance(row["comment"], dict) for row in rows)


def test_calls_appear_some_time_after_their_end(client: PlainClient) -> None:
    body = {"periodStart": "2098-01-01 00:00:00", "periodEnd": "2098-01-02 00:00:00"}
    assert client.rows(**body) == []
    client.sandbox.configure(call_appears_after=None)
    assert client.rows(**body) == client.sandbox.truth("2098-01-01", "2098-01-02")


def test_recordings_can_appear_later_than_calls(client: PlainClient, recorded: Row) -> None:
    client.sandbox.configure(recording_appears_after=1e10)
    rows = client.rows()
    assert len(rows) == len(client.sandbox.truth("2025-06-02", "2025-06-03"))
    assert {row["recordFileId"] for row in rows} == {None}
    assert client.rows(isCallRecord=1) == []
    assert client.record_file(recorded["recordFileId"]).json()["error"]["errorCode"] == 1000
    client.sandbox.configure(recording_appears_after=0)
    assert client.mp3(recorded["recordFileId"])


def test_the_rows_of_a_year_are_the_truth(client: PlainClient) -> None:
    client.sandbox.configure(calls_per_day=20)
    rows = client.rows(periodStart="2024-01-01 00:00:00", periodEnd="2025-01-01 00:00:00")
    assert rows == client.sandbox.truth("2024-01-01", "2025-01-01")


def test_times_are_in_the_zone_of_the_api(client: PlainClient) -> None:
    aware = client.sandbox.truth(datetime(2025, 6, 1, 21, tzinfo=UTC), datetime(2025, 6, 2, 21, tzinfo=UTC))
    assert aware == client.sandbox.truth("2025-06-02", "2025-06-03")
    client.sandbox.configure(timezone="Asia/Vladivostok")
    called = datetime.fromisoformat(client.call_list().json()["result"]["callTime"])
    assert abs((called - datetime.now(UTC).replace(tzinfo=None)).total_seconds() - 10 * 3600) < 10


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("spelled", [{"1": "исх.", "2": "вх."}, {"1": 10, "2": 20}, {"2": 0}])
def test_directions_are_written_as_the_settings_say(
    client: PlainClient, spelled: dict[str, Any], as_text: bool
) -> None:
    client.sandbox.configure(row_values={"direction": spelled}, numbers_as_text=as_text)
    rows = client.rows(direction=2)
    second = spelled["2"]
    assert {row["direction"] for row in rows} == {str(second) if as_text else second}
    every = client.sandbox.truth("2025-06-02", "2025-06-03")
    assert rows == [row for row in every if row["direction"] == rows[0]["direction"]]
    assert client.rows() == every
