"""
One contender in a process of its own: ``triggers``, ``bare`` httpx or an ``idle`` loop. Prints figures as JSON.

The triggers run on one loop, as in a triggerer. What else Airflow's triggerer does is left out, as no provider can
change it: a parent process reads the triggers from the database, sends them over a pipe, and passes on Connections,
log lines and events. Here the Connection comes from the environment.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx

from airflow_provider_alloincognito.triggers.alloincognito import JITTER, AlloincognitoRequestResultTrigger, Polling
from benchmarks.common.stopwatch import MEGABYTE, forget_peak, memory

INTERVAL = 30.0
TICK = 0.01

Waiter = Callable[[int], Coroutine[Any, Any, None]]

lateness: list[float] = []
_sleep = asyncio.sleep


async def timed_sleep(seconds: float) -> None:
    """Sleep, and record how late a wait between two polls ends."""
    wanted = time.perf_counter() + seconds
    await _sleep(seconds)
    if seconds >= INTERVAL * (1 - JITTER):
        lateness.append(time.perf_counter() - wanted)


class CollectorTimer:
    """Adds up the pauses of Python's garbage collector."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0
        gc.callbacks.append(self._add)

    def _add(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.seconds += time.perf_counter() - self._began


class LoopTimer:
    """Finds the longest time that the loop was blocked: in all, and by anything but the collector."""

    def __init__(self, collector: CollectorTimer) -> None:
        self.longest = self.longest_uncollected = 0.0
        self._collector = collector

    async def watch(self) -> None:
        """Measure every tick."""
        while True:
            before, collected = time.perf_counter(), self._collector.seconds
            await _sleep(TICK)
            blocked = time.perf_counter() - before - TICK
            self.longest = max(self.longest, blocked)
            self.longest_uncollected = max(self.longest_uncollected, blocked - (self._collector.seconds - collected))


@asynccontextmanager
async def triggers(url: str) -> AsyncIterator[Waiter]:
    """The provider's trigger."""

    async def wait(index: int) -> None:
        trigger = AlloincognitoRequestResultTrigger(
            f"hash{index}==", deadline=time.time() + 1e6, poll_interval=INTERVAL, poll_factor=1.0
        )
        async for event in trigger.run():
            raise RuntimeError(f"The trigger did not wait: {event}")

    yield wait


@asynccontextmanager
async def bare(url: str) -> AsyncIterator[Waiter]:
    """The same polls, with nothing around them."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(limits=limits, timeout=None) as http:

        async def wait(index: int) -> None:
            polling = Polling(INTERVAL, 1e12, factor=1.0)
            while True:
                params = {"requestHash": f"hash{index}=="}
                response = await http.get(url, params=params, headers={"Authorization": "Bearer token"})
                assert response.status_code == httpx.codes.ACCEPTED
                await asyncio.sleep(polling.next_interval(time.time()) or INTERVAL)

        yield wait


@asynccontextmanager
async def idle(url: str) -> AsyncIterator[Waiter]:
    """Nothing: what the machine and the measuring itself take."""

    async def wait(index: int) -> None:
        await asyncio.Event().wait()

    yield wait


CONTENDERS = {"triggers": triggers, "bare": bare, "idle": idle}


async def measure(contender: str, count: int, seconds: float, url: str) -> dict[str, float]:
    """Run one contender. Its first poll is measured too, with what that imports."""
    collector = CollectorTimer()
    gc.collect()
    collection = collector.seconds
    forget_peak()
    loop = LoopTimer(collector)
    before, cpu, began = memory("VmRSS"), time.process_time(), time.perf_counter()
    watch = asyncio.create_task(loop.watch())
    async with CONTENDERS[contender](url) as wait:
        tasks = await _start(wait, count)
        await _sleep(began + seconds - time.perf_counter())
        cpu, wall, peak = time.process_time() - cpu, time.perf_counter() - began, memory("VmHWM")
        watch.cancel()
        await _stop(tasks)
    late = sorted(lateness) or [0.0]
    return {
        "late": late[int(0.99 * (len(late) - 1))],
        "polls": float(len(tasks) + len(lateness)),
        "block": loop.longest,
        "block_uncollected": loop.longest_uncollected,
        "collection": collection,
        "cpu": cpu / wall,
        "growth": (peak - before) / MEGABYTE,
    }


async def _start(wait: Waiter, count: int) -> list[asyncio.Task[None]]:
    """Start them over one interval, as when tasks defer one after the other."""
    began, tasks = time.perf_counter(), []
    for index in range(count):
        await _sleep(began + INTERVAL * index / count - time.perf_counter())
        tasks.append(asyncio.create_task(wait(index)))
    return tasks


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, asyncio.CancelledError), result


def main() -> None:
    """Print the figures on one line."""
    contender, count, seconds, url = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    # All waits of the trigger and of the bare polls go through this.
    asyncio.sleep = timed_sleep  # type: ignore[assignment]
    print(json.dumps(asyncio.run(measure(contender, count, seconds, url))))


if __name__ == "__main__":
    main()
