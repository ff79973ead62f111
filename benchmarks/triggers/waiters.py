"""
One contender in a process of its own: ``triggers``, ``bare`` httpx or an ``idle`` loop. Prints figures as JSON.

The triggers run on one loop, as in a triggerer. Left out is what Airflow's own triggerer does beside it, as no provider
can change it: a parent process that reads the rows of triggers from the database, hands them over a pipe and passes
Connections, log lines and events on. Here the Connection comes out of the environment.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from airflow_provider_alloincognito.triggers.alloincognito import JITTER, AlloincognitoRequestResultTrigger, Polling
from benchmarks.common.stopwatch import _status

INTERVAL = 30.0
TICK = 0.01
MEGABYTE = 1000**2

Waiter = Callable[[int], Coroutine[Any, Any, None]]

lateness: list[float] = []
_sleep = asyncio.sleep


async def sleep_noting(seconds: float) -> None:
    """Sleep, and note how late a wait between two polls ends."""
    wanted = time.perf_counter() + seconds
    await _sleep(seconds)
    if seconds >= INTERVAL * (1 - JITTER):
        lateness.append(time.perf_counter() - wanted)


class Collector:
    """How long Python's garbage collector holds everything up."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.seconds += time.perf_counter() - self._began


class Clock:
    """How long the loop is held: in all, and by anything but the collector."""

    def __init__(self, collector: Collector) -> None:
        self.longest = self.longest_uncollected = 0.0
        self._collector = collector

    async def watch(self) -> None:
        """Look every tick."""
        while True:
            before, collected = time.perf_counter(), self._collector.seconds
            await _sleep(TICK)
            held = time.perf_counter() - before - TICK
            self.longest = max(self.longest, held)
            self.longest_uncollected = max(self.longest_uncollected, held - (self._collector.seconds - collected))


@asynccontextmanager
async def triggers(url: str) -> AsyncIterator[Waiter]:
    """The provider's."""

    async def wait(index: int) -> None:
        trigger = AlloincognitoRequestResultTrigger(
            f"hash{index}==", deadline=time.time() + 1e6, poll_interval=INTERVAL, poll_factor=1.0
        )
        async for event in trigger.run():
            raise RuntimeError(f"It did not wait: {event}")

    yield wait


@asynccontextmanager
async def bare(url: str) -> AsyncIterator[Waiter]:
    """The same polls, with nothing around them."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(limits=limits, timeout=None) as http:

        async def wait(index: int) -> None:
            polling = Polling(INTERVAL, 1e12, factor=1.0)
            while True:
                asked = {"requestHash": f"hash{index}=="}
                answer = await http.get(url, params=asked, headers={"Authorization": "Bearer token"})
                assert answer.status_code == httpx.codes.ACCEPTED
                await asyncio.sleep(polling.next_interval(time.time()) or INTERVAL)

        yield wait


@asynccontextmanager
async def idle(url: str) -> AsyncIterator[Waiter]:
    """A loop that nobody waits on: what the machine, and the looking, take of it."""

    async def wait(index: int) -> None:
        await asyncio.Event().wait()

    yield wait


CONTENDERS = {"triggers": triggers, "bare": bare, "idle": idle}


async def measure(contender: str, count: int, seconds: float, url: str) -> dict[str, float]:
    """Run one contender; its first poll, and what that imports, count too."""
    collector = Collector()
    gc.collect()
    of_imports = collector.seconds
    with suppress(OSError):  # the peak of the imports is not the waiting's
        Path("/proc/self/clear_refs").write_text("5")
    clock = Clock(collector)
    memory, cpu, began = _status("VmRSS"), time.process_time(), time.perf_counter()
    watch = asyncio.create_task(clock.watch())
    async with CONTENDERS[contender](url) as wait:
        tasks = await _start(wait, count)
        await _sleep(began + seconds - time.perf_counter())
        cpu, wall, peak = time.process_time() - cpu, time.perf_counter() - began, _status("VmHWM")
        watch.cancel()
        await _stop(tasks)
    late = sorted(lateness) or [0.0]
    return {
        "late": late[int(0.99 * (len(late) - 1))],
        "polls": float(len(tasks) + len(lateness)),
        "block": clock.longest,
        "block_uncollected": clock.longest_uncollected,
        "collection": of_imports,
        "cpu": cpu / wall,
        "growth": (peak - memory) / MEGABYTE,
    }


async def _start(wait: Waiter, count: int) -> list[asyncio.Task[None]]:
    """Over one interval, as they come when tasks defer one after the other."""
    began, tasks = time.perf_counter(), []
    for index in range(count):
        await _sleep(began + INTERVAL * index / count - time.perf_counter())
        tasks.append(asyncio.create_task(wait(index)))
    return tasks


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError), ended


def main() -> None:
    """Print one line."""
    contender, count, seconds, url = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    # The end of a wait against the moment that it was to end: the schedule, seen from within.
    asyncio.sleep = sleep_noting  # type: ignore[assignment]
    print(json.dumps(asyncio.run(measure(contender, count, seconds, url))))


if __name__ == "__main__":
    main()
