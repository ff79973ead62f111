"""What one process shares: a keeper and a store for each authorization token."""

from __future__ import annotations

import os
import threading

from airflow_provider_alloincognito.api.pair_keeper import PairKeeper
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.token_store import TokenStore
from airflow_provider_alloincognito.hooks.token_store import token_store_for

Shared = tuple[TokenStore, PairKeeper]

_shared: dict[tuple[str, str, str], Shared] = {}
_guard = threading.Lock()


def shared_pair(settings: Settings, authorization_token: str) -> Shared:
    """
    Give the store and the keeper that everything in this process with the same stand and token uses.

    Keyed by them and not by the connection id: two Connections with one authorization token share one pair.
    """
    key = (settings.stand, authorization_token, settings.token_store)
    with _guard:
        if key not in _shared:
            store = token_store_for(settings.token_store, settings.stand, authorization_token)
            keeper = PairKeeper(settings, authorization_token, exclusive=store.exclusive)
            _shared[key] = (store, keeper)
        return _shared[key]


def _forget() -> None:
    """A forked child has neither its parent's threads nor a right to its sockets."""
    global _guard
    _guard = threading.Lock()
    _shared.clear()


os.register_at_fork(after_in_child=_forget)
