"""Airflow in this process, with a Connection to a sandbox on the loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dag_runs import CONNECTION, StartSandbox

from airflow_provider_alloincognito.sandbox import Sandbox


@pytest.fixture(scope="session", autouse=True)
def _airflow_ready(airflow_database: None) -> None:
    """Every test here runs tasks."""


@pytest.fixture
def connect_in_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """As ``connect``, with the Connection in Airflow's database, as a user makes it in the UI."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    monkeypatch.delenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", raising=False)

    def forget() -> None:
        with create_session() as session:
            session.query(Connection).filter(Connection.conn_id == CONNECTION).delete()

    def set_connection(sandbox: Sandbox, **values: Any) -> None:
        forget()
        with create_session() as session:
            session.add(Connection(conn_id=CONNECTION, **sandbox.connection(**values)))

    yield set_connection
    forget()


@pytest.fixture
def sandbox(connected_sandbox: StartSandbox) -> Sandbox:
    """A sandbox with small days that the Connection leads to."""
    return connected_sandbox()
