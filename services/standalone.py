"""Airflow as a user starts it, with ``airflow standalone``, and its REST API."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import tenacity

from services.ports import free_port

EXAMPLES = Path(__file__).parents[1] / "example_dags"
AIRFLOW = str(Path(sys.executable).with_name("airflow"))
# One process of the API server answers all, also the tasks' requests, on a busy machine.
REQUEST_SECONDS = 120


class Standalone:
    """
    A running Airflow 3: scheduler, API server, DAG processor, triggerer.

    :param home: its ``AIRFLOW_HOME``, with DAGs in ``dags`` and the output of the terminal in ``standalone.txt``.
    :param python: of the environment that it is installed in.
    :param environment: more environment variables.
    """

    root = "api/v2"
    health = "monitor/health"

    def __init__(self, home: Path, python: str = sys.executable, **environment: str) -> None:
        self.home = home
        self.dags = home / "dags"
        self.terminal = home / "standalone.txt"
        self.dags.mkdir()
        port, logs, trigger_logs = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        bare = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.environment = {
            **bare,
            # It starts its components by name.
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
        with self.terminal.open("wb") as terminal:
            self._process = subprocess.Popen(
                [str(Path(python).with_name("airflow")), "standalone"],
                env=self.environment,
                cwd=home,
                stdout=terminal,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of the process that starts all others."""
        return self._process.pid

    def options(self, port: int) -> dict[str, str]:
        """Return the options of this generation of Airflow."""
        return {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        }

    def log_in(self, session: requests.Session) -> None:
        """Authenticate a session."""
        token = session.get(f"{self.url}/auth/token", timeout=REQUEST_SECONDS).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"

    def wait_until_healthy(self) -> None:
        """Wait for API server and scheduler, and log in."""

        def healthy() -> bool:
            try:
                health = self._session.get(f"{self.url}/{self.root}/{self.health}", timeout=5).json()
            except (requests.RequestException, ValueError):
                assert self._process.poll() is None, self.terminal.read_text()[-5000:]
                return False
            return bool(health["metadatabase"]["status"] == health["scheduler"]["status"] == "healthy")

        self.until(healthy, 300)
        self.log_in(self._session)

    @tenacity.retry(
        # Airflow's processes share one SQLite file: on a busy machine a write can find it locked, and is rolled back.
        retry=tenacity.retry_if_exception_message(match='.*"Database error"'),
        wait=tenacity.wait_fixed(1),
        stop=tenacity.stop_after_delay(60),
        reraise=True,
    )
    def call(self, verb: str, path: str, body: Any = None, *, root: str | None = None) -> Any:
        """Call the API server, and return the response; the API of its UI is under the root ``ui``."""
        response = self._session.request(
            verb, f"{self.url}/{root or self.root}/{path}", json=body, timeout=REQUEST_SECONDS
        )
        assert response.ok, response.text
        return response.json() if response.content else None

    def text_of(self, path: str) -> str:
        """Return a response of the API server as text."""
        return self._session.get(f"{self.url}/{self.root}/{path}", timeout=REQUEST_SECONDS).text

    def until(self, moment: Callable[[], bool], seconds: float) -> None:
        """Wait until ``moment()`` is true, at most so many seconds."""
        deadline = time.monotonic() + seconds
        while not moment():
            assert time.monotonic() < deadline, self.terminal.read_text()[-5000:]
            time.sleep(0.5)

    def run_states(self, dag_id: str) -> dict[str, str]:
        """Return the states of a DAG's runs by their ids."""
        runs = self.call("GET", f"dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in runs}

    def start_run(self, dag_id: str) -> None:
        """Start a run with the id ``run``, without a logical date."""
        self.call("POST", f"dags/{dag_id}/dagRuns", {"dag_run_id": "run", "logical_date": None})

    def ended(self, dag_id: str) -> bool:
        """Return whether the DAG has runs, and all of them have ended."""
        return set(self.run_states(dag_id).values()) in ({"success"}, {"failed"}, {"success", "failed"})

    def tasks(self, dag_id: str, run_id: str = "run") -> dict[str, dict[str, Any]]:
        """Return a run's task instances by their task ids."""
        found = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=100")["task_instances"]
        return {one["task_id"]: one for one in found}

    def stop(self) -> None:
        """Stop Airflow, and all that it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._session.close()


class Standalone2(Standalone):
    """A running Airflow 2, with its SequentialExecutor on SQLite."""

    root = "api/v1"
    health = "health"

    def options(self, port: int) -> dict[str, str]:
        """Return the options of this generation of Airflow."""
        return {
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
        }

    def log_in(self, session: requests.Session) -> None:
        """Authenticate a session."""
        session.auth = ("admin", (self.home / "standalone_admin_password.txt").read_text())
