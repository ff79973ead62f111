"""
One contender in a process of its own: ``triggers`` or bare ``httpx``, so many, for so long. Prints figures as JSON.

The triggers run on one loop as in a triggerer, but without Airflow's own: its rows in a database, and the process that
reads them, are left out.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import Any

import httpx

from airflow_provider_alloincognito.hooks import async_process
from airflow_provider_alloincognito.triggers import alloincognito
from benchmarks.common.stopwatch import _status

INTERVAL = 30.0
MEGABYTE = 1000**2

lateness: list[float] = []


class Clock:
    """Notes how late each sleep ends, and how long the loop is held."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        """Look every ten milliseconds."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            self.longest = max(self.longest, time.perf_counter() - before - 0.01)


async def wait_as_triggers(count: int, seconds: float) -> None:
    """Start them over one interval, as they come when tasks defer one after the other."""

    async def one(index: int) -> None:
        await asyncio.sleep(random.uniform(0, INTERVAL))
        trigger = alloincognito.AlloincognitoRequestResultTrigger(
            f"hash{index}==", deadline=time.time() + 10 * seconds, poll_interval=INTERVAL, poll_factor=1.0
        )
        async for _ in trigger.run():
            pass

    await _for(seconds, [one(index) for index in range(count)])


async def wait_bare(count: int, seconds: float) -> None:
    """The same polls, with nothing around them."""
    client = await async_process.shared_async_client("alloincognito_default")
    stand = client.settings
    url = f"{stand.stand}{stand.request_result_path}"
    http = httpx.AsyncClient(limits=httpx.Limits(max_connections=64, max_keepalive_connections=64), timeout=None)

    async def one(index: int) -> None:
        await asyncio.sleep(random.uniform(0, INTERVAL))
        while True:
            answer = await http.get(
                url, params={"requestHash": f"hash{index}=="}, headers={"Authorization": "Bearer token"}
            )
            assert answer.status_code == 202
            await asyncio.sleep(INTERVAL * random.uniform(0.9, 1.1))

    await _for(seconds, [one(index) for index in range(count)])


async def _for(seconds: float, waits: list[Any]) -> None:
    tasks = [asyncio.create_task(one) for one in waits]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError), ended


async def measure(contender: str, count: int, seconds: float) -> dict[str, float]:
    """Run one contender."""
    clock = Clock()
    await async_process.shared_async_client("alloincognito_default")
    watch = asyncio.create_task(clock.watch())
    memory, cpu, wall = _status("VmRSS"), time.process_time(), time.perf_counter()
    await (wait_as_triggers if contender == "triggers" else wait_bare)(count, seconds)
    cpu, wall, growth = time.process_time() - cpu, time.perf_counter() - wall, _status("VmHWM") - memory
    watch.cancel()
    late = sorted(lateness) or [0.0]
    return {
        "late": late[int(0.99 * (len(late) - 1))],
        "polls": float(len(lateness)),
        "block": clock.longest,
        "cpu": cpu / wall,
        "growth": growth / MEGABYTE,
    }


async def sleep_noting(seconds: float) -> None:
    """Sleep, and note how late that ends."""
    wanted = time.perf_counter() + seconds
    await _sleep(seconds)
    if seconds > 1:
        lateness.append(time.perf_counter() - wanted)


_sleep = asyncio.sleep


def main() -> None:
    """Print one line."""
    contender, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    # The end of a wait against the moment that it was to end: the schedule, seen from within.
    asyncio.sleep = sleep_noting  # type: ignore[assignment]
    print(json.dumps(asyncio.run(measure(contender, count, seconds))))


if __name__ == "__main__":
    main()
