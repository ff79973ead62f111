"""The requests in flight: their connections are closed when the task is stopped, or when a response takes too long."""

from __future__ import annotations

import functools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests.adapters

from airflow_provider_alloincognito.errors import (
    AlloincognitoError,
    AlloincognitoSlowError,
    AlloincognitoStoppedError,
)

LOOKS_EVERY = 0.1

_current = threading.local()


class Flight:
    """
    One request in flight.

    :param method: the API's method, for errors.
    :param seconds: how long it may take in all.
    :param owner: watches it.
    """

    def __init__(self, method: str, seconds: float, owner: InFlight) -> None:
        self.ends_at = time.monotonic() + seconds
        self.is_overdue = False
        self.is_aborted = False
        self.connection: Any = None
        """urllib3's connection, once one is used."""
        self._method = method
        self._seconds = seconds
        self._owner = owner

    def end(self) -> None:
        """Leave its connection alone from now on: it may serve another request."""
        self._owner.end(self)

    def explain(self, error: AlloincognitoError) -> AlloincognitoError:
        """Return why the connection broke: because it was closed here, or else ``error``."""
        if self._owner.stopped.is_set():
            return AlloincognitoStoppedError("The task was stopped, so its open connections were closed.")
        return AlloincognitoSlowError(self._method, self._seconds) if self.is_overdue else error

    @contextmanager
    def sending(self) -> Iterator[None]:
        """What this thread sends meanwhile belongs to this flight."""
        _current.flight = self
        try:
            yield
        finally:
            _current.flight = None

    def abort(self) -> None:
        """Close the connection, whatever it is doing: a thread that reads from it sees its end."""
        self.is_aborted = True
        sock = getattr(self.connection, "sock", None)
        if isinstance(sock, socket.socket):
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, which the reading thread may be using


class InFlight:
    """
    All requests of one client that are in flight, watched by a thread while there are any.

    :param stopped: set when the task is stopped.
    """

    def __init__(self, stopped: threading.Event) -> None:
        self.stopped = stopped
        self._flights: set[Flight] = set()
        self._guard = threading.Lock()
        self._watcher: threading.Thread | None = None

    def begin(self, method: str, seconds: float) -> Flight:
        """Watch a request that may take ``seconds`` in all."""
        flight = Flight(method, seconds, self)
        with self._guard:
            self._flights.add(flight)
            if self._watcher is None or not self._watcher.is_alive():  # a fork leaves none
                self._watcher = threading.Thread(target=self._watch, name="alloincognito-in-flight", daemon=True)
                self._watcher.start()
        return flight

    def end(self, flight: Flight) -> None:
        """Watch a request no longer."""
        with self._guard:
            self._flights.discard(flight)

    def _watch(self) -> None:
        while True:
            if self.stopped.wait(LOOKS_EVERY):
                time.sleep(LOOKS_EVERY)  # a connection may just be being made
            with self._guard:  # so that no connection is closed that has just been given back
                if not self._flights:
                    self._watcher = None
                    return
                self._abort_all(time.monotonic())

    def _abort_all(self, now: float) -> None:
        for flight in self._flights:
            flight.is_overdue = flight.is_overdue or now >= flight.ends_at
            if flight.is_overdue or self.stopped.is_set():
                flight.abort()


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
    if issubclass(pool.ConnectionCls, _Watched):
        return pool
    connection = type(f"Watched{pool.ConnectionCls.__name__}", (_Watched, pool.ConnectionCls), {})
    return type(f"Watched{pool.__name__}", (pool,), {"ConnectionCls": connection})


class _Watched:
    """A connection that makes itself known to the flight of the thread that uses it, before it waits for anything."""

    def connect(self) -> None:
        _take_off(self)
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> None:
        _take_off(self)
        super().request(*args, **kwargs)  # type: ignore[misc]


def _take_off(connection: Any) -> None:
    flight = getattr(_current, "flight", None)
    if flight is not None:
        flight.connection = connection
