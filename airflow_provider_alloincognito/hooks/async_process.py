"""What the triggers of one event loop share: a client for each Connection's settings, with its connection pool."""

from __future__ import annotations

import asyncio
import functools
import gc
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import AirflowException, BaseHook
from asgiref.sync import sync_to_async

from airflow_provider_alloincognito.api.async_client import AsyncClient
from airflow_provider_alloincognito.hooks.connection import Access, read_connection
from airflow_provider_alloincognito.hooks.process import shared_pair

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
