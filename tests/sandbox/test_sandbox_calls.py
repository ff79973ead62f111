"""The generator of calls: deterministic, plausible, quick."""

from __future__ import annotations

import time
from collections import Counter
from datetime import date, datetime, timedelta

import pytest

from airflow_provider_alloincognito.sandbox import Sandbox, SandboxSettings
from airflow_provider_alloincognito.sandbox.calls import CallGenerator, calls_of_day

MONDAY, SUNDAY = date(2025, 6, 2), date(2025, 6, 8)
SETTINGS = SandboxSettings()


def test_the_same_seed_gives_the_same_calls() -> None:
    assert calls_of_day(SETTINGS, MONDAY) == calls_of_day(SandboxSettings(), MONDAY)
    assert calls_of_day(SETTINGS, MONDAY) != calls_of_day(SandboxSettings(seed=1), MONDAY)


def test_a_known_day_does_not_change() -> None:
    # Other machines and other versions of Python must see the same day.
    rows = Sandbox(calls_per_day=8).truth("2025-06-02", "2025-06-03")
    assert [row["callId"] % 10_000_000 for row in rows] == list(range(len(rows)))
    assert [(row["startTime"], row["callerNumber"], row["recordFileId"]) for row in rows[:3]] == [
        ("2025-06-02 00:00:00", "79438316857", "454a2fe9-d1e6-4d42-b72d-02765b2ee972"),
        ("2025-06-02 09:30:00", "89878822524", None),
        ("2025-06-02 09:42:03", "79613299497", "d13f5637-21bf-4a1a-a9da-5c506644637a"),
    ]


def test_a_working_day_has_more_calls_than_a_sunday() -> None:
    working, free = calls_of_day(SETTINGS, MONDAY), calls_of_day(SETTINGS, SUNDAY)
    assert 2200 < len(working) < 2800
    assert len(free) < len(working) / 2
    hours = Counter(call.start_ms // 3_600_000 for call in working)
    assert hours[11] > 10 * hours[3]
    assert hours[11] > 3 * hours[20]


def test_the_calls_of_a_day_are_consistent() -> None:
    calls = calls_of_day(SETTINGS, MONDAY)
    assert {call.direction for call in calls} == {1, 2}
    assert {call.status for call in calls} == {"answered", "missed", "voicemail"}
    for call in calls:
        assert all(len(number) == 11 and number.isdigit() for number in (call.caller, call.called))
        assert (call.duration == 0) == (call.status == "missed")
        assert call.is_voicemail == (call.status == "voicemail") == (call.is_read is not None)
        assert not (call.status == "missed" and call.record_file_id)
    assert {call.caller[0] for call in calls} == {"7", "8"}
    share = sum(call.record_file_id is None for call in calls if call.status == "answered") / len(calls)
    assert 0.05 < share < 0.2
    ids = [call.record_file_id for call in calls if call.record_file_id]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("day", [MONDAY, SUNDAY, date(2024, 2, 29)])
def test_the_boundaries_of_a_day(day: date) -> None:
    calls = calls_of_day(SETTINGS, day)
    assert [call.start_ms for call in calls[:2]] == [0, 0]
    assert calls[2].start_ms > 0
    assert calls[-1].start_ms == 86_399_000
    assert calls[-1].end_ms > 86_400_000
    assert all(call.start_ms % 1000 == 0 for call in calls)


def test_about_half_of_the_starts_can_have_fractions() -> None:
    calls = calls_of_day(SandboxSettings(start_fractions=True), MONDAY)
    share = sum(call.start_ms % 1000 > 0 for call in calls) / len(calls)
    assert 0.4 < share < 0.6
    assert [call.start_ms for call in calls] == sorted(call.start_ms for call in calls)


@pytest.mark.parametrize("size", [0, 1, 2, 5, 9, 1000])
def test_a_day_can_have_an_exact_number_of_calls(size: int) -> None:
    settings = SandboxSettings(calls_per_day=size, daily_variation=False)
    for day in (MONDAY, SUNDAY):
        calls = calls_of_day(settings, day)
        assert len(calls) == size
        assert calls == sorted(calls, key=lambda call: call.start_ms)


def test_recordings_are_found_by_id_alone() -> None:
    book = CallGenerator()
    for call in calls_of_day(SETTINGS, MONDAY):
        if call.record_file_id:
            assert CallGenerator.find_recording(book, SETTINGS, call.record_file_id) == (MONDAY, call)
    one = next(call.record_file_id for call in calls_of_day(SETTINGS, MONDAY) if call.record_file_id)
    assert book.find_recording(SandboxSettings(seed=5), one) is None
    assert book.find_recording(SETTINGS, one[:-1] + ("0" if one[-1] != "0" else "1")) is None
    assert one[14] == "4"


def test_a_month_is_quick() -> None:
    sandbox = Sandbox()
    began = time.perf_counter()
    rows = sandbox.truth("2025-06-01", "2025-07-01")
    # About half a second on an idle machine.
    assert time.perf_counter() - began < 10
    assert len(rows) > 50_000


def test_only_the_last_used_days_are_kept() -> None:
    book = CallGenerator(keep_calls=5000)
    for day in range(10):
        book.calls(SETTINGS, MONDAY + timedelta(days=day))
    assert len(book.cache) <= 4


def test_the_end_of_a_period_is_outside_it() -> None:
    book = CallGenerator()
    found = [call for _, call in book.between(SETTINGS, datetime(2025, 6, 2), datetime(2025, 6, 3))]
    assert found == calls_of_day(SETTINGS, MONDAY)
    assert list(book.between(SETTINGS, datetime(2025, 6, 2), datetime(2025, 6, 2))) == []
