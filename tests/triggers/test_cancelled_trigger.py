"""A trigger whose task a user ends: it asks no more, and leaves nothing that others would have to wait for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
import redis as redis_py
from trigger_runs import asked_hash, payload_of, trigger_on

from airflow_provider_alloincognito.hooks.shared import _forget
from airflow_provider_alloincognito.sandbox import Sandbox
from benchmarks.rotation.redis_server import RedisServer

BY_HASH = "getrequestresultbyhash"
LOCKS = "alloincognito:token:lock:*"
# A lock or a claim that nobody holds any more would be waited out.
BOUNDS = {"token_store_seconds": 0.3, "token_call_seconds": 0.3}
LEASE = 6 * 0.3 + 2 * 0.3
AT_ONCE = LEASE / 2

Connected = Callable[..., Sandbox]
Moment = Callable[[], bool]


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis_py.Redis]:
    """A Redis that the Connection ``tokens`` leads to."""
    monkeypatch.setenv("AIRFLOW_CONN_TOKENS", redis_server.url)
    with redis_py.Redis(port=redis_server.port) as client:
        yield client


async def until(moment: Moment) -> None:
    async with asyncio.timeout(5):
        while not moment():
            await asyncio.sleep(0.005)


async def cancel(trigger: Any, moment: Moment, then: float = 0.0) -> None:
    """Run a trigger, and cancel it so many seconds after a moment, as the triggerer does."""
    running = asyncio.create_task(payload_of(trigger))
    await until(moment)
    await asyncio.sleep(then)
    assert running.cancel(), "it had ended before"
    with suppress(asyncio.CancelledError):
        await running


def connections(sandbox: Sandbox) -> int:
    """How many of this process' connections lead to the sandbox."""
    found = psutil.Process().net_connections("tcp")
    return sum(bool(one.raddr) and one.raddr.port == sandbox.port and one.status == "ESTABLISHED" for one in found)


@pytest.mark.parametrize("place", ["before the answer", "in the middle of the answer"])
def test_amid_a_poll(connected: Connected, place: str) -> None:
    sandbox = connected()
    request_hash = asked_hash()
    before = connections(sandbox)
    if place == "before the answer":
        sandbox.configure(latency={BY_HASH: 20.0})
    else:
        sandbox.add_fault("stall", method=BY_HASH, after_bytes=15)

    async def wait() -> float:
        await cancel(trigger_on(request_hash), lambda: sandbox.count(BY_HASH) == 1, then=0.2)
        await until(lambda: connections(sandbox) == before)
        sandbox.configure(latency=0.0)
        began = time.monotonic()
        assert (await payload_of(trigger_on(request_hash)))["status"] == "ready"
        return time.monotonic() - began

    assert asyncio.run(wait()) < 1
    assert sandbox.count(BY_HASH) == 2


@pytest.mark.parametrize("store", ["memory", "redis://tokens"])
def test_amid_the_making_of_a_pair(connected: Connected, redis: redis_py.Redis, store: str) -> None:
    sandbox = connected({"token_store": store, **BOUNDS})
    request_hash = asked_hash()
    _forget()
    redis.flushall()
    sandbox.clear_log()
    sandbox.configure(latency={"create": 20.0})

    async def wait() -> float:
        await cancel(trigger_on(request_hash), lambda: sandbox.count("create") == 1, then=0.1)
        sandbox.configure(latency=0.0)
        assert redis.keys(LOCKS) == []
        began = time.monotonic()
        assert (await payload_of(trigger_on(request_hash)))["status"] == "ready"
        return time.monotonic() - began

    assert asyncio.run(wait()) < AT_ONCE
    assert sandbox.count("create") == 2


@pytest.mark.parametrize("place", ["taking the lock", "saving the pair"])
def test_amid_a_step_that_redis_takes_its_time_for(connected: Connected, redis: redis_py.Redis, place: str) -> None:
    sandbox = connected({"token_store": "redis://tokens", **BOUNDS}, latency={"create": 0.3})
    request_hash = asked_hash()
    _forget()
    redis.flushall()
    sandbox.clear_log()

    def redis_stands_still() -> bool:
        """Reads go on, so that it is a write that the trigger waits for."""
        if place == "saving the pair" and not sandbox.count("create"):
            return False
        redis.client_pause(800, all=False)
        return True

    async def wait() -> float:
        await cancel(trigger_on(request_hash), redis_stands_still, then=0.5)
        began = time.monotonic()
        assert (await payload_of(trigger_on(request_hash)))["status"] == "ready"
        return time.monotonic() - began

    assert asyncio.run(wait()) < AT_ONCE
    assert redis.keys(LOCKS) == []
