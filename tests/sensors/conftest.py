"""A sensor in a real task, waiting for a result of a sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from task_runs import TaskRun, run_task

from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.shared import forget_shared
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor


@pytest.fixture
def wait(connect: Callable[..., None]) -> Callable[..., TaskRun]:
    """Request a call list from a sandbox, and wait for its result by the hash, in a task."""
    forget_shared()

    def run(
        sandbox: Sandbox,
        *,
        extra: dict[str, Any] | None = None,
        password: str | None = None,
        request_hash: str | None = None,
        **arguments: Any,
    ) -> TaskRun:
        connect(sandbox, "my_server", password=password, **(extra or {}))
        if request_hash is None:
            with AlloincognitoHook("my_server").get_call_list("2025-06-02", "2025-06-03") as calls:
                for _ in calls:
                    pass
            request_hash = calls.request_hash
        values = {"poke_interval": 0.05, "timeout": 5, "alloincognito_conn_id": "my_server", **arguments}
        return run_task(lambda: AlloincognitoRequestResultSensor(task_id="wait", request_hash=request_hash, **values))

    return run
