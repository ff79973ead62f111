"""
What DAGs that load are told; code: loading.py.

It runs on Airflow 2.11 as well. What Airflow itself puts into a run's context: tests/system.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.errors import AlloincognitoLandingError, AlloincognitoQueryError
from airflow_provider_alloincognito.loading import LandedPeriod, landed_periods, without_rows

MOSCOW = "Europe/Moscow"
EVENTS = "triggering_asset_events" if AIRFLOW_VERSION >= (3, 0) else "triggering_dataset_events"


def period(start: str, end: str, calls: str = "calls", manifest: str | None = "manifest") -> LandedPeriod:
    first, after = (datetime.fromisoformat(f"{one}+03:00") for one in (start, end))
    return LandedPeriod(first, after, calls, manifest)


def day(number: int, calls: str = "calls") -> LandedPeriod:
    return period(f"2026-03-{number:02}T00:00:00", f"2026-03-{number + 1:02}T00:00:00", calls)


def started_by(*periods: LandedPeriod) -> Any:
    """Return the context of a run that the events of these periods started, in their order."""
    extras = [
        {
            "path": "folder",
            "calls": one.calls,
            "manifest": one.manifest,
            "period_start": one.start.isoformat(),
            "period_end": one.end.isoformat(),
        }
        for one in periods
    ]
    events = [SimpleNamespace(extra=extra, timestamp=number) for number, extra in enumerate(extras)]
    return {EVENTS: {"asset": list(reversed(events))}}


def test_periods_of_events_are_each_there_once_and_in_order(tmp_path: Path) -> None:
    context = started_by(day(3), day(1, "old"), day(2), day(1, "new"))
    assert landed_periods(context, tmp_path) == [day(1, "new"), day(2), day(3)]


def test_of_periods_that_overlap_the_one_that_landed_last_comes_last(tmp_path: Path) -> None:
    three_days = period("2026-03-01T00:00:00", "2026-03-04T00:00:00")
    assert landed_periods(started_by(day(2), three_days), tmp_path) == [day(2), three_days]
    assert landed_periods(started_by(three_days, day(2)), tmp_path) == [three_days, day(2)]


def test_a_file_of_several_days_is_for_the_run_of_its_first_day(tmp_path: Path) -> None:
    three_days = period("2026-03-01T00:00:00", "2026-03-04T00:00:00")

    def found(key: str) -> list[LandedPeriod]:
        context: Any = {**started_by(three_days), "dag_run": SimpleNamespace(partition_key=key)}
        return landed_periods(context, tmp_path)

    assert found("2026-03-01") == [three_days]
    assert found("2026-03-02") == found("2026-03-03") == []


def test_an_event_of_calls_has_no_manifest(tmp_path: Path) -> None:
    context = started_by(day(1))
    del context[EVENTS]["asset"][0].extra["calls"], context[EVENTS]["asset"][0].extra["manifest"]
    assert landed_periods(context, tmp_path) == [period("2026-03-01T00:00:00", "2026-03-02T00:00:00", "folder", None)]


def by_hand(start: str | None, end: str | None) -> Any:
    return {EVENTS: {}, "params": {"period_start": start, "period_end": end}, "data_interval_start": datetime.now()}


def lands(folder: Path, *periods: str) -> None:
    for name in periods:
        path = folder / "calls" / f"date={name}" / "calls.parquet"
        path.parent.mkdir(parents=True)
        path.touch()


def test_a_run_by_hand_gets_the_days_of_its_period_that_have_landed(tmp_path: Path) -> None:
    lands(tmp_path, "2026-02-28", "2026-03-01", "2026-03-03", "2026-03-04", "2026-03")
    found = landed_periods(by_hand("2026-03-01", "2026-03-04T00:00:00+03:00"), tmp_path.as_uri(), MOSCOW)
    assert [one.name for one in found] == ["2026-03-01", "2026-03-03"]
    assert found[0].start.isoformat() == "2026-03-01T00:00:00+03:00"
    assert found[0].calls == f"{tmp_path.as_uri()}/calls/date=2026-03-01/calls.parquet"
    assert found[0].manifest == f"{tmp_path.as_uri()}/recordings/date=2026-03-01/manifest.jsonl"
    assert [str(one) for one in found[0].days] == ["2026-03-01"]


def test_a_run_by_hand_for_a_part_of_a_day_gets_that(tmp_path: Path) -> None:
    (found,) = landed_periods(by_hand("2026-03-01 08:00", "2026-03-01 20:00"), tmp_path.as_uri(), MOSCOW)
    assert found.calls.endswith("/calls/date=2026-03-01T08-00-00_2026-03-01T20-00-00/calls.parquet")
    assert found.days == []


def test_a_run_by_hand_for_days_that_have_not_landed_fails(tmp_path: Path) -> None:
    with pytest.raises(AlloincognitoQueryError, match="No day from 2026-03-01 to 2026-03-02 has landed"):
        landed_periods(by_hand("2026-03-01", "2026-03-03"), tmp_path.as_uri(), MOSCOW)


def test_a_run_with_a_partition_key_gets_that_day(tmp_path: Path) -> None:
    context: Any = {"dag_run": SimpleNamespace(partition_key="2026-03-01")}
    (found,) = landed_periods(context, tmp_path.as_uri(), MOSCOW)
    assert (found.start, found.end) == (day(1).start, day(1).end)
    assert found.calls == f"{tmp_path.as_uri()}/calls/date=2026-03-01/calls.parquet"


def test_a_partition_key_that_is_no_day_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    context: Any = {"dag_run": SimpleNamespace(partition_key="2026-03-03T08-00-00_2026-03-03T20-00-00")}
    with pytest.raises(AlloincognitoQueryError, match=r"partition key .* is not a day .* period_start"):
        landed_periods(context, tmp_path.as_uri(), MOSCOW)


@pytest.mark.parametrize(
    "context", [{}, by_hand(None, None), {EVENTS: {"other": [SimpleNamespace(extra={}, timestamp=1)]}}]
)
def test_a_run_that_nothing_tells_what_to_load_fails_and_does_not_ask_the_clock(context: Any, tmp_path: Path) -> None:
    with pytest.raises(AlloincognitoQueryError, match="trigger the DAG with the params period_start and period_end"):
        landed_periods(context, tmp_path, MOSCOW)


def test_the_error_of_a_database_shows_no_number() -> None:
    wanted = "has not taken the rows .*INT64.* land its day again"
    with duckdb.connect() as db, pytest.raises(AlloincognitoLandingError, match=wanted) as caught, without_rows():
        db.execute("SELECT '+7 916 000-00-01'::BIGINT")
    assert "916" not in str(caught.value)
    assert caught.value.__suppress_context__
