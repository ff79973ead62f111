"""Hooks on Connections to a sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.shared import forget_shared
from airflow_provider_alloincognito.sandbox import Sandbox

DEFAULTS = {"pair_store": "memory", "pair_store_seconds": 0.1, "pair_request_seconds": 1.0, "retries": 0, "timeout": 5}


@pytest.fixture(autouse=True)
def new_process() -> Callable[[], None]:
    """Forget the token pairs that this process knows, as if it were a new worker process."""
    forget_shared()
    return forget_shared


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AlloincognitoHook]:
    """Set a Connection to a sandbox, and return a hook on it; ``connection`` replaces fields of the Connection."""

    def make(
        sandbox: Sandbox,
        conn_id: str = "alloincognito_default",
        *,
        connection: dict[str, Any] | None = None,
        **extra: Any,
    ) -> AlloincognitoHook:
        values = {**sandbox.connection(**{**DEFAULTS, **extra}), **(connection or {})}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(values))
        return AlloincognitoHook(conn_id)

    return make
