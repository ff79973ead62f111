"""Airflow as a user starts it: ``airflow standalone``, once for all tests that need it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from standalone import Standalone

from airflow_provider_alloincognito.sandbox import Sandbox


@pytest.fixture(scope="session")
def standalone_sandbox() -> Iterator[Sandbox]:
    """The sandbox that :func:`standalone`'s Connection leads to."""
    with Sandbox(calls_per_day=20, daily_variation=False, recording_bytes=(720, 7200)) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def standalone(tmp_path_factory: pytest.TempPathFactory, standalone_sandbox: Sandbox) -> Iterator[Standalone]:
    """A running Airflow, the Connection in its database, without a DAG yet."""
    standalone = Standalone(tmp_path_factory.mktemp("standalone"))
    try:
        standalone.wait_until_healthy()
        address = urlsplit(standalone_sandbox.url)
        standalone.ask(
            "POST",
            "connections",
            {
                "connection_id": "alloincognito_default",
                "conn_type": "alloincognito",
                "host": address.hostname,
                "schema": address.scheme,
                "port": address.port,
                "password": standalone_sandbox.authorization_token,
                "extra": json.dumps({"token_store_seconds": 1, "token_call_seconds": 1}),
            },
        )
        yield standalone
    finally:
        standalone.stop()
