"""What a token store takes: a call, and all that a rotation does. Runs in a task of real Airflow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CALLS = 100
LIFETIME = 3.0
"""Seconds that an access token of the sandbox lives; its refresh token outlives the measurement."""
AFTER_A_ROTATION = 5.0
"""Seconds in which the process that made a pair makes sure that it is still in the store."""


@dataclass(frozen=True)
class StoreCosts:
    """
    In seconds and numbers of calls.

    :param call: one call, from a task: the mean of reading and writing the pair.
    :param call_cpu: the task's CPU time of that.
    :param calls_of_a_task: to the store, of a task that finds a valid pair.
    :param refresh: how long a request waits that finds an expired pair.
    :param create: how long one waits that finds none.
    """

    call: float
    call_cpu: float
    calls_of_a_task: int
    refresh: float
    refresh_calls: int
    create: float
    create_calls: int


def measure(conn_id: str) -> StoreCosts:
    """
    Measure the store of a Connection to a sandbox whose access tokens live for :data:`LIFETIME`.

    :param conn_id: nobody else may use its token meanwhile.
    """
    create, create_calls = _first_request(conn_id)
    _, calls_of_a_task = _first_request(conn_id)
    time.sleep(max(AFTER_A_ROTATION, LIFETIME))
    refresh, refresh_calls = _first_request(conn_id)
    store = _store(conn_id)
    pair = store.load()
    cpu, began = time.process_time(), time.perf_counter()
    for _ in range(CALLS // 2):
        store.save(pair)
        store.load()
    call, call_cpu = (time.perf_counter() - began) / CALLS, (time.process_time() - cpu) / CALLS
    return StoreCosts(call, call_cpu, calls_of_a_task, refresh, refresh_calls, create, create_calls)


def _first_request(conn_id: str) -> tuple[float, int]:
    """Make the first request of a new process; return the seconds that it waits for a pair, and the store calls."""
    from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
    from airflow_provider_alloincognito.api.tokens.stores import LockingTokenStore
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
    from benchmarks.rotation.measured_client import MeasuredClient

    hook = AlloincognitoHook(conn_id)
    store = _CountingStore(_store(conn_id))
    locking = isinstance(store.store, LockingTokenStore)
    keeper = PairKeeper(hook.settings, hook.access.authorization_token, locking=locking)
    client = MeasuredClient(hook.settings, store, keeper)
    request = client.request()
    if request.failed:
        raise RuntimeError(f"The request failed: {request.error}.")
    return request.wait, store.calls


def _store(conn_id: str) -> Any:
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
    from airflow_provider_alloincognito.hooks.shared import token_store_for

    settings = AlloincognitoHook(conn_id).settings
    return token_store_for(settings.pair_store, settings.server, AlloincognitoHook(conn_id).access.authorization_token)


class _CountingStore:
    """Another store; counts the calls."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.calls = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.calls += 1
            return getattr(self.store, name)(*arguments)

        return call
