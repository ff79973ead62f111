"""A sandbox that the Connection in the environment leads to, for triggers to wait on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_alloincognito.sandbox import Sandbox

Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Have the Connection lead to a stand, with these extras."""

    def set_connection(url: str, password: str, **extra: Any) -> None:
        address = urlsplit(url)
        connection = {
            "conn_type": "alloincognito",
            "host": address.hostname,
            "schema": address.scheme,
            "port": address.port,
            "password": password,
            "extra": {"token_store": "memory", "retries": 0, "timeout": 5, "token_call_seconds": 0.5, **extra},
        }
        monkeypatch.setenv("AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT", json.dumps(connection))

    return set_connection


@pytest.fixture
def connected(start_sandbox: Callable[..., Sandbox], connect: Connect) -> Callable[..., Sandbox]:
    """Start a sandbox with these knobs, and have the Connection, with these extras, lead to it."""

    def start(extra: dict[str, Any] | None = None, **knobs: Any) -> Sandbox:
        sandbox = start_sandbox(**knobs)
        connect(sandbox.url, sandbox.authorization_token, **(extra or {}))
        return sandbox

    return start
