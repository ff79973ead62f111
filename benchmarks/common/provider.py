"""This provider's side of a benchmark: a client without Airflow, and a Connection."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.keeper import PairKeeper
from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore
from airflow_provider_alloincognito.api.transport.client import Client

AUTHORIZATION_TOKEN = "an-authorization-token"


def client_of(stand: str, path: str) -> Client:
    """
    Make a client that has no token pair yet.

    :param path: where the server has what is to be fetched.
    """
    settings = Settings(server=stand, call_list_path=path, record_file_path=path)
    return Client(settings, MemoryTokenStore(), PairKeeper(settings, AUTHORIZATION_TOKEN, locking=True))


def connection_to(stand: str, path: str) -> str:
    """The same as an Airflow Connection, as JSON. No pair is shared with other processes, as there are none."""
    address = urlsplit(stand)
    extra = {"token_store": "memory", "call_list_path": path, "record_file_path": path}
    connection = {
        "conn_type": "alloincognito",
        "host": address.hostname,
        "schema": address.scheme,
        "port": address.port,
        "password": AUTHORIZATION_TOKEN,
        "extra": extra,
    }
    return json.dumps(connection)
