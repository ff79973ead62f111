"""The zone of times that carry none, by what can be compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_alloincognito.cli.sample.zone import (
    ZoneClue,
    clue_of_call_time,
    clue_of_newest,
    clue_of_period,
    is_naive,
    judge,
    zone_at,
)

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 3, 3, 9, 20, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def clue(hours: float) -> ZoneClue:
    return ZoneClue(hours * HOUR, f"clue {hours}")


@pytest.mark.parametrize(
    ("call_time", "hours"),
    [
        ("2026-03-03 12:20:31", 3),
        ("2026-03-03T14:20:29", 5),
        ("03.03.2026 09:20:30", 0),
        ("2026-03-03 14:50:30", 5.5),
        ("2026-03-03 14:35:30", None),
        ("2026-03-03 12:20:30+03:00", None),
        ("2026-03-05 12:20:30", None),
        (1772529630, None),
        (None, None),
        ("now", None),
    ],
)
def test_call_time(call_time: object, hours: float | None) -> None:
    found = clue_of_call_time(call_time, NOW)
    assert (None if found is None else found.offset) == (None if hours is None else hours * HOUR)
    assert clue_of_call_time(call_time, None) is None


@pytest.mark.parametrize(("newest", "hours"), [("14:19:00", 5), ("12:10:00", 3), ("12:00:00", None)])
def test_the_newest_call(newest: str, hours: float | None) -> None:
    found = clue_of_newest(["2026-03-03 08:00:00", None, f"2026-03-03 {newest}", "?"], NOW)
    assert (None if found is None else found.offset) == (None if hours is None else hours * HOUR)
    assert clue_of_newest([], NOW) is None


def test_starts_that_carry_a_zone_show_how_the_period_was_read() -> None:
    """Asked from 11:20 to 12:20, Moscow: a server in Yekaterinburg takes the texts for its own time."""
    asked = (NOW - HOUR, NOW)
    starts = [(NOW - 3 * HOUR + timedelta(minutes=minutes)).isoformat() for minutes in range(0, 60, 2)]
    found = clue_of_period(starts, asked, MOSCOW, NOW)
    assert found is not None
    assert found.offset == 5 * HOUR
    assert clue_of_period(starts[:3], asked, MOSCOW, NOW) is None, "few calls fit several zones"
    assert clue_of_period(["2026-03-03 12:00:00"], asked, MOSCOW, NOW) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-03 12:00:00", True),
        ("03.03.2026 12:00:00", True),
        ("2026-03-03T12:00:00Z", False),
        (1772529630, False),
        ("1772529630", False),
        (None, False),
        ("text", False),
    ],
)
def test_what_carries_no_zone(value: object, expected: bool) -> None:
    assert is_naive(value) is expected


@pytest.mark.parametrize(
    ("hours", "zone"),
    [(3, "Europe/Moscow"), (5, "Asia/Yekaterinburg"), (0, "UTC"), (-5, "Etc/GMT+5"), (1, "Etc/GMT-1"), (5.5, None)],
)
def test_a_zone_is_proposed(hours: float, zone: str | None) -> None:
    assert zone_at(hours * HOUR, MOSCOW, NOW) == zone


def test_the_configured_zone_stays_if_it_fits() -> None:
    assert zone_at(3 * HOUR, ZoneInfo("Europe/Minsk"), NOW) == "Europe/Minsk"


@pytest.mark.parametrize(
    ("call_time", "newest", "period", "timezone", "is_sure"),
    [
        (clue(3), None, None, "Europe/Moscow", False),
        (clue(5), clue(5), None, "Asia/Yekaterinburg", True),
        (clue(5), clue(4), None, "Asia/Yekaterinburg", False),  # no calls in the last hour
        (clue(0), clue(3), None, None, False),  # calls of the future
        (clue(0), None, clue(7), "Asia/Krasnoyarsk", False),
        (None, clue(5), None, "Asia/Yekaterinburg", False),  # calls of the future, in the configured zone
        (None, clue(3), None, "Europe/Moscow", False),
        (None, clue(1), None, None, False),  # or it is night
        (None, None, None, None, False),
        (clue(5.5), None, None, None, False),
    ],
)
def test_what_they_say_together(
    call_time: ZoneClue | None, newest: ZoneClue | None, period: ZoneClue | None, timezone: str | None, is_sure: bool
) -> None:
    verdict = judge(call_time, newest, period, MOSCOW, NOW)
    assert (verdict.timezone, verdict.is_sure) == (timezone, is_sure)
    assert verdict.text
