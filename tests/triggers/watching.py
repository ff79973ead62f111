"""A watcher whose clock is the test's: it waits for nothing, and ends at a moment of that clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.triggers.new_calls import AlloincognitoNewCallsTrigger

MOSCOW = ZoneInfo("Europe/Moscow")
FIVE = 300
Event = dict[str, Any]


def at(text: str) -> datetime:
    """Return a time of 3 March 2026 in Moscow."""
    return datetime.fromisoformat(f"2026-03-03T{text}+03:00")


class Ended(BaseException):
    """The test's time is over: no error, which a watcher would outlive."""


class States:
    """The state of one asset, as Airflow 3.3 gives it to a trigger."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = value


class Watcher(AlloincognitoNewCallsTrigger):
    """
    Plays its time.

    :param clock: where it begins.
    :param until: where it ends.
    :param states: the asset's.
    :param confirmed_after: seconds after which an event is taken to be stored.
    :param then: what happens in the meantime, by moment.
    """

    def __init__(
        self,
        clock: datetime,
        until: datetime,
        states: States | None,
        *,
        confirmed_after: float = 60.0,
        then: dict[datetime, Callable[[], Any]] | None = None,
        **arguments: Any,
    ) -> None:
        self.clock = clock.timestamp()
        self.waits: list[float] = []
        self._until = until.timestamp()
        self._then = sorted((moment.timestamp(), action) for moment, action in (then or {}).items())
        values: dict[str, Any] = {"name": "test", "first": clock, **arguments}
        super().__init__(**values)
        self.confirmed_after = confirmed_after
        self.asset_state_store: Any = states

    def now(self) -> float:
        return self.clock

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock += seconds
        while self._then and self._then[0][0] <= self.clock:
            self._then.pop(0)[1]()
        if self.clock >= self._until:
            raise Ended
        await asyncio.sleep(0)


async def watch(watcher: Watcher, events: list[Event], told_at: list[float] | None = None) -> None:
    """Run a watcher until its time is over; collect its events, and their times."""
    with suppress(Ended):
        async for event in watcher.run():
            events.append(event.payload)
            if told_at is not None:
                told_at.append(watcher.now())


def events_of(watcher: Watcher) -> list[Event]:
    """Run a watcher on a new loop until its time is over, and return its events."""
    events: list[Event] = []
    asyncio.run(watch(watcher, events))
    return events
