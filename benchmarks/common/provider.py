"""This provider's side of a benchmark: a client without Airflow, a Connection, and all imports before the stopwatch."""

from __future__ import annotations

import importlib
import json
import pkgutil
from urllib.parse import urlsplit

import airflow_provider_alloincognito
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore
from airflow_provider_alloincognito.api.transport.client import Client

AUTHORIZATION_TOKEN = "an-authorization-token"


def import_all(*parts: str) -> None:
    """Import all modules of these parts of the package: what is imported on first use is not to be measured."""
    package = airflow_provider_alloincognito
    for part in parts:
        prefix = f"{package.__name__}.{part}."
        for module in pkgutil.walk_packages([f"{folder}/{part}" for folder in package.__path__], prefix):
            importlib.import_module(module.name)


def import_pyarrow() -> None:
    """Likewise what the Parquet writer imports on first use."""
    import pyarrow.compute
    import pyarrow.json
    import pyarrow.parquet  # noqa: F401


def new_client(server: str, path: str) -> Client:
    """
    Return a client that has no token pair yet.

    :param path: where the server has what is fetched.
    """
    settings = Settings(server=server, call_list_path=path, record_file_path=path)
    return Client(settings, MemoryTokenStore(), PairKeeper(settings, AUTHORIZATION_TOKEN, locking=True))


def connection_json(server: str, path: str) -> str:
    """Return the same as an Airflow Connection. The token pair is not shared: each contender is one process."""
    address = urlsplit(server)
    connection = {
        "conn_type": "alloincognito",
        "host": address.hostname,
        "schema": address.scheme,
        "port": address.port,
        "password": AUTHORIZATION_TOKEN,
        "extra": {"pair_store": "memory", "call_list_path": path, "record_file_path": path},
    }
    return json.dumps(connection)
