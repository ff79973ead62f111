"""How the processes of each mode make their requests."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import requests

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.api.tokens.stores import LockingTokenStore, TokenStore
from benchmarks.rotation.measured_client import MOST_REPLAYS, UNUSED_HASH, MeasuredClient, Request
from benchmarks.rotation.slow_store import SlowTokenStore
from benchmarks.rotation.workers import MakeRequest, WorkerStatus

REQUESTS_OF_A_NAIVE_TASK = 10
PAUSE_OF_A_NAIVE_TASK = 0.1


def naive(settings: Settings, authorization_token: str, *, recreate: bool) -> MakeRequest:
    """
    Make a pair for each task, as a hook would that knows nothing of other tasks. Each task counts as one request.

    :param recreate: make another pair when one is rejected, at most 8 times for a request; otherwise the task fails.
    """
    session = requests.Session()
    session.trust_env = False

    def create() -> str:
        response = session.get(methods.create(settings).url, headers={"Authorization": f"Bearer {authorization_token}"})
        response.raise_for_status()
        token: str = response.json()["accessToken"]
        return token

    def is_accepted(token: str) -> bool:
        request = methods.request_result(settings, UNUSED_HASH)
        response = session.get(request.url, params=request.params, headers={"Authorization": f"Bearer {token}"})
        return response.status_code != requests.codes.unauthorized

    def task() -> Request:
        token, most, waited = create(), 0, 0.0
        for _ in range(REQUESTS_OF_A_NAIVE_TASK):
            replays, began = 0, time.monotonic()
            while not is_accepted(token):
                if not recreate or replays >= MOST_REPLAYS:
                    return Request(waited, replays + 1, None, "Rejected")
                replays += 1
                token = create()
                waited += time.monotonic() - began
                began = time.monotonic()
            most = max(most, replays)
            time.sleep(PAUSE_OF_A_NAIVE_TASK)
        return Request(waited, most, None)

    return task


def protocol(
    settings: Settings, authorization_token: str, folder: Path, latency: float, status: WorkerStatus
) -> MakeRequest:
    """Share a pair through a slow store without a lock, with the provider's own client."""
    return _shared(settings, authorization_token, SlowTokenStore(folder, latency), status)


def redis(settings: Settings, authorization_token: str, connection_id: str, status: WorkerStatus) -> MakeRequest:
    """Share a pair through Redis, with the provider's own client and store."""
    from airflow_provider_alloincognito.hooks.redis_store import RedisTokenStore

    store = RedisTokenStore(connection_id, settings.server, authorization_token)
    return _shared(settings, authorization_token, store, status)


def _shared(settings: Settings, authorization_token: str, store: TokenStore, status: WorkerStatus) -> MakeRequest:
    keeper = PairKeeper(settings, authorization_token, locking=isinstance(store, LockingTokenStore))
    client = MeasuredClient(settings, _ReportingStore(store, status), keeper)
    client.on_token_call = status.making

    def request() -> Request:
        try:
            return client.request()
        finally:
            status.idle()

    return request


class _ReportingStore:
    """Another store; reports what the process is doing."""

    def __init__(self, store: TokenStore, status: WorkerStatus) -> None:
        self._store: Any = store  # with a lock or with claims
        self._status = status

    def write_claim(self, of: str, nonce: str) -> None:
        self._status.claiming()
        self._store.write_claim(of, nonce)

    def lock(self, lease: float, timeout: float) -> None:
        self._store.lock(lease, timeout)
        self._status.claiming()

    def save(self, pair: TokenPair) -> None:
        self._store.save(pair)
        self._status.idle()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
