"""A trigger that is cancelled, as when a user ends its task, stops polling and leaves no lock behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
import redis as redis_py
from trigger_runs import new_hash, payload_of, trigger_on, until

from airflow_provider_alloincognito.hooks.shared import forget_shared
from airflow_provider_alloincognito.sandbox import Sandbox
from services.redis_server import RedisServer

BY_HASH = "getrequestresultbyhash"
LOCKS = "alloincognito:token:lock:*"
BOUNDS = {"pair_store_seconds": 0.3, "pair_request_seconds": 0.6}
# A lock that was left behind would make the next trigger wait for most of the lease.
LEASE = 6 * 0.3 + 2 * 0.6
AT_ONCE = 0.7 * LEASE

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


async def cancel(trigger: Any, moment: Moment, then: float = 0.0) -> None:
    """Run a trigger, and cancel it ``then`` seconds after ``moment()`` is true, as the triggerer does."""
    running = asyncio.create_task(payload_of(trigger))
    await until(moment)
    await asyncio.sleep(then)
    assert running.cancel(), "the trigger ended before it was cancelled"
    with suppress(asyncio.CancelledError):
        await running


def connections(sandbox: Sandbox) -> set[int]:
    """Return the local ports of this process's connections to the sandbox."""
    found = psutil.Process().net_connections("tcp")
    is_open = [one for one in found if one.raddr and one.raddr.port == sandbox.port and one.status == "ESTABLISHED"]
    return {one.laddr.port for one in is_open}


@pytest.mark.parametrize("place", ["before the response", "in the middle of the response"])
def test_cancelled_during_a_poll_it_closes_the_connection(connected_sandbox: Connected, place: str) -> None:
    sandbox = connected_sandbox()
    request_hash = new_hash()
    before = connections(sandbox)
    if place == "before the response":
        sandbox.configure(latency={BY_HASH: 20.0})
    else:
        sandbox.add_fault("stall", method=BY_HASH, after_bytes=15)

    async def wait() -> float:
        await cancel(trigger_on(request_hash), lambda: sandbox.count(BY_HASH) == 1, then=0.2)
        await until(lambda: connections(sandbox) <= before)  # no new one is left
        sandbox.configure(latency=0.0)
        began = time.monotonic()
        assert (await payload_of(trigger_on(request_hash)))["status"] == "ready"
        return time.monotonic() - began

    assert asyncio.run(wait()) < 5
    assert sandbox.count(BY_HASH) == 2


@pytest.mark.parametrize("store", ["memory", "redis://tokens"])
def test_cancelled_during_create_it_leaves_no_lock(
    connected_sandbox: Connected, redis: redis_py.Redis, store: str
) -> None:
    sandbox = connected_sandbox({"pair_store": store, **BOUNDS})
    request_hash = new_hash()
    forget_shared()
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
def test_cancelled_while_redis_is_slow_it_leaves_no_lock(
    connected_sandbox: Connected, redis: redis_py.Redis, place: str
) -> None:
    sandbox = connected_sandbox({"pair_store": "redis://tokens", **BOUNDS}, latency={"create": 0.3})
    request_hash = new_hash()
    forget_shared()
    redis.flushall()
    sandbox.clear_log()

    def redis_is_paused() -> bool:
        """Pause only writes, so that the trigger waits for a write."""
        if place == "saving the pair" and not sandbox.count("create"):
            return False
        redis.client_pause(800, all=False)
        return True

    async def wait() -> float:
        await cancel(trigger_on(request_hash), redis_is_paused, then=0.5)
        began = time.monotonic()
        assert (await payload_of(trigger_on(request_hash)))["status"] == "ready"
        return time.monotonic() - began

    assert asyncio.run(wait()) < AT_ONCE
    assert redis.keys(LOCKS) == []
