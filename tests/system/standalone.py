"""Airflow as a user starts it: ``airflow standalone``, and asked over its REST API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from airflow_provider_alloincognito.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[2] / "example_dags"
AIRFLOW = str(Path(sys.executable).with_name("airflow"))


class Standalone:
    """
    A running Airflow 3: scheduler, API server, DAG processor, triggerer.

    :param home: its ``AIRFLOW_HOME``; DAGs lie in ``dags``, what it says on the terminal in ``standalone.txt``.
    :param python: of the environment that it is installed in.
    :param environment: more variables.
    """

    root = "api/v2"
    health = "monitor/health"

    def __init__(self, home: Path, python: str = sys.executable, **environment: str) -> None:
        self.home = home
        self.dags = home / "dags"
        self.said = home / "standalone.txt"
        self.dags.mkdir()
        port, logs, trigger_logs = _free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        bare = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.environment = {
            **bare,
            # It starts its parts by name.
            "PATH": f"{Path(python).parent}{os.pathsep}{bare.get('PATH', '')}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(logs),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            **self.options(port),
            **environment,
        }
        self._session = requests.Session()
        self._session.trust_env = False
        with self.said.open("wb") as said:
            self._process = subprocess.Popen(
                [str(Path(python).with_name("airflow")), "standalone"],
                env=self.environment,
                cwd=home,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def options(self, port: int) -> dict[str, str]:
        """Give what this generation of Airflow needs to be told."""
        return {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        }

    def log_in(self, session: requests.Session) -> None:
        """Have a session accepted."""
        token = session.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"

    def wait_until_healthy(self) -> None:
        """Wait for API server and scheduler, and log in."""

        def healthy() -> bool:
            try:
                health = self._session.get(f"{self.url}/{self.root}/{self.health}", timeout=5).json()
            except (requests.RequestException, ValueError):
                assert self._process.poll() is None, self.said.read_text()[-5000:]
                return False
            return health["metadatabase"]["status"] == health["scheduler"]["status"] == "healthy"

        self.until(healthy, 180)
        self.log_in(self._session)

    def ask(self, verb: str, path: str, body: Any = None, *, root: str | None = None) -> Any:
        """Ask the API server; what its own UI asks for is under the root ``ui``."""
        answer = self._session.request(verb, f"{self.url}/{root or self.root}/{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def text_of(self, path: str) -> str:
        """Give an answer of the API server as it came."""
        return self._session.get(f"{self.url}/{self.root}/{path}", timeout=30).text

    def until(self, moment: Callable[[], bool], seconds: float) -> None:
        """Wait for something to be so."""
        deadline = time.monotonic() + seconds
        while not moment():
            assert time.monotonic() < deadline, self.said.read_text()[-5000:]
            time.sleep(0.5)

    def run_states(self, dag_id: str) -> dict[str, str]:
        """Give the states of a DAG's runs, by the date of their intervals' start or their id."""
        runs = self.ask("GET", f"dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in runs}

    def start_run(self, dag_id: str) -> None:
        """Start a run of the name ``run``, without a date."""
        self.ask("POST", f"dags/{dag_id}/dagRuns", {"dag_run_id": "run", "logical_date": None})

    def ended(self, dag_id: str) -> bool:
        """Tell whether there is a run, and all are over."""
        return set(self.run_states(dag_id).values()) in ({"success"}, {"failed"}, {"success", "failed"})

    def tasks(self, dag_id: str, run_id: str = "run") -> dict[str, dict[str, Any]]:
        """Give a run's tasks by their ids."""
        found = self.ask("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=100")["task_instances"]
        return {one["task_id"]: one for one in found}

    def stop(self) -> None:
        """End it, and whatever it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._session.close()


class Standalone2(Standalone):
    """A running Airflow 2: likewise, with its SequentialExecutor on SQLite."""

    root = "api/v1"
    health = "health"

    def options(self, port: int) -> dict[str, str]:
        """Give what this generation of Airflow needs to be told."""
        return {
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
        }

    def log_in(self, session: requests.Session) -> None:
        """Have a session accepted."""
        session.auth = ("admin", (self.home / "standalone_admin_password.txt").read_text())


def connection_to(sandbox: Sandbox, **extra: Any) -> dict[str, Any]:
    """A Connection that leads to a sandbox, with these extras."""
    address = urlsplit(sandbox.url)
    return {
        "conn_type": "alloincognito",
        "host": address.hostname,
        "schema": address.scheme,
        "port": address.port,
        "password": sandbox.authorization_token,
        "extra": json.dumps(extra),
    }


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
