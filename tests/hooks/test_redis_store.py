"""The token pair in a real Redis: what is stored, what the lock does, and what happens while Redis is down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis as redis_py

from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.api.tokens.stores import ClaimingTokenStore, LockingTokenStore
from airflow_provider_alloincognito.errors import AlloincognitoShadowedTokenStoreError, AlloincognitoTokenStoreError
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.redis_store import RedisTokenStore
from airflow_provider_alloincognito.sandbox import Sandbox
from services.redis_server import RedisServer

CONNECTION = "redis_of_tokens"
SERVER, TOKEN = "https://server.example:4431", "header.claims.authorization-signature"
START, END = "2025-06-02", "2025-06-03"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis_py.Redis]:
    """An empty Redis, and an Airflow Connection to it."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", server.url)
    with redis_py.Redis(port=server.port) as client:
        client.flushall()
        yield client


def new_store(token: str = TOKEN, server: str = SERVER) -> RedisTokenStore:
    """Return a store as another process would make it."""
    return RedisTokenStore(CONNECTION, server, token)


def new_pair(name: str) -> TokenPair:
    now = datetime.now(UTC)
    return TokenPair(f"header.{name}.access-signature", now + timedelta(hours=24), f"header.{name}.refresh", now, now)


def rows(hook: AlloincognitoHook) -> int:
    with hook.get_call_list(START, END) as calls:
        return sum(len(batch) for batch in calls)


def test_the_store_has_a_lock_and_no_claims() -> None:
    assert isinstance(new_store(), LockingTokenStore)
    assert not isinstance(new_store(), ClaimingTokenStore)


def test_a_saved_pair_is_read_by_other_processes(redis: redis_py.Redis) -> None:
    assert new_store().load() is None
    pair = new_pair("one")
    new_store().save(pair)
    assert new_store().load() == pair


def test_other_tokens_and_servers_have_their_own_entries(redis: redis_py.Redis) -> None:
    new_store().save(new_pair("one"))
    assert new_store(token="header.claims.another").load() is None
    assert new_store(server="https://other.example:4431").load() is None


def test_redis_holds_no_readable_token(redis: redis_py.Redis) -> None:
    store = new_store()
    store.lock(lease=10, timeout=0)
    store.save(new_pair("one"))
    keys = list(redis.scan_iter())
    assert len(keys) == 2
    for content in [*keys, *(redis.get(key) for key in keys)]:
        for secret in (b"signature", b"refresh", b"server.example"):
            assert secret not in content


def test_a_foreign_value_is_an_error_that_names_the_entry(redis: redis_py.Redis) -> None:
    new_store().save(new_pair("one"))
    (key,) = redis.scan_iter()
    redis.set(key, "something else")
    with pytest.raises(AlloincognitoShadowedTokenStoreError, match=key.decode()):
        new_store().load()


def test_the_lock_keeps_others_out_until_it_is_released(redis: redis_py.Redis) -> None:
    holder, other = new_store(), new_store()
    holder.lock(lease=10, timeout=0)
    with pytest.raises(AlloincognitoTokenStoreError, match="another task holds it"):
        other.lock(lease=10, timeout=0)
    holder.unlock()
    other.lock(lease=10, timeout=0)
    other.unlock()
    other.unlock()  # a second time does no harm


def test_the_lock_of_a_dead_process_expires(redis: redis_py.Redis) -> None:
    new_store().lock(lease=0.3, timeout=0)
    other = new_store()
    began = time.monotonic()
    other.lock(lease=10, timeout=5)
    assert 0.2 < time.monotonic() - began < 5


def test_a_process_that_lost_the_lock_cannot_extend_it(redis: redis_py.Redis) -> None:
    late = new_store()
    late.lock(lease=0.2, timeout=0)
    time.sleep(0.4)
    other = new_store()
    other.lock(lease=10, timeout=0)
    with pytest.raises(AlloincognitoTokenStoreError):
        late.extend()
    late.unlock()  # it must not release the lock of the other one
    with pytest.raises(AlloincognitoTokenStoreError):
        new_store().lock(lease=10, timeout=0)


def test_the_lock_is_extended_by_a_whole_lease(redis: redis_py.Redis) -> None:
    store = new_store()
    store.lock(lease=10, timeout=0)
    (key,) = redis.scan_iter()
    redis.pexpire(key, 500)
    store.extend()
    assert redis.pttl(key) > 5000


def test_the_lock_can_be_used_from_several_threads(redis: redis_py.Redis) -> None:
    store = new_store()
    with ThreadPoolExecutor(1) as one:
        one.submit(store.lock, 10, 0).result()
    store.extend()
    with ThreadPoolExecutor(1) as another:
        another.submit(store.unlock).result()
    new_store().lock(lease=10, timeout=0)


def test_processes_share_one_pair(
    redis: redis_py.Redis, sandbox: Sandbox, connect: Callable[..., AlloincognitoHook], new_process: Callable[[], None]
) -> None:
    for _ in range(3):
        new_process()
        assert rows(connect(sandbox, pair_store=f"redis://{CONNECTION}")) > 0
    assert (sandbox.count("create"), sandbox.count("refresh")) == (1, 0)


def test_an_expired_pair_is_refreshed_once_for_all_threads(
    redis: redis_py.Redis, sandbox: Sandbox, connect: Callable[..., AlloincognitoHook]
) -> None:
    hook = connect(sandbox, pair_store=f"redis://{CONNECTION}")
    rows(hook)
    sandbox.expire_access()
    begin = threading.Barrier(8)
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda _: begin.wait() >= 0 and rows(hook), range(8)))
    assert len(set(counts)) == 1
    assert (sandbox.count("create"), sandbox.count("refresh", status=200)) == (1, 1)


def test_requests_go_on_while_redis_is_down_and_no_pair_is_made(
    tmp_path: Path,
    sandbox: Sandbox,
    connect: Callable[..., AlloincognitoHook],
    new_process: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with RedisServer(tmp_path) as server:
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", server.url)
        hook = connect(sandbox, pair_store=f"redis://{CONNECTION}")
        rows(hook)
    assert rows(hook) > 0
    new_process()
    monkeypatch.setattr("airflow_provider_alloincognito.api.tokens.state.LONGEST_WAIT", 1.0)
    with pytest.raises(AlloincognitoTokenStoreError, match=CONNECTION):
        rows(connect(sandbox, pair_store=f"redis://{CONNECTION}"))
    assert (sandbox.count("create"), sandbox.count("refresh")) == (1, 0)


def test_the_lost_pair_of_a_killed_process_is_replaced(
    redis: redis_py.Redis, server: RedisServer, sandbox: Sandbox, connect: Callable[..., AlloincognitoHook]
) -> None:
    """A process is killed between ``create`` and save: the others wait for its lock to expire, and none fails."""
    hook = connect(sandbox, pair_store=f"redis://{CONNECTION}")
    program = (
        "import sys, time, os\n"
        "from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook\n"
        "from airflow_provider_alloincognito.hooks.redis_store import RedisTokenStore\n"
        "def save(self, pair):\n"
        "    print('made', flush=True)\n"
        "    time.sleep(60)\n"
        "RedisTokenStore.save = save\n"
        f"AlloincognitoHook().get_call_list({START!r}, {END!r})\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], env=os.environ, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert any(line.strip() == "made" for line in holder.stdout)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert rows(hook) > 0
    assert sandbox.count("create") == 2
