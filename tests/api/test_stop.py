"""Waits and requests that end at once, or at their deadline: ``api/transport/stop.py``, ``in_flight.py``."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress

import pytest

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.api.transport.stop import Stop
from airflow_provider_alloincognito.errors import (
    AlloincognitoError,
    AlloincognitoSlowError,
    AlloincognitoStoppedError,
    AlloincognitoTruncatedError,
)

PAIR = b'{"accessToken": "an-access-token", "refreshToken": "a-refresh-token"}'
HEAD = b'{"result": {"requestHash": "aGFzaA==", "rowset": [{"id": 1}'
Say = Callable[[bytes, float], str]


class SlowServer:
    """Makes pairs at once, and says ``body`` with ``pause`` seconds between its bytes, without an end."""

    def __init__(self, body: bytes, pause: float) -> None:
        self.requests = 0
        self._body = body
        self._pause = pause
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        self._ended.set()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._respond, args=(connection,), daemon=True).start()

    def _respond(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while request := connection.recv(1 << 16):
                if b"/create" in request:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PAIR), PAIR))
                    continue
                self.requests += 1
                if self._body:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + self._body)
                while self._body and self._pause and not self._ended.wait(self._pause):
                    connection.sendall(b" ")
                self._ended.wait(60)


@pytest.fixture
def serve() -> Iterator[Callable[[bytes, float], SlowServer]]:
    servers = []

    def start(body: bytes, pause: float = 0.0) -> SlowServer:
        servers.append(SlowServer(body, pause))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def client_of(server: SlowServer, **settings: float) -> Client:
    known = Settings(server=server.url, **settings)  # type: ignore[arg-type]
    return Client(known, MemoryTokenStore(), PairKeeper(known, "a-token", locking=True))


def read(client: Client, deadline: float = float("inf")) -> None:
    request = methods.request_result(client.settings, "aGFzaA==")
    with_answer = client.open(request, deadline=deadline)
    try:
        list(with_answer.stream())
    finally:
        with_answer.close()


def outcome_of(work: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except AlloincognitoError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


SILENT, STALLED_HEAD, STALLED_BODY, DRIPPING = (b"", 0.0), (b'{"res', 0.0), (HEAD, 0.0), (HEAD, 0.01)


@pytest.mark.parametrize("server", [SILENT, STALLED_HEAD, STALLED_BODY, DRIPPING])
def test_a_stop_closes_the_connections_in_use(
    server: tuple[bytes, float], serve: Callable[[bytes, float], SlowServer]
) -> None:
    slow = serve(*server)
    client = client_of(slow)
    runs = [outcome_of(lambda: read(client)) for _ in range(4)]
    while slow.requests < 4:
        time.sleep(0.01)
    time.sleep(0.1)
    client.stopped.set()
    began = time.monotonic()
    for thread, _ in runs:
        thread.join(5)
    assert time.monotonic() - began < 2
    assert [type(error) for _, errors in runs for error in errors] == [AlloincognitoStoppedError] * 4
    with pytest.raises(AlloincognitoStoppedError):
        read(client)
    assert slow.requests == 4


@pytest.mark.parametrize("server", [SILENT, STALLED_HEAD, STALLED_BODY, DRIPPING])
def test_a_response_has_a_bound_in_all(
    server: tuple[bytes, float], serve: Callable[[bytes, float], SlowServer]
) -> None:
    client = client_of(serve(*server), response_timeout=0.5)
    began = time.monotonic()
    with pytest.raises((AlloincognitoSlowError, AlloincognitoTruncatedError), match="response_timeout"):
        read(client)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("server", [SILENT, STALLED_HEAD])
def test_a_head_has_to_come_before_the_deadline(
    server: tuple[bytes, float], serve: Callable[[bytes, float], SlowServer]
) -> None:
    client = client_of(serve(*server))
    began = time.monotonic()
    with pytest.raises(AlloincognitoSlowError, match="left for it"):
        read(client, began + 0.5)
    assert time.monotonic() - began < 3


def test_a_body_whose_head_came_in_time_is_not_cut_by_the_deadline(
    serve: Callable[[bytes, float], SlowServer],
) -> None:
    client = client_of(serve(*DRIPPING), response_timeout=2.0)
    began = time.monotonic()
    with pytest.raises(AlloincognitoSlowError, match="within 2 s"):
        read(client, began + 0.5)
    assert 1.9 < time.monotonic() - began < 4


def test_a_slow_response_that_ends_is_left_alone(serve: Callable[[bytes, float], SlowServer]) -> None:
    """The watch lets go of a response when it is closed: its connection may serve another request."""
    slow = serve(HEAD, 0.01)
    client = client_of(slow, response_timeout=0.3)
    answer = client.open(methods.request_result(client.settings, "aGFzaA=="))
    answer.close()
    time.sleep(0.6)
    assert not [thread for thread in threading.enumerate() if thread.name == "alloincognito-in-flight"]


def test_a_wait_hears_of_the_stop_and_of_the_deadline() -> None:
    stopped = threading.Event()
    threading.Timer(0.1, stopped.set).start()
    began = time.monotonic()
    with pytest.raises(AlloincognitoStoppedError):
        Stop(stopped).sleep(30)
    with pytest.raises(AlloincognitoStoppedError):
        Stop(stopped).join(Future(), 30)
    Stop(threading.Event(), time.monotonic() + 0.1).sleep(30)
    Stop(threading.Event(), time.monotonic() + 0.1).join(Future(), 30)
    assert time.monotonic() - began < 5
