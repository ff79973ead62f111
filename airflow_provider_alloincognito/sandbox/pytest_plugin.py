"""
Fixtures for tests of your own DAGs. In a ``conftest.py``:

.. code-block:: python

    pytest_plugins = ["airflow_provider_alloincognito.sandbox.pytest_plugin"]

then use ``alloincognito_connection`` (and ``alloincognito_sandbox``, to see the requests that it received). Override
``alloincognito_sandbox_settings`` for other settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_provider_alloincognito.sandbox.server import Sandbox
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

CONNECTION_ID = "alloincognito_default"


@pytest.fixture
def alloincognito_sandbox_settings() -> SandboxSettings:
    """Return the sandbox's settings: small days and small recordings. Override it for others."""
    return SandboxSettings(calls_per_day=60, recording_bytes=(720, 7200))


@pytest.fixture
def alloincognito_sandbox(alloincognito_sandbox_settings: SandboxSettings) -> Iterator[Sandbox]:
    """Yield a running sandbox."""
    with Sandbox(alloincognito_sandbox_settings) as sandbox:
        yield sandbox


@pytest.fixture
def alloincognito_connection(alloincognito_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set Airflow's Connection ``alloincognito_default`` to the sandbox, and return its id."""
    connection = json.dumps(alloincognito_sandbox.connection())
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION_ID.upper()}", connection)
    return CONNECTION_ID
