"""The transport of triggers: its connections, its retries, whom it trusts, and what a cancelled task leaves behind."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from asking import call_hash
from plain_server import CREATE_PATH, PAIR, PlainServer

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.keeper import PairKeeper
from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore
from airflow_provider_alloincognito.api.transport.async_client import MOST_CONNECTIONS, AsyncClient
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.errors import (
    AlloincognitoConnectionError,
    AlloincognitoError,
    AlloincognitoTruncatedError,
)
from airflow_provider_alloincognito.sandbox import Sandbox

METHOD = "getrequestresultbyhash"
QUICK: dict[str, Any] = {"token_store_seconds": 0.02, "token_call_seconds": 0.5, "retries": 0, "timeout": 5.0}

NewClient = Callable[..., Client]
StartPlain = Callable[..., PlainServer]
StartSandbox = Callable[..., Sandbox]


class LockedStore(MemoryTokenStore):
    """With a lock that shuts others out."""

    def __init__(self) -> None:
        super().__init__()
        self.held = threading.Lock()

    def lock(self, lease: float, timeout: float) -> None:
        assert self.held.acquire(timeout=timeout)

    def unlock(self) -> None:
        if self.held.locked():
            self.held.release()


class Stand(asyncio.Protocol):
    """Keeps connections open, and counts them."""

    made = open = most = 0

    @classmethod
    def count(cls, change: int) -> None:
        cls.made += change > 0
        cls.open += change
        cls.most = max(cls.most, cls.open)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.count(1)

    def connection_lost(self, error: Exception | None) -> None:
        self.count(-1)

    def data_received(self, data: bytes) -> None:
        body = PAIR if CREATE_PATH.encode() in data else b'{"error": null, "result": {"rowset": []}}'
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        asyncio.get_running_loop().call_later(0.2, self.transport.write, answer)


@asynccontextmanager
async def client_of(stand: str, **given: Any) -> AsyncIterator[AsyncClient]:
    """A client that has no pair but its store's."""
    store, token = given.pop("store", MemoryTokenStore()), given.pop("token", "an-authorization-token")
    settings = Settings(server=stand, **{**QUICK, **given})
    client = AsyncClient(settings, store, PairKeeper(settings, token, exclusive=True))
    try:
        yield client
    finally:
        await client.close()


async def ask(client: AsyncClient, request_hash: str = "h==") -> int:
    return (await client.head(methods.request_result(client.settings, request_hash))).status


def status_of(stand: str, request_hash: str = "h==", **given: Any) -> int:
    """Ask on a loop of its own."""

    async def run() -> int:
        async with client_of(stand, **given) as client:
            return await ask(client, request_hash)

    return asyncio.run(run())


def test_tasks_share_a_pool_of_connections() -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Stand, "127.0.0.1", 0)
        async with client_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
            for _ in range(3):
                assert await ask(client) == 200
            assert Stand.made == 1
            assert await asyncio.gather(*[ask(client) for _ in range(150)]) == [200] * 150
        server.close()

    asyncio.run(run())
    assert Stand.most == MOST_CONNECTIONS


@pytest.fixture
def asked(sandbox: Sandbox, new_client: NewClient) -> Callable[..., Any]:
    """Ask a sandbox for a result that it has, with a pair that it knows."""
    store = MemoryTokenStore()
    request_hash = call_hash(new_client(sandbox, store=store))
    sandbox.clear_log()
    return lambda **given: status_of(sandbox.url, request_hash, store=store, **given)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_stand_is_asked_again_when_it_says(status: int, sandbox: Sandbox, asked: Callable[..., Any]) -> None:
    sandbox.add_fault("status", method=METHOD, status=status, retry_after=1)
    began = time.monotonic()
    assert asked(retries=1) == 200
    assert 0.95 < time.monotonic() - began < 3
    assert sandbox.count(METHOD) == 2


@pytest.mark.parametrize(("retries", "rest", "times"), [(0, 0, 1), (2, 0, 3), (3, 7200, 1)])
def test_retries_end(retries: int, rest: int, times: int, sandbox: Sandbox, asked: Callable[..., Any]) -> None:
    sandbox.add_fault("status", method=METHOD, status=503, retry_after=rest, times=None)
    with pytest.raises(AlloincognitoConnectionError, match="503"):
        asked(retries=retries)
    assert sandbox.count(METHOD) == times


def test_an_answer_cut_off_is_told_from_one_that_is_wrong(sandbox: Sandbox, asked: Callable[..., Any]) -> None:
    sandbox.add_fault("cut", method=METHOD, after_bytes=20)
    with pytest.raises(AlloincognitoTruncatedError, match=METHOD):
        asked(retries=3)
    assert sandbox.count(METHOD) == 1, "what came half is not asked for again"


@pytest.mark.parametrize("way", ["nobody", "setting", "environment", "false"])
def test_verify(way: str, plain_server: StartPlain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(bundle)
    server = plain_server(tls=context)
    if way == "environment":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    verify = {"setting": bundle, "false": False}.get(way, True)
    if way == "nobody":
        with pytest.raises(AlloincognitoConnectionError, match="verify"):
            status_of(server.url, verify=verify)
        assert server.asked == []
    else:
        assert status_of(server.url, verify=verify) == 200


def test_proxies_are_used(plain_server: StartPlain) -> None:
    proxy = plain_server({})
    with pytest.raises(AlloincognitoError):
        status_of("http://stand.invalid:8080", proxies={"http": proxy.url})
    assert proxy.paths == [f"http://stand.invalid:8080{CREATE_PATH}"]


def test_a_task_cancelled_while_it_makes_a_pair_gives_the_lock_back(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(latency={"create": 0.5})
    store = LockedStore()

    async def run() -> None:
        async with client_of(sandbox.url, store=store, token=sandbox.authorization_token) as client:
            task = asyncio.create_task(ask(client))
            while not store.held.locked():
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not store.held.locked()

    asyncio.run(run())
