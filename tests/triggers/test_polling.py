"""The intervals between polls; code: triggers/alloincognito.py."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.triggers.alloincognito import JITTER, Polling

NOW = 1_700_000_000.0


def waits(polling: Polling, count: int) -> list[float]:
    return [seconds for _ in range(count) if (seconds := polling.next_interval(NOW)) is not None]


def test_intervals_grow_to_the_ceiling() -> None:
    got = waits(Polling(10, NOW + 1e6, factor=2, ceiling=60), 6)
    assert got == pytest.approx([10, 20, 40, 60, 60, 60], rel=JITTER)
    assert len(set(got[3:])) == 3, "jitter keeps many from coming at once"


def test_equal_intervals_and_a_ceiling_below_the_first() -> None:
    assert waits(Polling(600, NOW + 1e6, factor=1, ceiling=1), 3) == pytest.approx([600] * 3, rel=JITTER)


def test_the_last_interval_ends_at_the_deadline_and_none_follows() -> None:
    polling = Polling(10, NOW + 4)
    assert polling.next_interval(NOW) == 4
    assert polling.next_interval(NOW + 4) is None
    assert polling.next_interval(NOW + 9999) is None


def test_the_pause_that_the_server_asks_for_is_kept_to_but_not_past_the_deadline() -> None:
    assert Polling(1, NOW + 1000).next_interval(NOW, 90.0) == 90
    assert Polling(1, NOW + 30).next_interval(NOW, 90.0) == 30
    assert Polling(10, NOW + 1000).next_interval(NOW, 0.0) == pytest.approx(10, rel=JITTER)


@given(
    start=st.floats(0.01, 1e5),
    factor=st.floats(1, 10),
    ceiling=st.floats(0, 1e6),
    left=st.floats(0.01, 1e6),
    asked=st.none() | st.floats(0, 1e7),
)
def test_no_interval_goes_beyond_the_deadline(
    start: float, factor: float, ceiling: float, left: float, asked: float | None
) -> None:
    polling = Polling(start, NOW + left, factor=factor, ceiling=ceiling)
    for _ in range(5):
        seconds = polling.next_interval(NOW, asked)
        assert seconds is not None
        assert 0 <= seconds <= (NOW + left) - NOW
