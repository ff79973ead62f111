"""
Watchers on one loop, in a process of its own, with a clock that runs faster. Prints figures as JSON.

What else Airflow's triggerer does is left out, as in ``benchmarks.triggers.contender``.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from typing import Any

from airflow_provider_alloincognito.triggers.new_calls import AlloincognitoNewCallsTrigger
from airflow_provider_alloincognito.triggers.watermark import Watermark
from airflow_provider_alloincognito.triggers.watermark_stores import PREFIX
from benchmarks.common.stopwatch import MEGABYTE, forget_peak, memory
from benchmarks.triggers.contender import CollectorTimer, LoopTimer


class States:
    """
    The state of one asset, as Airflow 3.3 gives it to a trigger; here in memory.

    :param name: of the watcher.
    :param until: the moment up to which it has looked, in seconds since the epoch.
    """

    def __init__(self, name: str, until: float) -> None:
        self._values: dict[str, Any] = {PREFIX + name: Watermark(int(until)).to_text()}

    async def aget(self, key: str) -> Any:
        """Return a value."""
        return self._values.get(key)

    async def aset(self, key: str, value: Any) -> None:
        """Keep a value."""
        self._values[key] = value


class PlayedTrigger(AlloincognitoNewCallsTrigger):
    """A watcher with a clock that runs faster."""

    began, shown, speed = 0.0, 0.0, 1.0

    def now(self) -> float:
        """Return what the clock shows."""
        return self.shown + (time.time() - self.began) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait for seconds of that clock."""
        await asyncio.sleep(seconds / self.speed)


async def measure(count: int, seconds: float, speed: float, shown: float) -> dict[str, float]:
    """Run watchers. Their first looks are measured too, with what these import."""
    events = 0

    async def watch(index: int) -> None:
        nonlocal events
        name = f"watcher_{index}"
        trigger = PlayedTrigger(name, settling_time=600, look_again_after=900, start_time_field="startTime")
        # Twenty minutes ago, so that both looks at a window begin at once.
        trigger.asset_state_store = States(name, shown - 1200)  # type: ignore[assignment]
        async for _ in trigger.run():
            events += 1

    PlayedTrigger.began, PlayedTrigger.shown, PlayedTrigger.speed = time.time(), shown, speed
    gc.collect()
    forget_peak()
    loop = LoopTimer(CollectorTimer())
    before, cpu, began = memory("VmRSS"), time.process_time(), time.perf_counter()
    watching = [asyncio.create_task(loop.watch())]
    for index in range(count):
        watching.append(asyncio.create_task(watch(index)))
        await asyncio.sleep(0)  # as the triggerer does
    await asyncio.sleep(seconds)
    cpu, wall, peak = time.process_time() - cpu, time.perf_counter() - began, memory("VmHWM")
    ended = [one for one in watching if one.done()]
    for one in watching:
        one.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    assert not ended, ended[0]
    return {
        "events": events,
        "block": loop.longest,
        "block_uncollected": loop.longest_uncollected,
        "cpu": cpu / wall,
        "growth": (peak - before) / MEGABYTE,
    }


def main() -> None:
    """Print the figures on one line."""
    count, seconds, speed, shown = int(sys.argv[1]), *map(float, sys.argv[2:5])
    print(json.dumps(asyncio.run(measure(count, seconds, speed, shown))))


if __name__ == "__main__":
    main()
