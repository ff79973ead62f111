"""``RowFilter`` of ``api/results.py``: only rows of the exact period are kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.api.results import RowFilter
from airflow_provider_alloincognito.errors import AlloincognitoResponseError

MOSCOW = ZoneInfo("Europe/Moscow")
START = datetime(2025, 6, 2, tzinfo=MOSCOW)
END = START + timedelta(days=1)


def kept(*rows: dict[str, Any], field: str = "startTime") -> list[dict[str, Any]]:
    batch = RowBatch([msgspec.Raw(json.dumps(row).encode()) for row in rows])
    return RowFilter(field, START, END, MOSCOW)(batch).decode()


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("2025-06-01 23:59:59.999", False),
        ("2025-06-02 00:00:00", True),
        ("2025-06-02T12:00:00", True),
        ("2025-06-02 23:59:59.999", True),
        ("2025-06-03 00:00:00", False),
        ("2025-06-01T21:00:00Z", True),
        ("2025-06-02T21:00:00+00:00", False),
        (int(START.timestamp()), True),
        (int(END.timestamp()) * 1000, False),
        (str(int(END.timestamp()) * 1000 - 1), True),
    ],
)
def test_only_rows_of_the_period_are_kept(text: Any, inside: bool) -> None:
    row = {"a": 1, "startTime": text}
    assert kept(row) == ([row] if inside else [])


@given(st.lists(st.integers(-2 * 86400, 3 * 86400)))
def test_every_call_is_in_exactly_one_period(seconds: list[int]) -> None:
    moments = [START + timedelta(seconds=offset) for offset in seconds]
    rows = [{"startTime": moment.strftime("%Y-%m-%d %H:%M:%S"), "n": n} for n, moment in enumerate(moments)]
    assert kept(*rows) == [row for row, moment in zip(rows, moments, strict=True) if START <= moment < END]


@pytest.mark.parametrize("field", ["start-time", "start", "a.b", "тест", "class", "_x"])
def test_the_start_field_may_have_any_name(field: str) -> None:
    row = {field: "2025-06-02 10:00:00", "другое": {"x": [1]}}
    assert kept(row, field=field) == [row]


@pytest.mark.parametrize("row", [{}, {"startTime": None}, {"startTime": "+7 916 123-45-67"}, {"startTime": [1]}])
def test_a_row_without_a_readable_start_is_an_error_that_names_the_setting(row: dict[str, Any]) -> None:
    with pytest.raises(AlloincognitoResponseError, match="start_time_field") as caught:
        kept(row)
    assert "'startTime'" in str(caught.value)
    assert "916" not in str(caught.value)


def test_a_row_without_the_field_names_those_that_it_has() -> None:
    with pytest.raises(AlloincognitoResponseError) as caught:
        kept({"nachalo": "2025-06-02 00:00:00", "79161234567": 1, "dlitelnost": None})
    assert "A row has no field 'startTime', but nachalo, <number>, dlitelnost, so" in str(caught.value)
    assert "airflow alloincognito sample" in str(caught.value)


@pytest.mark.parametrize("value", [20250602100000, "20250602100000", 20250602, "1970-01-01 00:00:00"])
def test_a_time_far_from_the_period_is_an_error_and_not_dropped(value: Any) -> None:
    with pytest.raises(AlloincognitoResponseError, match="is not a readable time"):
        kept({"startTime": value})


def test_no_call_is_lost_in_an_hour_that_the_zone_repeats() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    hours = [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in range(4)]
    rows = {time: {"startTime": f"2026-10-25 {time}"} for time in ("02:30:00", "03:30:00")}
    batch = RowBatch([msgspec.Raw(json.dumps(row).encode()) for row in rows.values()])
    kept_rows = [RowFilter("startTime", start, end, berlin)(batch).decode() for start, end in pairwise(hours)]
    assert kept_rows == [[rows["02:30:00"]], [rows["02:30:00"]], [rows["03:30:00"]]]
    named = RowBatch([msgspec.Raw(b'{"startTime": "2026-10-25T02:30:00+02:00"}')])
    assert [len(RowFilter("startTime", start, end, berlin)(named)) for start, end in pairwise(hours)] == [1, 0, 0]


def test_a_row_that_is_not_an_object_is_an_error() -> None:
    with pytest.raises(AlloincognitoResponseError):
        RowFilter("startTime", START, END, MOSCOW)(RowBatch([msgspec.Raw(b"[1]")]))


def test_a_period_in_utc_keeps_the_same_rows() -> None:
    row = {"startTime": "2025-06-02 00:00:00"}
    batch = RowBatch([msgspec.Raw(json.dumps(row).encode())])
    assert len(RowFilter("startTime", START.astimezone(UTC), END.astimezone(UTC), MOSCOW)(batch)) == 1
