"""What a process shares: one token pair a token, and one client for all triggers of an event loop."""

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
from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import AirflowException, BaseHook
from asgiref.sync import sync_to_async

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.keeper import PairKeeper
from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore, TokenStore
from airflow_provider_alloincognito.errors import AlloincognitoSettingsError
from airflow_provider_alloincognito.hooks.connection import Access, read_connection
from airflow_provider_alloincognito.hooks.sealing import mask_pair

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.transport.async_client import AsyncClient

log = logging.getLogger(__name__)

REDIS = "redis://"


class MaskedMemoryTokenStore(MemoryTokenStore):
    """Shares nothing beyond the process; has Airflow mask what it keeps."""

    def save(self, pair: TokenPair) -> None:
        """Keep ``pair`` as long as the process lives."""
        mask_pair(pair)
        super().save(pair)


def token_store_for(name: str, server: str, authorization_token: str) -> TokenStore:
    """
    Open the store that a setting names.

    :param name: ``variable``, ``redis://<conn id>`` or ``memory``.
    :param server: the canonical server; with the authorization token, the key of the pair.
    :param authorization_token: also what the entries are encrypted with.
    :raises AlloincognitoSettingsError: if there is no such store.
    """
    if name == "variable":
        from airflow_provider_alloincognito.hooks.variable_store import VariableTokenStore

        return VariableTokenStore(server, authorization_token)
    if name.startswith(REDIS) and name != REDIS:
        from airflow_provider_alloincognito.hooks.redis_store import RedisTokenStore

        return RedisTokenStore(name.removeprefix(REDIS).rstrip("/"), server, authorization_token)
    if name == "memory":
        log.warning(
            "The token store 'memory' shares its pair with nobody: each process that uses it cuts off all others with "
            "the same authorization token. It is for scripts and tests"
        )
        return MaskedMemoryTokenStore()
    raise AlloincognitoSettingsError(
        f"Setting token_store is {name!r}; allowed are 'variable', 'redis://<connection id>' and 'memory'."
    )


Shared = tuple[TokenStore, PairKeeper]

_shared: dict[tuple[str, str, str], Shared] = {}
_guard = threading.Lock()


def shared_pair(settings: Settings, authorization_token: str) -> Shared:
    """
    Give the store and the keeper that everything in this process with the same server and token uses.

    Keyed by them and not by the connection id: two Connections with one authorization token share one pair.
    """
    key = (settings.server, authorization_token, settings.token_store)
    with _guard:
        if key not in _shared:
            store = token_store_for(settings.token_store, settings.server, authorization_token)
            keeper = PairKeeper(settings, authorization_token, exclusive=store.exclusive)
            _shared[key] = (store, keeper)
        return _shared[key]


def _forget() -> None:
    """A forked child has neither its parent's threads nor a right to its sockets."""
    global _guard
    _guard = threading.Lock()
    _shared.clear()


os.register_at_fork(after_in_child=_forget)

Loop = asyncio.AbstractEventLoop

_clients: WeakKeyDictionary[Loop, dict[tuple[str, bytes], AsyncClient]] = WeakKeyDictionary()
_making: WeakKeyDictionary[Loop, asyncio.Lock] = WeakKeyDictionary()


async def shared_async_client(alloincognito_conn_id: str) -> AsyncClient:
    """
    Give the client that all triggers of this loop with the same Connection share.

    The first one of a process has Python's garbage collector leave alone what is imported by then.

    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    """
    access = await _read_access(alloincognito_conn_id)
    loop = asyncio.get_running_loop()
    clients = _clients.setdefault(loop, {})
    key = (access.authorization_token, msgspec.json.encode(access.settings))
    if key not in clients:
        async with _making.setdefault(loop, asyncio.Lock()):
            if key not in clients:
                clients[key] = await _run_in_thread(_new_client, access)
        _spare_the_collector()
    return clients[key]


@functools.cache  # once in a process: what comes later comes and goes with the triggers
def _spare_the_collector() -> None:
    """
    Let Python's garbage collector look no more at what stands now: nearly all of it is what Airflow imported.

    To look at it all holds the loop, and with it every trigger of the process, for some 100 ms at a time.
    """
    gc.freeze()


def _new_client(access: Access) -> AsyncClient:
    """In a thread: to read the certificates of all authorities takes as long as dozens of polls."""
    from airflow_provider_alloincognito.api.transport.async_client import AsyncClient

    store, keeper = shared_pair(access.settings, access.authorization_token)
    return AsyncClient(access.settings, store, keeper, in_thread=_run_in_thread)


async def _run_in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    # Airflow's own calls find their way back to the loop only from one of asgiref's threads.
    return await sync_to_async(function, thread_sensitive=False)(*arguments)


async def _read_access(alloincognito_conn_id: str) -> Access:
    try:
        connection = await get_async_connection(alloincognito_conn_id)
    except (AirflowException, NotImplementedError):
        # dag.test() on Airflow 3.3 finds Connections of the database only without async.
        connection = await sync_to_async(BaseHook.get_connection)(alloincognito_conn_id)
    return read_connection(connection, await get_async_extra_dejson(connection))
