"""The requests in flight: their connections are closed when the task is stopped, or when a response takes too long."""

from __future__ import annotations

import functools
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests.adapters
import urllib3

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.transport.retries import slow_error
from airflow_provider_alloincognito.errors import AlloincognitoError, AlloincognitoStoppedError

LOOKS_EVERY = 0.1
CONNECTS_ANEW_EVERY = 3.0
"""Seconds after which an attempt to connect, which hears of no stop, is made anew."""

_current = threading.local()


class Flight:
    """
    One request in flight.

    :param method: the API's method, for errors.
    :param seconds: how long it may take in all.
    :param owner: watches it.
    """

    def __init__(self, method: str, seconds: float, owner: InFlight) -> None:
        self.is_aborted = False
        self.is_abandoned = False
        self.is_connected = False
        """Whether a connection to the server has been made, its TLS included."""
        self._method = method
        self._seconds = seconds
        self._began = time.monotonic()
        self._owner = owner
        self._is_overdue = False
        # So that no connection is closed that serves another request already. The collector may call `end` amid it.
        self._guard = threading.RLock()
        self._socket: socket.socket | None = None
        self._twin: socket.socket | None = None  # while TLS is being set up, which takes the socket itself away

    def end(self) -> None:
        """Leave its connection alone from now on: it may serve another request."""
        with self._guard:
            self.abandon()
            self._drop_twin()
        self._owner.end(self)

    def abandon(self) -> None:
        """Do the same for a response that nobody holds any more: without a lock, since the collector may call it."""
        self.is_abandoned = True
        self._socket = None

    def extend(self, seconds: float, timeout: float) -> None:
        """
        Let it take longer, now that its head has come in time.

        :param seconds: how long it may take in all.
        :param timeout: how long each further read may take.
        """
        self._seconds = seconds
        sock = self._socket
        if sock is not None and sock.gettimeout() != timeout:
            with suppress(OSError):
                sock.settimeout(timeout)

    def explain(self, error: AlloincognitoError) -> AlloincognitoError:
        """Return why the connection broke: because it was closed here, or else ``error``."""
        if self._owner.stopped.is_set():
            return AlloincognitoStoppedError("The task was stopped, so its open connections were closed.")
        if self._is_overdue and self.is_connected:
            return slow_error(self._method, self._seconds, self._owner.settings)
        return error

    @contextmanager
    def sending(self) -> Iterator[None]:
        """What this thread sends meanwhile belongs to this flight."""
        _current.flight = self
        try:
            yield
        finally:
            _current.flight = None

    # Its connection

    def connect(self, connection: Any, new_socket: Callable[[], socket.socket]) -> socket.socket:
        """Make a socket, in several attempts: a blocked one hears of no stop."""
        timeout = connection.timeout
        patience = timeout if isinstance(timeout, int | float) else float("inf")
        ends = time.monotonic() + patience
        try:
            while True:
                self.check()
                connection.timeout = max(0.01, min(CONNECTS_ANEW_EVERY, ends - time.monotonic()))
                try:
                    sock = new_socket()
                except urllib3.exceptions.ConnectTimeoutError as error:
                    is_final = isinstance(error, urllib3.exceptions.NewConnectionError)  # refused, unreachable
                    if is_final or time.monotonic() >= ends:
                        raise
                else:
                    sock.settimeout(timeout)
                    self._watch_while_connecting(connection, sock)
                    return sock
        finally:
            connection.timeout = timeout

    def _watch_while_connecting(self, connection: Any, sock: socket.socket) -> None:
        if not isinstance(connection, urllib3.connection.HTTPSConnection):
            self._socket = sock
            return
        try:
            self._twin = sock.dup()
        except OSError:  # no descriptor is left
            sock.close()
            raise

    def use(self, sock: socket.socket | None) -> None:
        """Use a connection's socket from now on; None while it has none."""
        self.check()
        if sock is not None:
            self._socket, self.is_connected = sock, True
        self._drop_twin()

    def release(self) -> None:
        """Leave the connection alone, since it is given back to the pool."""
        self._socket = None

    def check(self) -> None:
        """Raise an error if nothing may be sent any more."""
        if self._owner.stopped.is_set():
            raise ConnectionAbortedError("stopped")
        if self.is_aborted:
            raise TimeoutError("took too long")

    def abort_if_over(self, now: float) -> None:
        """Close the connection if the task was stopped, or if it takes too long: who reads from it sees its end."""
        self._is_overdue = self._is_overdue or now >= self._began + self._seconds
        if not self._is_overdue and not self._owner.stopped.is_set():
            return
        with self._guard:
            self.is_aborted = True
            for sock in (self._socket, self._twin):
                if sock is not None:
                    with suppress(OSError):
                        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, which a reading thread may be using

    def _drop_twin(self) -> None:
        twin, self._twin = self._twin, None
        if twin is not None:
            twin.close()


