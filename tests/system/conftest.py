"""Airflow as a user starts it, with ``airflow standalone``, once for each test module that needs it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from forking import Worker

from airflow_provider_alloincognito.sandbox import Sandbox
from services.standalone import Standalone

CHANGED = ("pending_polls", "pending_seconds", "call_list_answer", "calls_per_day", "hash_reruns_query")


@pytest.fixture(scope="module")
def standalone_sandbox() -> Iterator[Sandbox]:
    """The sandbox that :func:`standalone`'s Connection leads to."""
    with Sandbox(calls_per_day=20, daily_variation=False, recording_bytes=(720, 7200)) as sandbox:
        yield sandbox


@pytest.fixture
def changed_sandbox(standalone_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The same sandbox, for a test that changes its settings; they are restored afterwards."""
    before = standalone_sandbox.settings
    standalone_sandbox.clear_log()
    yield standalone_sandbox
    standalone_sandbox.clear_faults()
    standalone_sandbox.configure(**{name: getattr(before, name) for name in CHANGED})


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory, standalone_sandbox: Sandbox) -> Iterator[Standalone]:
    """A running Airflow without DAGs, with the Connection in its database; OpenLineage's events go to a file."""
    home = tmp_path_factory.mktemp("standalone")
    transport = {"type": "file", "log_file_path": str(home / "openlineage.jsonl"), "append": True}
    standalone = Standalone(home, AIRFLOW__OPENLINEAGE__TRANSPORT=json.dumps(transport))
    try:
        standalone.wait_until_healthy()
        connection = standalone_sandbox.connection(pair_store_seconds=1, pair_request_seconds=1)
        connection["extra"] = json.dumps(connection["extra"])
        standalone.call("POST", "connections", {"connection_id": "alloincognito_default", **connection})
        yield standalone
    finally:
        standalone.stop()


@pytest.fixture(scope="session")
def airflow_2_python() -> str:
    """The Python of the environment that `make environment-2.11` makes."""
    there = Path(__file__).parents[2] / ".venv-2.11" / "bin" / "python"
    path = os.environ.get("AIRFLOW_2_PYTHON") or str(there)
    if not Path(path).exists():
        reason = f"No Airflow 2.11 at {path}: run make environment-2.11, or set AIRFLOW_2_PYTHON."
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def _worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, Sandbox]]:
    settings = {"calls_per_day": 300, "daily_variation": False, "recording_bytes": (720, 7200), "transfer": "chunked"}
    with Sandbox(**settings) as sandbox:
        worker = Worker(tmp_path_factory.mktemp("worker"), sandbox)
        yield worker, sandbox
        worker.close()


@pytest.fixture
def worker(_worker: tuple[Worker, Sandbox]) -> Worker:
    """A worker whose tasks can be killed."""
    return _worker[0]


@pytest.fixture
def worker_sandbox(_worker: tuple[Worker, Sandbox]) -> Iterator[Sandbox]:
    """The sandbox that the worker's Connection leads to."""
    sandbox = _worker[1]
    sandbox.clear_log()
    yield sandbox
    sandbox.clear_faults()
    sandbox.configure(latency=0.0)
