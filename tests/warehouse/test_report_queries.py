"""The report's queries give the same rows in PostgreSQL and DuckDB; code: example_dags/alloincognito_report.sql."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from landed import DAY, MOSCOW, day_of, land, made_calls
from loads import Loader
from warehouses import EXAMPLES

pytestmark = [pytest.mark.long, pytest.mark.warehouse]


def test_the_reports_queries(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    if loader.warehouse.name == "clickhouse":
        pytest.skip("The report is not made from ClickHouse.")
    days = [
        land(loader.files, *ends, made_calls(*ends, 2000)) for ends in (day_of(DAY), day_of(DAY + timedelta(days=3)))
    ]
    loader.load(*(day.period for day in days))
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import alloincognito_load_duckdb  # type: ignore[import-not-found]
    import alloincognito_report  # type: ignore[import-not-found]

    monkeypatch.setattr(
        alloincognito_load_duckdb, "locked_warehouse", lambda: closing(loader.warehouse.connect().cursor())
    )
    rows = alloincognito_report.read_rows()

    calls: list[dict[str, Any]] = [call for day in days for call in day.calls.to_pylist()]
    for call in calls:
        call["start"] = call["started_at"].astimezone(MOSCOW)
    by_day = Counter(call["start"].date() for call in calls)
    talks = {day: [call["talk_seconds"] or 0 for call in calls if call["start"].date() == day] for day in by_day}
    assert rows["days"] == [
        (day, number, sum(talks[day]), sum(seconds > 0 for seconds in talks[day]))
        for day, number in sorted(by_day.items())
    ]
    hours = Counter((call["start"].isoweekday(), call["start"].hour) for call in calls)
    assert sorted(rows["hours"]) == sorted((*key, number) for key, number in hours.items())
    outcomes = Counter((call["direction"], "answered" if call["talk_seconds"] else "unanswered") for call in calls)
    assert {(direction, outcome): number for direction, outcome, number in rows["outcomes"]} == outcomes
    numbers = Counter(number for call in calls for number in (call["caller"], call["called"]) if number)
    assert [number for _, number in rows["numbers"]] == sorted(numbers.values(), reverse=True)[:10]
    assert all(numbers[name] == number for name, number in rows["numbers"])
    found = Counter((one["date"], one["status"] == "failed") for day in days for one in day.recordings.to_pylist())
    assert rows["recordings"] == [(day, found[day, False], found[day, True]) for day in sorted(by_day)]