class InFlight:
    """
    All requests of one client that are in flight, watched by a thread while there are any.

    Requests begin and end without a lock, which 32 threads would often wait for: a set's ``add`` and ``discard`` are
    atomic.

    :param settings: the server's.
    :param stopped: set when the task is stopped.
    """

    def __init__(self, settings: Settings, stopped: threading.Event) -> None:
        self.settings = settings
        self.stopped = stopped
        self._flights: set[Flight] = set()
        self._guard = threading.Lock()
        self._watcher: threading.Thread | None = None

    def begin(self, method: str, seconds: float) -> Flight:
        """Watch a request that may take ``seconds`` in all."""
        flight = Flight(method, seconds, self)
        self._flights.add(flight)
        if not self._is_watched():
            self._start_watcher()
        return flight

    def end(self, flight: Flight) -> None:
        """Watch a request no longer."""
        self._flights.discard(flight)

    def _is_watched(self) -> bool:
        watcher = self._watcher
        return watcher is not None and watcher.is_alive()  # a fork leaves none

    def _start_watcher(self) -> None:
        with self._guard:
            if self._is_watched():
                return
            watcher = threading.Thread(target=self._watch, name="alloincognito-in-flight", daemon=True)
            with suppress(RuntimeError):  # where no more threads are to be had, each read still has its time-out
                watcher.start()
                self._watcher = watcher

    def _watch(self) -> None:
        while not self._ended_if_idle():
            if self.stopped.wait(LOOKS_EVERY):
                time.sleep(LOOKS_EVERY)  # a connection may just be being made
            for flight in self._flights.copy():
                if flight.is_abandoned:
                    self._flights.discard(flight)
                else:
                    flight.abort_if_over(time.monotonic())

    def _ended_if_idle(self) -> bool:
        """End the watching if nothing is in flight; return whether it has ended."""
        with self._guard:
            self._watcher = None  # before the look at the requests: one that begins after it starts another watcher
            if self._flights:
                self._watcher = threading.current_thread()
            return self._watcher is None


class WatchedAdapter(requests.adapters.HTTPAdapter):
    """An adapter of ``requests`` whose connections are known to the flights that use them."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools for direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _watch_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make the pools for connections by a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        _watch_pools(manager)
        return manager


def _watch_pools(manager: Any) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _watched_pool(pool) for scheme, pool in pools.items()}


@functools.cache
def _watched_pool(pool: type[Any]) -> type[Any]:
    if issubclass(pool, _WatchedPool):
        return pool
    connection = type(f"Watched{pool.ConnectionCls.__name__}", (_Watched, pool.ConnectionCls), {})
    return type(f"Watched{pool.__name__}", (_WatchedPool, pool), {"ConnectionCls": connection})


class _WatchedPool:
    """A pool that takes connections back from the flights that used them."""

    def _put_conn(self, conn: Any) -> None:
        flight = getattr(conn, "flight", None)
        if flight is not None:
            flight.release()
            conn.flight = None
        super()._put_conn(conn)  # type: ignore[misc]


class _FinalResponse(http.client.HTTPResponse):
    """The response proper: the standard library skips an interim one only if its status is 100."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        is_interim = http.HTTPStatus.SWITCHING_PROTOCOLS < status < http.HTTPStatus.OK
        return version, http.HTTPStatus.CONTINUE if is_interim else status, reason


class _Watched:
    """A connection that makes itself known to the flight of the thread that uses it, before it waits for anything."""

    response_class = _FinalResponse

    sock: socket.socket | None
    flight: Flight | None = None

    def _new_conn(self) -> socket.socket:
        self.flight = getattr(_current, "flight", None)
        new_socket: Callable[[], socket.socket] = super()._new_conn  # type: ignore[misc]
        return self.flight.connect(self, new_socket) if self.flight is not None else new_socket()

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        if self.flight is not None:
            self.flight.use(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.flight = getattr(_current, "flight", None)
        if self.flight is not None:
            self.flight.use(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]
