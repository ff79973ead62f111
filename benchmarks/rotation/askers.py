"""How a process of each mode makes its requests."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import requests

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.keeper import PairKeeper
from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.api.tokens.stores import LockingTokenStore, TokenStore
from benchmarks.rotation.crew import Ask, Seat
from benchmarks.rotation.measured import MOST_REPLAYS, NOBODYS_HASH, MeasuredClient, Request
from benchmarks.rotation.registers import SlowRegisters

REQUESTS_OF_A_NAIVE_TASK = 10
PAUSE_OF_A_NAIVE_TASK = 0.1


def naive(settings: Settings, authorization_token: str, *, recreate: bool) -> Ask:
    """
    A pair per task, as a hook makes it that knows nothing of other tasks. What is counted is the task.

    :param recreate: make another pair when one is rejected, at most 8 times a request; otherwise the task fails.
    """
    session = requests.Session()
    session.trust_env = False

    def create() -> str:
        answer = session.get(methods.create(settings).url, headers={"Authorization": f"Bearer {authorization_token}"})
        answer.raise_for_status()
        token: str = answer.json()["accessToken"]
        return token

    def is_accepted(token: str) -> bool:
        request = methods.request_result(settings, NOBODYS_HASH)
        answer = session.get(request.url, params=request.params, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code != requests.codes.unauthorized

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


def protocol(settings: Settings, authorization_token: str, folder: Path, latency: float, seat: Seat) -> Ask:
    """The provider's own client over plain registers."""
    return _shared(settings, authorization_token, SlowRegisters(folder, latency), seat)


def redis(settings: Settings, authorization_token: str, connection_id: str, seat: Seat) -> Ask:
    """The provider's own client over its ``redis`` store."""
    from airflow_provider_alloincognito.hooks.redis_store import RedisTokenStore

    store = RedisTokenStore(connection_id, settings.server, authorization_token)
    return _shared(settings, authorization_token, store, seat)


def _shared(settings: Settings, authorization_token: str, store: TokenStore, seat: Seat) -> Ask:
    keeper = PairKeeper(settings, authorization_token, locking=isinstance(store, LockingTokenStore))
    client = MeasuredClient(settings, _TellingStore(store, seat), keeper)
    client.on_token_call = seat.making

    def ask() -> Request:
        try:
            return client.ask()
        finally:
            seat.idle()

    return ask


class _TellingStore:
    """Another store that tells what it is used for."""

    def __init__(self, store: TokenStore, seat: Seat) -> None:
        self._store = store
        self._seat = seat

    def write_claim(self, of: str, nonce: str) -> None:
        self._seat.claiming()
        self._store.write_claim(of, nonce)

    def lock(self, lease: float, timeout: float) -> None:
        self._store.lock(lease, timeout)
        self._seat.claiming()

    def save(self, pair: TokenPair) -> None:
        self._store.save(pair)
        self._seat.idle()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
