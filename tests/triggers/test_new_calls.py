"""The trigger of an asset's watcher against a sandbox: events, second looks, restarts and outages."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import logging
import random
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from plain_server import PlainServer, Said
from watching import FIVE, MOSCOW, Event, States, Watcher, at, events_of, watch

from airflow_provider_alloincognito.api.transport.async_client import AsyncClient
from airflow_provider_alloincognito.api.windows import Window
from airflow_provider_alloincognito.compat import HAS_ASSET_WATCHERS
from airflow_provider_alloincognito.errors import AlloincognitoQueryError, AlloincognitoResponseError
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.triggers.new_calls import AlloincognitoNewCallsTrigger, periods_with_new_calls
from airflow_provider_alloincognito.triggers.row_digest import RowDigest
from airflow_provider_alloincognito.triggers.watermark import Look, Rhythm, Watermark

pytestmark = pytest.mark.skipif(not HAS_ASSET_WATCHERS, reason="Airflow 2 has no asset watchers")

LISTS = "getcalllist"
CALL_LIST_PATH = "/api/v1/request/getcalllist"
NOON, ONE = at("12:00:00"), at("13:00:00")
KEY = "alloincognito_new_calls_test"

Connected = Callable[..., Sandbox]


@pytest.fixture
def busy_sandbox(connected_sandbox: Connected) -> Connected:
    """Start a sandbox with a call every few minutes."""
    return lambda *args, **settings: connected_sandbox(*args, **{"calls_per_day": 400, **settings})


def calls_in(sandbox: Sandbox, event: Event) -> int:
    return len(sandbox.truth(event["period_start"], event["period_end"]))


def times(events: list[Event]) -> list[str]:
    """Return the minutes at which windows begin, and what is special about their events."""
    return [f"{one['period_start'][11:16]}{' again' if one['again'] else ''}" for one in events]


def index_of_call_in(sandbox: Sandbox, start: datetime, end: datetime) -> int:
    """Return the index in its day of the first call of a period."""
    whole = sandbox.truth(start.date(), start.date() + timedelta(days=1))
    return whole.index(sandbox.truth(start, end)[0])


class Broken(Watermark):
    def next_look(self, rhythm: Rhythm, zone: ZoneInfo) -> Look:
        raise ZeroDivisionError("79161234567")


class ReadsNoneAgain(Watcher):
    async def _read(self, client: AsyncClient, window: Window) -> RowDigest:
        if self.now() - window.end.timestamp() > 3000:
            raise AlloincognitoResponseError("It could not be read again.")
        return await super()._read(client, window)


class TestEvents:
    def test_each_window_with_calls_has_one_event(self, busy_sandbox: Connected) -> None:
        sandbox = busy_sandbox()
        events = events_of(Watcher(NOON, at("14:20:00"), States(), look_again_after=0))
        starts = [datetime.fromisoformat(one["period_start"]) for one in events]
        windows = [NOON + timedelta(seconds=FIVE * index) for index in range(25)]
        wanted = {start: len(sandbox.truth(start, start + timedelta(seconds=FIVE))) for start in windows}
        told = dict(zip(starts, [one["calls"] for one in events], strict=True))
        assert {start: count for start, count in wanted.items() if count} == {
            start: count for start, count in told.items() if start in wanted
        }
        assert 0 in wanted.values(), "and one without calls has none"
        assert starts == sorted(set(starts))
        assert events[0].keys() == {"period_start", "period_end", "calls", "again"}

    def test_a_window_is_looked_at_when_it_has_settled(self, busy_sandbox: Connected) -> None:
        busy_sandbox()
        moments: list[float] = []

        async def first_event(watcher: Watcher) -> None:
            async for _ in watcher.run():
                moments.append(watcher.now())
                return

        asyncio.run(first_event(Watcher(NOON, at("14:00:00"), States(), window=3600, settling_time=900)))
        assert 0 <= moments[0] - at("13:15:00").timestamp() <= 360, "spread over a tenth of the window"

    def test_windows_end_with_the_day(self, busy_sandbox: Connected) -> None:
        busy_sandbox()
        clock = at("20:00:00")
        events = events_of(Watcher(clock, clock + timedelta(hours=14), States(), window=7 * 3600, settling_time=0))
        ends = [one["period_end"] for one in events]
        assert "2026-03-04T00:00:00+03:00" in ends

    def test_filters(self, busy_sandbox: Connected) -> None:
        sandbox = busy_sandbox()
        (event,) = events_of(Watcher(NOON, at("13:20:00"), States(), window=3600, direction="incoming"))
        assert event["calls"] == sum(row["direction"] == 2 for row in sandbox.truth(NOON, ONE))

    def test_calls_at_the_end_of_a_window_are_of_the_next_one(self, busy_sandbox: Connected) -> None:
        sandbox = busy_sandbox(period_end="inclusive", calls_per_day=20_000, start_fractions=False)
        events = events_of(Watcher(NOON, at("12:20:00"), States(), window=60, start_time_field="startTime"))
        assert events
        assert [one["calls"] for one in events] == [calls_in(sandbox, one) for one in events]

    @pytest.mark.parametrize("style", ["202", "no_rowset"])
    def test_a_result_that_is_not_ready_is_polled_by_its_hash(self, busy_sandbox: Connected, style: str) -> None:
        sandbox = busy_sandbox(call_list_answer="pending", pending_polls=2, pending_style=style)
        (event,) = events_of(Watcher(NOON, at("13:20:00"), States(), window=3600))
        assert event["calls"] == calls_in(sandbox, event)
        assert sandbox.count(LISTS) == 1
        assert sandbox.count("getrequestresultbyhash") == 3

    def test_neither_events_nor_the_watermark_hold_a_number(
        self, busy_sandbox: Connected, caplog: pytest.LogCaptureFixture
    ) -> None:
        sandbox = busy_sandbox()
        caplog.set_level(logging.DEBUG)
        states = States()
        events = events_of(Watcher(NOON, at("14:00:00"), states))
        shown = json.dumps([events, states.values, caplog.text])
        assert not [number for number in sandbox.phone_numbers(NOON, ONE) if number in shown]
        assert not [token for token in sandbox.tokens_ever_issued if token in shown]


class TestSecondLook:
    def test_a_call_that_was_late_is_told_of_again(self, busy_sandbox: Connected) -> None:
        sandbox = busy_sandbox()
        late = at("12:05:00")
        index = index_of_call_in(sandbox, late, at("12:30:00"))
        start = datetime.fromisoformat(sandbox.truth(late, at("12:30:00"))[0]["startTime"]).replace(tzinfo=MOSCOW)
        change = {"day": date(2026, 3, 3), "index": index, "change": "remove"}
        sandbox.configure(changes=[change])
        appears = {at("12:55:00"): lambda: sandbox.configure(changes=[])}
        events = events_of(Watcher(NOON, at("13:50:00"), States(), then=appears))
        (again,) = [one for one in events if one["again"]]
        assert datetime.fromisoformat(again["period_start"]) <= start < datetime.fromisoformat(again["period_end"])
        assert again["calls"] == calls_in(sandbox, again)

    @pytest.mark.parametrize("change", ["longer", "remove", "add"])
    def test_what_was_corrected_is_told_of_again(self, busy_sandbox: Connected, change: str) -> None:
        sandbox = busy_sandbox()
        index = index_of_call_in(sandbox, NOON, ONE)
        one = {"day": date(2026, 3, 3), "index": index, "change": change}
        corrected = {at("13:25:00"): lambda: sandbox.configure(changes=[one])}
        watcher = Watcher(NOON, at("14:30:00"), States(), window=3600, then=corrected)
        first, again = [event for event in events_of(watcher) if event["period_start"][11:13] == "12"]
        assert not first["again"]
        assert again["again"]
        assert again["calls"] - first["calls"] == {"longer": 0, "remove": -1, "add": 1}[change]

    def test_nothing_changed_is_not_told(self, busy_sandbox: Connected) -> None:
        sandbox = busy_sandbox()
        events = events_of(Watcher(NOON, at("14:30:00"), States()))
        assert not [one for one in events if one["again"]]
        assert sandbox.count(LISTS) > 30, "windows were looked at twice"

    def test_rows_in_another_order_are_no_change(
        self, plain_server: Callable[..., PlainServer], connect: Callable[..., None]
    ) -> None:
        rows = [b'{"a": 1}', b'{"b": "7916"}']
        body = b'{"error": null, "result": {"rowset": [%b]}}'
        server = plain_server({CALL_LIST_PATH: Said(body % b", ".join(rows))})
        connect(server)
        turned = {at("13:40:00"): lambda: server.answers.update({CALL_LIST_PATH: Said(body % b", ".join(rows[::-1]))})}
        watcher = Watcher(NOON, at("14:10:00"), States(), window=3600, then=turned)
        assert times(events_of(watcher)) == ["12:00"]


class TestRestarts:
    def test_a_restarted_watcher_goes_on(self, busy_sandbox: Connected) -> None:
        busy_sandbox()
        states = States()
        whole = times(events_of(Watcher(NOON, at("15:00:00"), States())))
        parts: list[str] = []
        for clock, until in itertools.pairwise(("12:00:00", "13:00:00", "13:01:00", "14:10:00", "15:00:00")):
            parts += times(events_of(Watcher(at(clock), at(until), states)))
        assert sorted(set(parts)) == sorted(whole)

    def test_what_was_told_just_before_a_kill_is_told_again(self, busy_sandbox: Connected) -> None:
        busy_sandbox()
        states = States()
        lost = events_of(Watcher(NOON, at("13:00:00"), states, confirmed_after=3600))
        assert lost
        assert json.loads(states.values[KEY])["until"] == NOON.timestamp(), "Airflow may not have stored them"
        told = events_of(Watcher(at("13:00:00"), at("13:01:00"), states, confirmed_after=3600))
        assert told[: len(lost)] == lost

    @pytest.mark.parametrize("seed", range(3))
    def test_killed_at_random_moments_it_leaves_nothing_out(self, busy_sandbox: Connected, seed: int) -> None:
        """Airflow stores an event ten seconds after it was emitted, if the triggerer still lives then."""
        busy_sandbox()
        wanted = set(times(events_of(Watcher(NOON, at("16:00:00"), States(), look_again_after=0))))
        states, clock, stored = States(), NOON, list[Event]()
        rng = random.Random(seed)
        while clock < at("16:00:00"):
            killed = min(clock + timedelta(seconds=rng.uniform(30, 1500)), at("16:00:00"))
            events, told_at = list[Event](), list[float]()
            asyncio.run(watch(Watcher(clock, killed, states, look_again_after=0), events, told_at))
            stored += [one for one, told in zip(events, told_at, strict=True) if told + 10 < killed.timestamp()]
            clock = killed
        stored += events_of(Watcher(clock, at("16:02:00"), states, look_again_after=0))
        assert wanted <= set(times(stored))

    def test_another_token_makes_other_digests(self, busy_sandbox: Connected) -> None:
        digests = []
        for _ in range(2):
            busy_sandbox()
            states = States()
            events_of(Watcher(NOON, at("13:00:00"), states))
            digests.append({one[3] for one in json.loads(states.values[KEY])["looked"] if one[3]})
        assert digests[0]
        assert not digests[0] & digests[1], "who tries all numbers needs the token, too"

    def test_a_watermark_stays_small(self, busy_sandbox: Connected) -> None:
        busy_sandbox()
        states = States()
        events_of(Watcher(NOON, at("18:00:00"), states))
        assert len(states.values[KEY]) < 1000

    def test_a_watcher_begins_where_it_is_told_to(self, busy_sandbox: Connected) -> None:
        sandbox = busy_sandbox()
        events = events_of(Watcher(NOON, at("12:30:00"), States(), first="2026-03-03 09:00:00", look_again_after=0))
        assert times(events)[0] == "09:00"
        assert 36 <= sandbox.count(LISTS) <= 40

    def test_a_watermark_of_somebody_else(self, busy_sandbox: Connected, caplog: pytest.LogCaptureFixture) -> None:
        busy_sandbox()
        states = States()
        states.values[KEY] = "?"
        assert events_of(Watcher(NOON, at("13:00:00"), states)) == []
        assert "give the watcher another name" in caplog.text
        assert states.values[KEY] == "?"


class TestTrouble:
    def test_after_hours_of_outage_it_catches_up_without_a_burst(self, busy_sandbox: Connected) -> None:
        sandbox = busy_sandbox({"retries": 0})
        wanted = set(times(events_of(Watcher(NOON, at("17:00:00"), States(), look_again_after=0))))
        sandbox.clear_log()
        down = {at("12:30:00"): lambda: sandbox.add_fault("status", status=502, times=None)}
        up = {at("15:30:00"): sandbox.clear_faults}
        watcher = Watcher(NOON, at("17:00:00"), States(), look_again_after=0, then={**down, **up})
        events, told_at = list[Event](), list[float]()
        asyncio.run(watch(watcher, events, told_at))
        assert set(times(events)) == wanted
        assert all(after - before >= 1 for before, after in itertools.pairwise(told_at))
        failed = [one for one in sandbox.requests if one.status == 502]
        assert 20 < len(failed) < 200, "minutes lie between the tries"

    def test_a_refused_token_ends_no_watcher(
        self, busy_sandbox: Connected, connect: Callable[..., None], caplog: pytest.LogCaptureFixture
    ) -> None:
        sandbox = busy_sandbox()
        connect(sandbox, password="not.a.token")
        mended = {at("12:40:00"): lambda: connect(sandbox)}
        events = events_of(Watcher(NOON, at("13:00:00"), States(), then=mended))
        assert times(events)[0] in ("12:00", "12:05"), "nothing is left out"
        (line, *_) = [one for one in caplog.records if one.levelno == logging.ERROR]
        assert "authorization token" in line.getMessage()
        assert "Trying again in 5 min" in line.getMessage()
        assert "not.a.token" not in caplog.text

    def test_a_pause_of_a_day_is_cut(self, busy_sandbox: Connected) -> None:
        """A gateway's page says so for all outages, also those that end soon."""
        sandbox = busy_sandbox({"retries": 0})
        sandbox.add_fault("status", status=503, retry_after=86_400, times=1)
        watcher = Watcher(NOON, at("13:40:00"), States(), look_again_after=0)
        assert len(events_of(watcher)) > 5
        assert max(watcher.waits) <= 3600

    def test_an_error_that_is_none_of_this_package_ends_no_watcher(
        self, busy_sandbox: Connected, caplog: pytest.LogCaptureFixture
    ) -> None:
        busy_sandbox()
        watcher = Watcher(NOON, at("12:40:00"), States(), window=60)
        watcher._watermark = Broken(until=int(NOON.timestamp()))
        assert events_of(watcher) == []
        (line, *_) = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
        assert "ZeroDivisionError in test_new_calls.py, line" in line
        assert "79161234567" not in caplog.text
        assert watcher.waits[0] == 300

    def test_a_window_that_cannot_be_read_again_holds_up_no_other(
        self, busy_sandbox: Connected, caplog: pytest.LogCaptureFixture
    ) -> None:
        busy_sandbox()
        wanted = times(events_of(Watcher(NOON, at("14:00:00"), States(), look_again_after=0)))
        watcher = ReadsNoneAgain(NOON, at("14:10:00"), States())
        assert set(wanted[:-1]) <= set(times(events_of(watcher)))
        assert "could not be listed again, which is tried later" in caplog.text

    def test_a_token_that_is_refused_at_second_looks_loses_none_of_them(
        self, busy_sandbox: Connected, connect: Callable[..., None], caplog: pytest.LogCaptureFixture
    ) -> None:
        sandbox = busy_sandbox()
        states = States()
        refused = {at("12:58:00"): lambda: connect(sandbox, password="not.a.token")}
        mended = {at("13:30:00"): lambda: connect(sandbox)}
        events_of(Watcher(NOON, at("15:00:00"), states, then={**refused, **mended}))
        assert 4 <= len([one for one in caplog.records if one.levelno == logging.ERROR]) <= 8, "every five minutes"
        (oldest, *_) = json.loads(states.values[KEY])["looked"]
        assert oldest[0] >= at("13:40:00").timestamp(), "all older ones were looked at again"

    def test_a_response_that_breaks_is_read_anew(self, busy_sandbox: Connected) -> None:
        sandbox = busy_sandbox({"retries": 2})
        sandbox.add_fault("cut", method=LISTS, after_bytes=700)
        (event,) = events_of(Watcher(NOON, at("13:20:00"), States(), window=3600))
        assert event["calls"] == calls_in(sandbox, event)

    def test_a_window_that_is_too_large(
        self, busy_sandbox: Connected, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox = busy_sandbox({"max_response_bytes": 2000})
        assert events_of(Watcher(NOON, at("13:20:00"), States(), window=3600)) == []
        assert "request a shorter period" in caplog.text
        assert sandbox.count(LISTS) <= 4

    def test_a_large_window_does_not_hold_the_loop(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox(calls_per_day=200_000)
        sandbox.truth("2026-03-03", "2026-03-04")

        async def longest_hold() -> tuple[list[Event], float]:
            events: list[Event] = []
            watcher = Watcher(
                at("03:00:00"), at("18:00:00"), States(), window=43_200, settling_time=0, start_time_field="startTime"
            )
            watching = asyncio.create_task(watch(watcher, events))
            longest, before = 0.0, time.thread_time()
            while not watching.done():
                await asyncio.sleep(0)
                longest, before = max(longest, time.thread_time() - before), time.thread_time()
            await watching
            return events, longest

        events, _ = asyncio.run(longest_hold())  # the first time, modules are imported
        events, longest = asyncio.run(longest_hold())
        print(f"the loop was held for {1000 * longest:.0f} ms at most")
        assert events[0]["calls"] > 50_000
        assert longest < 0.1


class TestArguments:
    def test_a_dag_can_be_copied_with_its_trigger(self) -> None:
        """Airflow 3.0 does so, with each task's inlets."""
        trigger = AlloincognitoNewCallsTrigger("test", window=60)
        assert copy.deepcopy(trigger).serialize() == trigger.serialize()

    def test_they_survive_serialization(self) -> None:
        trigger = AlloincognitoNewCallsTrigger("test", window=600, first=NOON, direction="incoming")
        path, arguments = trigger.serialize()
        assert path.endswith("triggers.new_calls.AlloincognitoNewCallsTrigger")
        again = AlloincognitoNewCallsTrigger(**json.loads(json.dumps(arguments)))
        assert again.serialize() == (path, arguments)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"name": "a b"}, "name is invalid"),
            ({"window": 30}, "from 60 to 86400"),
            ({"window": 90.5}, "from 60 to 86400"),
            ({"settling_time": -1}, "0 s or more"),
            ({"look_again_after": 600}, "more than that, or to 0"),
            ({"window": 60, "look_again_after": 86_400}, "more than 1000 windows"),
            ({"first": "yesterday"}, "first is not a valid time"),
            ({"direction": "sideways"}, "direction is 'sideways'"),
            ({"duration_from": 9, "duration_to": 3}, "no call can match"),
        ],
    )
    def test_invalid_ones_are_refused_when_the_dag_is_parsed(self, arguments: dict[str, Any], said: str) -> None:
        with pytest.raises(AlloincognitoQueryError, match=said):
            AlloincognitoNewCallsTrigger(**{"name": "test", **arguments})


