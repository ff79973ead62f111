"""What tests share: Airflow's folder and database, sandboxes, clients, a server that says what it is told."""

from __future__ import annotations

import os
import tempfile

if "AIRFLOW_HOME" not in os.environ:
    # Before Airflow is imported, which reads it once.
    _home = tempfile.TemporaryDirectory(prefix="airflow-tests-")
    os.environ["AIRFLOW_HOME"] = _home.name
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{_home.name}/airflow.db"
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = f"{_home.name}/dags"
    os.mkdir(f"{_home.name}/dags")

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ssl import SSLContext
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from masking import forget_secrets
from plain_server import CREATE_PATH, PAIR, RESULT_PATH, PlainServer, Said, listening
from s3_server import bucket, bucket_name, s3  # noqa: F401 - fixtures

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.keeper import PairKeeper
from airflow_provider_alloincognito.api.tokens.stores import LockingTokenStore, MemoryTokenStore
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.sandbox import Sandbox

# On a machine with other things to do an example may take its time.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")

# The rotation protocol waits these out; on loopback far less will do.
QUICK: dict[str, Any] = {"token_store_seconds": 0.02, "token_call_seconds": 0.05, "retries": 0, "timeout": 5.0}
SMALL: dict[str, Any] = {"calls_per_day": 40, "daily_variation": False, "recording_bytes": (720, 7200)}


@pytest.fixture(autouse=True)
def secrets_of_other_tests_forgotten() -> None:
    """Hundreds of tokens would make each log line, and each further token, slow."""
    forget_secrets()


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's tables, and the bundle that DAGs of tests are said to come from."""
    from airflow.utils.db import initdb

    initdb()
    try:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
    except ImportError:  # 2.11 has no bundles
        return
    DagBundlesManager().sync_bundles_to_db()


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start a sandbox with these knobs."""
    with ExitStack() as stack:
        yield lambda **knobs: stack.enter_context(Sandbox(**{**SMALL, **knobs}))


@pytest.fixture
def sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox with small days, each with the same number of calls."""
    return start_sandbox()


@pytest.fixture
def new_client() -> Iterator[Callable[..., Client]]:
    """
    Make a client as a new process would have it: without a pair, but for a store that is given.

    Takes a sandbox or an address, ``token``, ``store``, and settings.
    """
    with ExitStack() as stack:

        def make(stand: Any, *, token: str | None = None, store: Any = None, **settings: Any) -> Client:
            url = stand if isinstance(stand, str) else stand.url
            known = Settings(server=url, **{**QUICK, **settings})
            kept = store or MemoryTokenStore()
            secret = token or (stand.authorization_token if isinstance(stand, Sandbox) else "an-authorization-token")
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
    """Start a server that gives a pair, an empty result, and whatever it is told; with TLS if it is given a context."""
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
