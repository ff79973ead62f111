"""The transport of triggers over HTTP: connections, retries, TLS, proxies and cancelled tasks: ``async_client.py``."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from plain_server import CREATE_PATH, PAIR, RESULT_PATH, PlainServer, Said
from sent_requests import call_hash

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore
from airflow_provider_alloincognito.api.transport.async_client import AsyncClient
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.api.transport.retries import MOST_CONNECTIONS
from airflow_provider_alloincognito.errors import (
    AlloincognitoConnectionError,
    AlloincognitoError,
    AlloincognitoTruncatedError,
)
from airflow_provider_alloincognito.sandbox import Sandbox

METHOD = "getrequestresultbyhash"
QUICK: dict[str, Any] = {"pair_store_seconds": 0.02, "pair_request_seconds": 1.0, "retries": 0, "timeout": 5.0}

NewClient = Callable[..., Client]
StartPlain = Callable[..., PlainServer]
StartSandbox = Callable[..., Sandbox]


class LockedStore(MemoryTokenStore):
    """A store with an exclusive lock."""

    def __init__(self) -> None:
        super().__init__()
        self.held = threading.Lock()

    def lock(self, lease: float, timeout: float) -> None:
        assert self.held.acquire(timeout=timeout)

    def unlock(self) -> None:
        if self.held.locked():
            self.held.release()


class CountedConnection(asyncio.Protocol):
    """One connection of a :class:`CountingServer`."""

    def __init__(self, server: CountingServer) -> None:
        self.server = server

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.server.made += 1
        self.server.open += 1
        self.server.most = max(self.server.most, self.server.open)

    def connection_lost(self, error: Exception | None) -> None:
        self.server.open -= 1

    def data_received(self, data: bytes) -> None:
        body = PAIR if CREATE_PATH.encode() in data else b'{"error": null, "result": {"rowset": []}}'
        self.server.respond(self.transport, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


class CountingServer:
    """A server that keeps connections open and counts them. It responds once ``hold`` requests wait."""

    def __init__(self) -> None:
        self.made = self.open = self.most = 0
        self.hold = 1
        self.waiting: list[tuple[Any, bytes]] = []

    def respond(self, transport: Any, response: bytes) -> None:
        self.waiting.append((transport, response))
        if len(self.waiting) == self.hold:
            # Time for connections beyond the limit to appear.
            asyncio.get_running_loop().call_later(0.2 if self.hold > 1 else 0, self.release)

    def release(self) -> None:
        self.hold = 1
        for transport, response in self.waiting:
            transport.write(response)
        self.waiting.clear()


@asynccontextmanager
async def new_async_client(url: str, **options: Any) -> AsyncIterator[AsyncClient]:
    """Return a client whose process knows no pair yet."""
    store, token = options.pop("store", MemoryTokenStore()), options.pop("token", "an-authorization-token")
    settings = Settings(server=url, **{**QUICK, **options})
    client = AsyncClient(settings, store, PairKeeper(settings, token, locking=True))
    try:
        yield client
    finally:
        await client.close()


async def status_of(client: AsyncClient, request_hash: str = "h==") -> int:
    return (await client.head(methods.request_result(client.settings, request_hash))).status


def send_request(url: str, request_hash: str = "h==", **options: Any) -> int:
    """Send a request on an event loop of its own, and return the status."""

    async def run() -> int:
        async with new_async_client(url, **options) as client:
            return await status_of(client, request_hash)

    return asyncio.run(run())


def test_tasks_share_a_limited_pool_of_connections() -> None:
    counts = CountingServer()

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: CountedConnection(counts), "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with new_async_client(url, timeout=60.0) as client:
            for _ in range(3):
                assert await status_of(client) == 200
            assert counts.made == 1
            counts.hold = MOST_CONNECTIONS
            assert await asyncio.gather(*[status_of(client) for _ in range(150)]) == [200] * 150
        server.close()

    asyncio.run(run())
    assert counts.most == MOST_CONNECTIONS


@pytest.fixture
def send(sandbox: Sandbox, new_client: NewClient) -> Callable[..., Any]:
    """Send a request for a result that the sandbox has, with a valid pair."""
    store = MemoryTokenStore()
    request_hash = call_hash(new_client(sandbox, store=store))
    sandbox.clear_log()
    return lambda **options: send_request(sandbox.url, request_hash, store=store, **options)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_request_is_retried_after_retry_after(status: int, sandbox: Sandbox, send: Callable[..., Any]) -> None:
    sandbox.add_fault("status", method=METHOD, status=status, retry_after=1)
    began = time.monotonic()
    assert send(retries=1) == 200
    assert 0.95 < time.monotonic() - began < 10
    assert sandbox.count(METHOD) == 2


@pytest.mark.parametrize(("retries", "retry_after", "times"), [(0, 0, 1), (2, 0, 3), (3, 7200, 1)])
def test_retries_are_limited(
    retries: int, retry_after: int, times: int, sandbox: Sandbox, send: Callable[..., Any]
) -> None:
    sandbox.add_fault("status", method=METHOD, status=503, retry_after=retry_after, times=None)
    with pytest.raises(AlloincognitoConnectionError, match="503"):
        send(retries=retries)
    assert sandbox.count(METHOD) == times


def test_a_truncated_head_is_requested_again(sandbox: Sandbox, send: Callable[..., Any]) -> None:
    sandbox.add_fault("cut", method=METHOD, after_bytes=20, times=2)
    with pytest.raises(AlloincognitoTruncatedError, match=METHOD):
        send(retries=0)
    send(retries=1)
    assert sandbox.count(METHOD) == 3


@pytest.mark.parametrize("trust", ["default", "setting", "environment", "false"])
def test_verify_and_the_environment_decide_which_servers_are_trusted(
    trust: str, plain_server: StartPlain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(bundle)
    server = plain_server(tls=context)
    if trust == "environment":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    verify = {"setting": bundle, "false": False}.get(trust, True)
    if trust == "default":
        with pytest.raises(AlloincognitoConnectionError, match="verify"):
            send_request(server.url, verify=verify)
        assert server.asked == []
    else:
        assert send_request(server.url, verify=verify) == 200


def test_the_async_client_uses_proxies(plain_server: StartPlain) -> None:
    proxy = plain_server({})
    with pytest.raises(AlloincognitoError):
        send_request("http://server.invalid:8080", proxies={"http": proxy.url})
    assert proxy.paths == [f"http://server.invalid:8080{CREATE_PATH}"]


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "X-GZIP"])
def test_both_names_of_gzip_are_read(name: str, plain_server: StartPlain) -> None:
    ready = gzip.compress(b'{"error": null, "result": {"rowset": []}}')
    answers = {CREATE_PATH: Said(PAIR), RESULT_PATH: Said(ready, headers={"Content-Encoding": name})}
    assert send_request(plain_server(answers).url) == 200


def test_a_task_that_is_cancelled_while_it_makes_a_pair_releases_the_lock(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(latency={"create": 0.5})
    store = LockedStore()

    async def run() -> None:
        async with new_async_client(sandbox.url, store=store, token=sandbox.authorization_token) as client:
            task = asyncio.create_task(status_of(client))
            while not store.held.locked():
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not store.held.locked()

    asyncio.run(run())
