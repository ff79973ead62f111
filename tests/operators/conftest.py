"""Airflow in this process, with a Connection that leads to a sandbox over loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from dag_runs import CONNECTION, MEMORY, StartSandbox

from airflow_provider_alloincognito.sandbox import Sandbox


@pytest.fixture(scope="session", autouse=True)
def _airflow_ready(airflow_database: None) -> None:
    """Every test here runs tasks."""


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the Connection lead to a sandbox, with these extras."""

    def set_connection(sandbox: Sandbox, *, password: str | None = None, **extra: Any) -> None:
        address = urlsplit(sandbox.url)
        connection = {
            "conn_type": "alloincognito",
            "host": address.hostname,
            "schema": address.scheme,
            "port": address.port,
            "password": password or sandbox.authorization_token,
            "extra": extra,
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection))

    return set_connection


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
