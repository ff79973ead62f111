"""Airflow in this process, with a Connection that leads to a sandbox over loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from dag_runs import CONNECTION, MEMORY, StartSandbox

from airflow_provider_alloincognito.sandbox import Sandbox


@pytest.fixture(scope="session", autouse=True)
def _airflow_ready(airflow_database: None) -> None:
    """Every test here runs tasks."""


def connection_to(sandbox: Sandbox, *, password: str | None = None, **extra: Any) -> dict[str, Any]:
    """A Connection that leads to a sandbox, with these extras."""
    address = urlsplit(sandbox.url)
    return {
        "conn_type": "alloincognito",
        "host": address.hostname,
        "schema": address.scheme,
        "port": address.port,
        "password": password or sandbox.authorization_token,
        "extra": extra,
    }


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the Connection lead to a sandbox, with these extras."""

    def set_connection(sandbox: Sandbox, **values: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection_to(sandbox, **values)))

    return set_connection


@pytest.fixture
def connect_in_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """As ``connect``, with a Connection as a user makes it in Airflow's UI."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    monkeypatch.delenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", raising=False)

    def forget() -> None:
        with create_session() as session:
            session.query(Connection).filter(Connection.conn_id == CONNECTION).delete()

    def set_connection(sandbox: Sandbox, **values: Any) -> None:
        forget()
        with create_session() as session:
            session.add(Connection(conn_id=CONNECTION, **connection_to(sandbox, **values)))

    yield set_connection
    forget()


@pytest.fixture
def connected_sandbox(start_sandbox: StartSandbox, connect: Callable[..., None]) -> StartSandbox:
    """Start a sandbox with these knobs, and have the Connection, with these extras, lead to it."""

    def start(extra: dict[str, Any] | None = None, **knobs: Any) -> Sandbox:
        sandbox = start_sandbox(**knobs)
        connect(sandbox, **{**MEMORY, **(extra or {})})
        return sandbox

    return start


@pytest.fixture
def sandbox(connected_sandbox: StartSandbox) -> Sandbox:
    """A sandbox with small days that the Connection leads to."""
    return connected_sandbox()