class TestPeriods:
    def test_windows_of_a_runs_events_that_follow_each_other_are_one_period(self) -> None:
        class Told:
            def __init__(self, number: int, extra: dict[str, Any]) -> None:
                self.timestamp = NOON + timedelta(seconds=number)
                self.extra = extra

        def told(start: str, end: str, again: bool = False) -> dict[str, Any]:
            payload = {"period_start": start, "period_end": end, "calls": 1, "again": again}
            return {"from_trigger": True, "payload": payload}

        first = ("2026-03-03T12:00:00+03:00", "2026-03-03T12:05:00+03:00")
        second = ("2026-03-03T12:05:00+03:00", "2026-03-03T12:10:00+03:00")
        extras = [told(*second), told(*first), told(*first, again=True), {"path": "another asset's"}, {"payload": 1}]
        context: Any = {"triggering_asset_events": {"asset": [Told(*one) for one in enumerate(extras)]}}
        assert periods_with_new_calls(context) == [{"period_start": first[0], "period_end": second[1]}]
        left = ("2026-03-03T12:15:00+03:00", "2026-03-03T12:20:00+03:00")
        context["inlet_events"] = {"asset": [Told(0, told(*first)), Told(60, told(*left))]}
        assert periods_with_new_calls(context)[1:] == [{"period_start": left[0], "period_end": left[1]}]
        assert periods_with_new_calls({}) == []  # type: ignore[typeddict-item]

    def test_what_was_left_stays_a_period_of_its_own(self) -> None:
        left = [{"period_start": "2026-03-03T11:50:00+03:00", "period_end": "2026-03-03T12:05:00+03:00"}]
        payload = {"period_start": "2026-03-03T12:05:00+03:00", "period_end": "2026-03-03T12:10:00+03:00", "calls": 1}
        event = SimpleNamespace(timestamp=NOON, extra={"payload": payload})
        context: Any = {"triggering_asset_events": {"asset": [event]}}
        new = {name: payload[name] for name in ("period_start", "period_end")}
        assert periods_with_new_calls(context, left) == [*left, new], "it may fail again"

    def test_no_period_has_parts_of_two_days_and_there_are_no_more_than_airflow_maps(self) -> None:
        def event(start: datetime) -> SimpleNamespace:
            end = start + timedelta(minutes=1)
            payload = {"period_start": start.isoformat(), "period_end": end.isoformat(), "calls": 1}
            return SimpleNamespace(timestamp=NOON, extra={"payload": payload})

        def periods(*starts: datetime) -> list[tuple[str, str]]:
            context: Any = {"triggering_asset_events": {"asset": [event(start) for start in starts]}}
            return [(one["period_start"][5:16], one["period_end"][5:16]) for one in periods_with_new_calls(context)]

        midnight = at("00:00:00")
        before, after = midnight - timedelta(minutes=1), midnight
        assert periods(before, after) == [("03-02T23:59", "03-03T00:00"), ("03-03T00:00", "03-03T00:01")]
        every_other_minute = [midnight + timedelta(minutes=2 * number) for number in range(1440)]
        assert periods(*every_other_minute) == [("03-03T00:00", "03-03T23:59"), ("03-04T00:00", "03-04T23:59")]
