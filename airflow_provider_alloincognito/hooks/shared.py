"""
What all hooks and triggers of one process share.

- ``shared_pair``: one token store and one keeper for each server and authorization token.
- ``shared_async_client``: one client for all triggers of an event loop.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import msgspec
from asgiref.sync import sync_to_async

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.api.tokens.stores import LockingTokenStore, MemoryTokenStore, TokenStore
from airflow_provider_alloincognito.hooks.connection import Access, find_connection, read_connection
from airflow_provider_alloincognito.hooks.encryption import mask_pair
from airflow_provider_alloincognito.scrubbing import without_locals

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.transport.async_client import AsyncClient

log = logging.getLogger(__name__)

REDIS = "redis://"

SharedPair = tuple[TokenStore, PairKeeper]
_pairs: dict[tuple[str, str, str], SharedPair] = {}
_guard = threading.Lock()

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, bytes], AsyncClient]] = WeakKeyDictionary()
_making: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
_readings: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Task[Access]]] = WeakKeyDictionary()


def shared_pair(settings: Settings, authorization_token: str, *, masks: bool = True) -> SharedPair:
    """
    Return the token store and the keeper that this process uses for a server and an authorization token.

    Two Connections with the same server and authorization token share one pair.

    :param masks: whether to have Airflow mask all tokens, see :func:`mask_pair`; the first call decides.
    """
    key = _key(settings, authorization_token)
    with _guard:
        if key not in _pairs:
            store = token_store_for(settings.pair_store, settings.server, authorization_token, masks=masks)
            keeper = PairKeeper(settings, authorization_token, locking=isinstance(store, LockingTokenStore))
            _pairs[key] = (store, keeper)
        return _pairs[key]


def share_pair(settings: Settings, authorization_token: str, store: TokenStore, keeper: PairKeeper) -> None:
    """Have this process use another token store or keeper than :func:`shared_pair` would make."""
    with _guard:
        _pairs[_key(settings, authorization_token)] = (store, keeper)


def _key(settings: Settings, authorization_token: str) -> tuple[str, str, str]:
    return (settings.server, authorization_token, settings.pair_store)


def token_store_for(name: str, server: str, authorization_token: str, *, masks: bool = True) -> TokenStore:
    """
    Return the token store that the setting ``pair_store`` names.

    :param name: ``variable``, ``redis://<conn id>`` or ``memory``.
    :param server: scheme, lower-case host and port; with the authorization token, the key of the pair.
    :param authorization_token: also what the entries are encrypted with.
    :param masks: whether to have Airflow mask all tokens.
    """
    if name == "variable":
        from airflow_provider_alloincognito.hooks.variable_store import VariableTokenStore

        return VariableTokenStore(server, authorization_token, masks=masks)
    if name.startswith(REDIS):
        from airflow_provider_alloincognito.hooks.redis_store import RedisTokenStore

        conn_id = name.removeprefix(REDIS).rstrip("/")
        return RedisTokenStore(conn_id, server, authorization_token, masks=masks)
    log.warning(
        "The token store 'memory' does not share its pair with other processes: each process that uses it "
        "invalidates the pair of all others with the same authorization token. Use it for scripts and tests only"
    )
    return MaskedMemoryTokenStore() if masks else MemoryTokenStore()


class MaskedMemoryTokenStore(MemoryTokenStore):
    """Keeps the pair in this process only, and has Airflow mask its tokens."""

    def save(self, pair: TokenPair) -> None:
        """Keep ``pair`` until the process ends."""
        mask_pair(pair)
        super().save(pair)


def forget_shared() -> None:
    """Forget all shared pairs. A forked child must: it has neither its parent's threads nor a right to its sockets."""
    global _guard
    _guard = threading.Lock()
    _pairs.clear()


os.register_at_fork(after_in_child=forget_shared)


async def shared_async_client(alloincognito_conn_id: str) -> AsyncClient:
    """
    Return the client that all triggers of this event loop with the same Connection share.

    The first call in a process also calls ``gc.freeze()``, see :func:`freeze_garbage_collector`.

    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    """
    with without_locals():
        return await _client_for(await _access(alloincognito_conn_id))


async def _access(alloincognito_conn_id: str) -> Access:
    """
    Read a Connection. Triggers that begin at the same time share one reading.

    What a secrets backend logs meanwhile is in the log of the first of them.
    """
    readings = _readings.setdefault(asyncio.get_running_loop(), {})

    def forget(reading: asyncio.Task[Access]) -> None:
        del readings[alloincognito_conn_id]
        if not reading.cancelled():
            reading.exception()  # asyncio would warn if every waiter was cancelled

    if alloincognito_conn_id not in readings:
        readings[alloincognito_conn_id] = asyncio.create_task(run_in_thread(_read_access, alloincognito_conn_id))
        readings[alloincognito_conn_id].add_done_callback(forget)
    reading = readings[alloincognito_conn_id]
    await asyncio.wait([reading])  # which does not cancel it for the others
    return reading.result()


async def _client_for(access: Access) -> AsyncClient:
    loop = asyncio.get_running_loop()
    clients = _clients.setdefault(loop, {})
    key = (access.authorization_token, msgspec.json.encode(access.settings))
    if key not in clients:
        async with _making.setdefault(loop, asyncio.Lock()):
            if key not in clients:
                clients[key] = await run_in_thread(_new_client, access)
        freeze_garbage_collector()
    return clients[key]


@without_locals()
def _read_access(alloincognito_conn_id: str) -> Access:
    """Run in a thread: Airflow's own async way is missing before 3.1, and fails in ``dag.test()`` after."""
    return read_connection(find_connection(alloincognito_conn_id))


def _new_client(access: Access) -> AsyncClient:
    """Run in a thread: reading the CA certificates takes as long as dozens of polls."""
    from airflow_provider_alloincognito.api.transport.async_client import AsyncClient

    # Not masked, since a triggerer lives long. Nothing here logs tokens, and no user's code is given any.
    store, keeper = shared_pair(access.settings, access.authorization_token, masks=False)
    return AsyncClient(access.settings, store, keeper, in_thread=run_in_thread)


async def run_in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a blocking call outside of the event loop."""
    # Airflow's own calls find their way back to the event loop only from one of asgiref's threads.
    return await sync_to_async(function, thread_sensitive=False)(*arguments)


@functools.cache  # once in a process: what is made later belongs to single triggers
def freeze_garbage_collector() -> None:
    """
    Let Python's garbage collector skip all objects that exist now, most of which Airflow's imports made.

    To scan them blocks the event loop, and with it every trigger of the process, for some 100 ms each time.
    """
    gc.freeze()
