"""The windows of a period that is looked at as it passes; code: api/windows.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, strategies as st

from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.windows import Window, window_at, window_from

MOSCOW = ZoneInfo("Europe/Moscow")
FIVE = timedelta(minutes=5)
# Some repeat their hour before midnight, after it, or skip midnight; Lord Howe's clock moves by half an hour.
ZONES = (
    "Europe/Moscow",
    "Europe/Berlin",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Atlantic/Azores",
)

moments = st.datetimes(datetime(2015, 1, 1), datetime(2035, 12, 31)).map(lambda one: one.replace(tzinfo=UTC))
lengths = st.integers(60, 24 * 3600).map(lambda seconds: timedelta(seconds=seconds))
zones = st.sampled_from(ZONES).map(ZoneInfo)


def utc(window: Window) -> tuple[datetime, datetime]:
    """Return a window's ends in UTC: within one zone Python compares local times."""
    return window.start.astimezone(UTC), window.end.astimezone(UTC)


def day(start: datetime, zone: ZoneInfo) -> date:
    return start.astimezone(zone).date()


@given(moment=moments, length=lengths, zone=zones)
@example(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), FIVE, ZoneInfo("Europe/Berlin"))
@example(datetime(2026, 11, 1, 4, 30, tzinfo=UTC), FIVE, ZoneInfo("America/Havana"))
@example(datetime(2018, 2, 18, 1, 30, tzinfo=UTC), FIVE, ZoneInfo("America/Sao_Paulo"))
@example(datetime(2026, 3, 28, 22, 2, tzinfo=UTC), FIVE, ZoneInfo("Asia/Beirut"))
def test_windows_follow_each_other_without_a_gap_and_none_is_of_two_days(
    moment: datetime, length: timedelta, zone: ZoneInfo
) -> None:
    window = window_at(moment, length, zone)
    start, end = utc(window)
    assert start <= moment < end
    assert window_at(start, length, zone) == window, "a window is the same, whichever of its moments is asked for"
    last = end - timedelta(seconds=1)
    assert utc(window_at(last, length, zone)) == (start, end)
    assert day(start, zone) == day(last, zone)
    assert utc(window_from(end, length, zone))[0] == end
    assert utc(window_at(end, length, zone)) == utc(window_from(end, length, zone))


@given(moment=moments, length=lengths, zone=zones)
@example(datetime(2026, 10, 25, 0, 58, tzinfo=UTC), FIVE, ZoneInfo("Europe/Berlin"))
@example(datetime(2026, 11, 1, 4, 58, tzinfo=UTC), FIVE, ZoneInfo("America/Havana"))
def test_the_api_can_be_asked_for_every_window(moment: datetime, length: timedelta, zone: ZoneInfo) -> None:
    start, end = window_at(moment, length, zone)
    query = CallListQuery.checked(period_start=start, period_end=end)
    fields = query.fields(Settings(server="https://api.example", timezone=zone.key))
    assert fields["periodStart"] < fields["periodEnd"]


@given(zone=zones, first=st.dates(date(2015, 1, 2), date(2035, 1, 1)), length=st.integers(600, 86_400))
def test_the_windows_of_a_day_end_with_it(zone: ZoneInfo, first: date, length: int) -> None:
    midnight, following = (datetime.combine(one, time(), zone) for one in (first, first + timedelta(days=1)))
    window = window_at(midnight, timedelta(seconds=length), zone)
    assert utc(window)[0] == midnight.astimezone(UTC)
    while utc(window)[1] < following.astimezone(UTC):
        window = window_from(window.end, timedelta(seconds=length), zone)
    assert utc(window)[1] == following.astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "start", "end"),
    [
        ("12:02:17", "12:00:00", "12:05:00"),
        ("12:05:00", "12:05:00", "12:10:00"),
        ("23:59:59", "23:55:00", "00:00:00"),
    ],
)
def test_windows_of_five_minutes(moment: str, start: str, end: str) -> None:
    window = window_at(datetime.fromisoformat(f"2026-03-03T{moment}+03:00"), FIVE, MOSCOW)
    assert (f"{window.start:%H:%M:%S}", f"{window.end:%H:%M:%S}") == (start, end)
    assert window.start.tzinfo == MOSCOW


def test_in_the_hour_that_a_zone_repeats_a_window_is_longer() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    window = window_at(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), FIVE, berlin)
    assert utc(window) == (datetime(2026, 10, 24, 23, 55, tzinfo=UTC), datetime(2026, 10, 25, 2, tzinfo=UTC))


def test_a_window_that_begins_where_another_length_had_ended_one() -> None:
    start = datetime(2026, 3, 3, 12, 5, tzinfo=MOSCOW)
    assert window_from(start, timedelta(hours=1), MOSCOW) == (start, datetime(2026, 3, 3, 13, tzinfo=MOSCOW))
