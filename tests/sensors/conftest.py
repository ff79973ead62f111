"""A sensor in a real task, on a result that a sandbox has been asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from task_runs import TaskRun, run_task

from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.shared import _forget
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TaskRun]:
    """Ask a sandbox for a call list, and wait for its result by the hash, in a task."""
    _forget()

    def run(
        sandbox: Sandbox,
        *,
        extra: dict[str, Any] | None = None,
        password: str | None = None,
        request_hash: str | None = None,
        **arguments: Any,
    ) -> TaskRun:
        address = urlsplit(sandbox.url)
        connection = {
            "conn_type": "alloincognito",
            "host": address.hostname,
            "schema": address.scheme,
            "port": address.port,
            "password": password or sandbox.authorization_token,
            "extra": {"token_store": "memory", "retries": 0, "timeout": 5, **(extra or {})},
        }
        monkeypatch.setenv("AIRFLOW_CONN_STAND", json.dumps(connection))
        if request_hash is None:
            with AlloincognitoHook("stand").get_call_list("2025-06-02", "2025-06-03") as calls:
                for _ in calls:
                    pass
            request_hash = calls.request_hash
        values = {"poke_interval": 0.05, "timeout": 5, "alloincognito_conn_id": "stand", **arguments}
        return run_task(lambda: AlloincognitoRequestResultSensor(task_id="wait", request_hash=request_hash, **values))

    return run
