"""Connections that lead to a sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.shared import _forget
from airflow_provider_alloincognito.sandbox import Sandbox

QUICK = {"token_store_seconds": 0.1, "token_call_seconds": 0.2, "retries": 0, "timeout": 5}


@pytest.fixture(autouse=True)
def new_process() -> Callable[[], None]:
    """Forget what this process knows of token pairs, as a new worker process would not know it."""
    _forget()
    return _forget


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AlloincognitoHook]:
    """Make a Connection that leads to a sandbox, and give a hook on it; ``token_store`` is ``memory`` unless told."""

    def make(
        sandbox: Sandbox,
        conn_id: str = "alloincognito_default",
        *,
        connection: dict[str, Any] | None = None,
        **extra: Any,
    ) -> AlloincognitoHook:
        address = urlsplit(sandbox.url)
        values = {
            "conn_type": "alloincognito",
            "host": address.hostname,
            "schema": address.scheme,
            "port": address.port,
            "password": sandbox.authorization_token,
            "extra": {"token_store": "memory", **QUICK, **extra},
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({**values, **(connection or {})}))
        return AlloincognitoHook(conn_id)

    return make
