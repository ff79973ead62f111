"""Airflow as a user starts it: ``airflow standalone``, and asked over its REST API."""

from __future__ import annotations

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

import requests

EXAMPLES = Path(__file__).parents[2] / "example_dags"
AIRFLOW = str(Path(sys.executable).with_name("airflow"))


class Standalone:
    """
    A running Airflow: scheduler, API server, DAG processor, triggerer.

    :param home: its ``AIRFLOW_HOME``; DAGs lie in ``dags``, what it says on the terminal in ``standalone.txt``.
    """

    def __init__(self, home: Path, **environment: str) -> None:
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
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{bare.get('PATH', '')}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(logs),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            **environment,
        }
        self._session = requests.Session()
        self._session.trust_env = False
        with self.said.open("wb") as said:
            self._process = subprocess.Popen(
                [AIRFLOW, "standalone"],
                env=self.environment,
                cwd=home,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_healthy(self) -> None:
        """Wait for API server and scheduler, and log in."""

        def healthy() -> bool:
            try:
                health = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
            except (requests.RequestException, ValueError):
                assert self._process.poll() is None, self.said.read_text()[-5000:]
                return False
            return health["metadatabase"]["status"] == health["scheduler"]["status"] == "healthy"

        self.until(healthy, 180)
        token = self._session.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, verb: str, path: str, body: Any = None, *, root: str = "api/v2") -> Any:
        """Ask the API server; what its own UI asks for is under the root ``ui``."""
        answer = self._session.request(verb, f"{self.url}/{root}/{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def text_of(self, path: str) -> str:
        """Give an answer of the API server as it came."""
        return self._session.get(f"{self.url}/api/v2/{path}", timeout=30).text

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


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
