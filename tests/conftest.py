"""Shared fixtures: Airflow's folder and database, sandboxes, Connections to them, clients, plain servers."""

from __future__ import annotations

import os
import sys
import tempfile

if "airflow" not in sys.modules:
    # Airflow reads these once, when it is imported. The tests take nothing from the developer's own Airflow.
    for _name in [name for name in os.environ if name.startswith("AIRFLOW_") and name != "AIRFLOW_2_PYTHON"]:
        del os.environ[_name]
    _home = tempfile.TemporaryDirectory(prefix="airflow-tests-")
    os.environ["AIRFLOW_HOME"] = _home.name
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{_home.name}/airflow.db"
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = f"{_home.name}/dags"
    os.mkdir(f"{_home.name}/dags")

import gc
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from ssl import SSLContext
from typing import Any

import pytest
from hypothesis import HealthCheck, settings as hypothesis_settings
from masking import forget_secrets
from plain_server import CREATE_PATH, PAIR, RESULT_PATH, PlainServer, Said, listening
from s3_server import bucket, bucket_name, s3  # noqa: F401 - fixtures

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.stores import LockingTokenStore, MemoryTokenStore
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.sandbox import Sandbox

# Under load one example may take long.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")

# The store is fast here. A token call may take three times its seconds, since a busy machine may stall for a second.
QUICK: dict[str, Any] = {"pair_store_seconds": 0.02, "pair_request_seconds": 1.0, "retries": 0, "timeout": 5.0}
MEMORY: dict[str, Any] = {"pair_store": "memory", "retries": 0, "timeout": 5}
SMALL: dict[str, Any] = {"calls_per_day": 40, "daily_variation": False, "recording_bytes": (720, 7200)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait for servers most of the time, so that others run meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("system") is None)


@pytest.fixture(autouse=True)
def secrets_of_other_tests_forgotten() -> None:
    """Forget the secrets that Airflow's masker has collected; hundreds of them would make each log line slow."""
    forget_secrets()


@pytest.fixture(scope="session", autouse=True)
def frozen_objects_thawed() -> Iterator[None]:
    """The hook's ``gc.freeze()`` would keep DuckDB alive at the interpreter's exit, which DuckDB reports as leaks."""
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Create Airflow's tables, and register the bundle that the tests' DAGs belong to."""
    from airflow.utils.db import initdb

    initdb()
    try:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
    except ImportError:  # 2.11 has no bundles
        return
    DagBundlesManager().sync_bundles_to_db()
    from airflow.sdk.execution_time import supervisor

    # Up to 3.2, dag.test() builds the API that tasks talk to anew for each task, which takes seconds.
    if AIRFLOW_VERSION < (3, 3):
        supervisor.in_process_api_server = cache(supervisor.in_process_api_server)


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start a sandbox; takes its settings."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Sandbox(**{**SMALL, **settings}))


@pytest.fixture
def sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox with small days, each with the same number of calls."""
    return start_sandbox()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """
    Set a Connection to a sandbox or a plain server in the environment.

    Takes what ``Sandbox.connection`` takes; the extras are those of ``MEMORY`` unless others are given.
    """

    def set_connection(server: Any, conn_id: str = "alloincognito_default", **values: Any) -> None:
        connection = server.connection(**{**MEMORY, **values})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    return set_connection


@pytest.fixture
def connected_sandbox(start_sandbox: Callable[..., Sandbox], connect: Callable[..., None]) -> Callable[..., Sandbox]:
    """Start a sandbox that the Connection leads to; takes the Connection's extras, and the sandbox's settings."""

    def start(extra: dict[str, Any] | None = None, **settings: Any) -> Sandbox:
        sandbox = start_sandbox(**settings)
        connect(sandbox, **(extra or {}))
        return sandbox

    return start


@pytest.fixture
def new_client() -> Iterator[Callable[..., Client]]:
    """
    Make a client as a new process has it, without a token pair.

    Takes a sandbox or a URL, ``token``, ``store``, and settings.
    """
    with ExitStack() as stack:

        def make(server: Any, *, token: str | None = None, store: Any = None, **settings: Any) -> Client:
            url = server if isinstance(server, str) else server.url
            known = Settings(server=url, **{**QUICK, **settings})
            kept = store or MemoryTokenStore()
            secret = token or (server.authorization_token if isinstance(server, Sandbox) else "an-authorization-token")
            client = Client(known, kept, PairKeeper(known, secret, locking=isinstance(kept, LockingTokenStore)))
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def client(sandbox: Sandbox, new_client: Callable[..., Client]) -> Client:
    """A client of the sandbox."""
    return new_client(sandbox)


@pytest.fixture
def plain_server() -> Iterator[Callable[..., PlainServer]]:
    """Start a server that gives a token pair, an empty result, and the given responses; with TLS if given a context."""
    with ExitStack() as stack:

        def start(answers: dict[str, Said] | None = None, tls: SSLContext | None = None) -> PlainServer:
            known = {
                CREATE_PATH: Said(PAIR),
                RESULT_PATH: Said(b'{"error": null, "result": {"rowset": []}}'),
                **(answers or {}),
            }
            server = listening(known, tls)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return server.plain

        yield start
