"""Which window a watcher looks at next; code: triggers/watermark.py."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.errors import AlloincognitoWatermarkError
from airflow_provider_alloincognito.triggers.watermark import Look, Rhythm, Watermark

BERLIN = ZoneInfo("Europe/Berlin")
# The clock goes back on this day.
START = datetime(2026, 10, 25, tzinfo=BERLIN).timestamp()
HOUR = 3600
DAY = 24 * HOUR


def looks(rhythm: Rhythm, until: float, outage: tuple[float, float] = (0.0, 0.0)) -> list[tuple[float, Look]]:
    """Return the looks of a watcher, with their times; none during an outage."""
    found, now, watermark = list[tuple[float, Look]](), START, Watermark(int(START))
    while True:
        if not len(found) % 100:
            assert Watermark.from_text(watermark.to_text()) == watermark
        look = watermark.next_look(rhythm, BERLIN)
        now = max(now, look.due)
        now = outage[1] if outage[0] <= now < outage[1] else now
        if now > until:
            return found
        found.append((now, look))
        watermark = watermark.after(look, 1, "digest", now, rhythm)


@given(
    window=st.integers(60, 7200),
    settling=st.integers(0, 1800),
    again=st.integers(1, 40_000),
    away=st.integers(0, 20 * HOUR),
)
def test_each_window_is_looked_at_in_order_and_once_more(window: int, settling: int, again: int, away: int) -> None:
    again += settling
    again = min(again, 1000 * window)
    away = min(away, 990 * window - again)  # no more are kept
    if again <= settling:
        return
    rhythm = Rhythm(window=window, settling_time=settling, look_again_after=again)
    outage = (START + 10 * HOUR, START + 10 * HOUR + away)
    found = looks(rhythm, START + 25 * HOUR + again + away, outage)
    first = [look.window for _, look in found if look.before is None]
    assert all(one.end.timestamp() == other.start.timestamp() for one, other in itertools.pairwise(first))
    times = [now for now, _ in found]
    assert times == sorted(times)
    assert all(now >= look.due for now, look in found)
    counted = Counter(look.window.start.timestamp() for _, look in found)
    assert max(counted.values()) <= 2
    seen: dict[datetime, float] = {}
    for now, look in found:
        if look.before is not None:
            assert now - seen[look.window.start] >= again - settling - 1, "what came back late has as long to settle"
            continue
        seen[look.window.start] = now
        if now - look.due <= DAY and now + again - settling + 1 < times[-1]:
            assert counted[look.window.start.timestamp()] == 2


def test_a_window_that_is_days_old_is_looked_at_once() -> None:
    """A watcher that begins months back need not send twice as many requests."""
    rhythm = Rhythm(window=300, settling_time=600, look_again_after=3600)
    outage = (START + HOUR, START + HOUR + 3 * DAY)
    found = looks(rhythm, outage[1] + 2 * HOUR, outage)
    counted = Counter(look.window.start.timestamp() for _, look in found)
    assert counted[START + 8 * HOUR] == 1
    assert counted[outage[1] - 3 * HOUR] == 2


def test_a_second_look_that_fails_is_tried_later_and_holds_up_no_other() -> None:
    rhythm = Rhythm(window=300, settling_time=600, look_again_after=3600)
    watermark, now, tried, first = Watermark(int(START)), START, list[float](), set[datetime]()
    while now < START + 30 * HOUR:
        look = watermark.next_look(rhythm, BERLIN)
        now = max(now, look.due)
        if look.before is not None and look.window.start.timestamp() == START:
            tried.append(now)
            watermark = watermark.postponed(look, now)
        else:
            first |= {look.window.start} if look.before is None else set()
            assert now - look.due < 1
            watermark = watermark.after(look, 1, "digest", now, rhythm)
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert pauses[:3] == [300, 600, 1200]
    assert len(tried) == 9
    assert DAY / 2 < tried[-1] - tried[0] < DAY, "then it is given up"
    assert len(first) > 27 * 12


def test_a_second_look_after_an_outage_is_given_up_no_sooner() -> None:
    rhythm = Rhythm(window=300, settling_time=600, look_again_after=3600)
    watermark = Watermark(int(START))
    look = watermark.next_look(rhythm, BERLIN)
    watermark = watermark.after(look, 1, "digest", look.due + 23 * HOUR, rhythm)
    tries = 0
    while watermark.looked:
        (before,) = watermark.looked
        now = before.end + 3600 + before.late + 2.0 * HOUR  # the triggerer was away, too
        watermark = watermark.postponed(Look(look.window, now - 2 * HOUR, before), now)
        tries += 1
        assert all(one.end + 3600 + one.late >= now + 300 for one in watermark.looked), "not at once again"
    assert tries == 9


def test_without_a_second_look_nothing_is_kept() -> None:
    rhythm = Rhythm(window=300, settling_time=600, look_again_after=0)
    assert all(look.before is None for _, look in looks(rhythm, START + 5 * HOUR))


def test_what_was_kept_is_dropped_when_there_are_no_more_second_looks() -> None:
    before = Rhythm(window=300, settling_time=600, look_again_after=3600)
    watermark = Watermark(int(START))
    for _ in range(3):
        look = watermark.next_look(before, BERLIN)
        watermark = watermark.after(look, 1, "digest", look.due, before)
    assert len(watermark.looked) == 3
    rhythm = Rhythm(window=300, settling_time=600, look_again_after=0)
    look = watermark.next_look(rhythm, BERLIN)
    assert look.before is None
    assert watermark.after(look, 1, "digest", look.due, rhythm).looked == ()


@pytest.mark.parametrize("text", ["", "[]", '{"until": "x"}', '{"until": 1, "other": 2}', '{"until": 1772528400000}'])
def test_something_else_in_its_place_is_an_error(text: str) -> None:
    with pytest.raises(AlloincognitoWatermarkError, match="another name"):
        Watermark.from_text(text)
