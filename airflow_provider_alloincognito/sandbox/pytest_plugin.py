"""
Fixtures for tests of your own DAGs. In a ``conftest.py``:

.. code-block:: python

    pytest_plugins = ["airflow_provider_alloincognito.sandbox.pytest_plugin"]

then ask for ``alloincognito_connection`` (and for ``alloincognito_sandbox``, to see what it was asked). Override
``alloincognito_sandbox_settings`` for other knobs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from airflow_provider_alloincognito.sandbox.server import Sandbox
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

CONNECTION_ID = "alloincognito_default"


@pytest.fixture
def alloincognito_sandbox_settings() -> SandboxSettings:
    """Give the sandbox's knobs: small days and small recordings. Override it for others."""
    return SandboxSettings(calls_per_day=60, recording_bytes=(720, 7200))


@pytest.fixture
def alloincognito_sandbox(alloincognito_sandbox_settings: SandboxSettings) -> Iterator[Sandbox]:
    """Give a running sandbox."""
    with Sandbox(alloincognito_sandbox_settings) as sandbox:
        yield sandbox


@pytest.fixture
def alloincognito_connection(alloincognito_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make Airflow's connection ``alloincognito_default`` lead to the sandbox, and give its id."""
    address = urlsplit(alloincognito_sandbox.url)
    connection = {
        "conn_type": "alloincognito",
        "host": address.hostname,
        "schema": address.scheme,
        "port": address.port,
        "password": alloincognito_sandbox.authorization_token,
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION_ID.upper()}", json.dumps(connection))
    return CONNECTION_ID
