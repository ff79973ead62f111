"""Lines that repeat are logged at first, then now and then; code: api/log_limit.py."""

from __future__ import annotations

import itertools

from airflow_provider_alloincognito.api.log_limit import LogLimit


def test_the_first_lines_then_one_a_minute() -> None:
    now = 0.0
    limit = LogLimit(3, 60.0, clock=lambda: now)
    allowed = []
    for second in range(300):
        now = float(second)
        if limit.allows():
            allowed.append(second)
    assert allowed[:3] == [0, 1, 2]
    assert [after - before for before, after in itertools.pairwise(allowed[2:])] == [58, 60, 60, 60]


def test_none_at_first() -> None:
    now = 0.0
    limit = LogLimit(0, 60.0, clock=lambda: now)
    assert not limit.allows()
    now = 61.0
    assert [limit.allows(), limit.allows()] == [True, False]


def test_quiet_time_allows_as_many_as_at_first() -> None:
    now = 0.0
    limit = LogLimit(2, 60.0, clock=lambda: now)
    assert [limit.allows() for _ in range(3)] == [True, True, False]
    now = 3600.0
    assert [limit.allows() for _ in range(3)] == [True, True, False]
