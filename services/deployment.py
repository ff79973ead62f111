"""A real Airflow 3 or 2.11 on the loopback that runs one DAG, and leaves no process behind."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests
import sqlalchemy

from services.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[1]
LONGEST_START = 300.0
LONGEST_STOP = 20.0
FINAL = ("success", "failed")


@dataclass
class Deployment:
    """
    A running Airflow, used with ``with``.

    :param folder: for everything that it writes.
    :param dag: the DAG's file.
    :param python: of the environment that Airflow is installed in.
    :param database: its address as SQLAlchemy takes it; SQLite by default.
    :param executor: ``LocalExecutor``, or ``CeleryExecutor`` with two workers.
    :param parallelism: tasks at a time; each of Celery's workers takes half of them.
    :param environment: more environment variables, such as Connections.
    """

    folder: Path
    dag: Path
    python: Path
    database: str | None = None
    executor: str = "LocalExecutor"
    parallelism: int = 16
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.folder / "airflow"
        self.dags = self.home / "dags"
        self.database = self.database or f"sqlite:///{self.home}/airflow.db"
        self.url = f"http://127.0.0.1:{free_port()}"
        self._started: list[subprocess.Popen[bytes]] = []
        self.pids: dict[str, int] = {}
        """The ids of its processes, by the name of their logs: ``scheduler``, ``api-server``."""

    @property
    def logs(self) -> Path:
        """The folder of everything that Airflow and its tasks log."""
        return self.home / "logs"

    def __enter__(self) -> Self:
        self.dags.mkdir(parents=True)
        self.logs.mkdir()
        shutil.copy(self.dag, self.dags)
        self.variables = {**os.environ, **self._variables(), **self.environment}
        self.is_2 = self.airflow("version").strip().rsplit("\n", 1)[-1].startswith("2.")
        try:
            self.airflow("db", "migrate")
            self._start_all()
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stop_all()

    def airflow(self, *arguments: str) -> str:
        """Run ``airflow`` with these arguments, and return what it prints."""
        done = subprocess.run(
            self._command(*arguments), env=self.variables, capture_output=True, text=True, check=False
        )
        with (self.logs / "commands.log").open("a") as log:
            log.write(f"$ airflow {' '.join(arguments)}\n{done.stdout}{done.stderr}\n")
        if done.returncode:
            raise RuntimeError(f"airflow {arguments[0]} failed: {done.stderr[-2000:]}")
        return done.stdout

    def trigger(self, dag_id: str) -> str:
        """Start a run of the DAG, and return its id."""
        run_id = f"run-{secrets.token_hex(4)}"
        self.wait_for_dag(dag_id)
        self.airflow("dags", "trigger", "--run-id", run_id, dag_id)
        return run_id

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until Airflow knows the DAG."""
        give_up = time.monotonic() + LONGEST_START
        while not self.query("SELECT dag_id FROM serialized_dag WHERE dag_id = :dag_id", dag_id=dag_id):
            if time.monotonic() > give_up:
                raise RuntimeError(f"Airflow does not see the DAG {dag_id}; see its logs in {self.logs}.")
            self._check_alive()
            time.sleep(1)

    def wait(self, dag_id: str, *, timeout: float) -> dict[str, int]:
        """Wait for the DAG's first run to end, and return the number of its tasks by state."""
        give_up = time.monotonic() + timeout
        while True:
            runs = self.query("SELECT run_id, state FROM dag_run WHERE dag_id = :dag_id ORDER BY id", dag_id=dag_id)
            if runs and (runs[0]["state"] in FINAL or time.monotonic() > give_up):
                break
            if time.monotonic() > give_up:
                raise RuntimeError(f"No run of {dag_id} has begun; see the logs in {self.logs}.")
            self._check_alive()
            time.sleep(1)
        states = self.query(
            "SELECT state, COUNT(*) AS number FROM task_instance WHERE dag_id = :dag_id AND run_id = :run_id "
            "GROUP BY state",
            dag_id=dag_id,
            run_id=runs[0]["run_id"],
        )
        return {str(row["state"]): int(row["number"]) for row in states}

    def query(self, text: str, **values: str) -> list[dict[str, Any]]:
        """Query Airflow's database."""
        assert self.database is not None
        engine = sqlalchemy.create_engine(self.database)
        try:
            with engine.connect() as connection:
                return [dict(row) for row in connection.execute(sqlalchemy.text(text), values).mappings()]
        finally:
            engine.dispose()

    def call(self, verb: str, path: str, body: Any = None) -> requests.Response:
        """Call Airflow 3's REST API, as its UI does."""
        token = requests.get(f"{self.url}/auth/token", timeout=60).json()["access_token"]
        return requests.request(
            verb, f"{self.url}{path}", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=120
        )

    def _variables(self) -> dict[str, str]:
        name = {"AIRFLOW_HOME": str(self.home), "PYTHONPATH": str(REPOSITORY)}
        options = {
            "CORE__DAGS_FOLDER": str(self.dags),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__EXECUTOR": self.executor,
            "CORE__PARALLELISM": str(self.parallelism),
            "CORE__MAX_ACTIVE_TASKS_PER_DAG": str(self.parallelism),
            "CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "CORE__TEST_CONNECTION": "Enabled",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "DATABASE__SQL_ALCHEMY_CONN": str(self.database),
            "API__HOST": "127.0.0.1",
            "API__PORT": self.url.rsplit(":", 1)[-1],
            "API__BASE_URL": self.url,
            "API__SECRET_KEY": secrets.token_hex(16),
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "CELERY__WORKER_CONCURRENCY": str(max(1, self.parallelism // 2)),
            "LOGGING__BASE_LOG_FOLDER": str(self.logs),
            "LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "SCHEDULER__MAX_TIS_PER_QUERY": "0",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        return {**name, **{f"AIRFLOW__{key}": value for key, value in options.items()}}

    def _command(self, *arguments: str) -> list[str]:
        return [str(self.python), "-m", "airflow", *arguments]

    def _start_all(self) -> None:
        if self.is_2:
            self._start("scheduler")
            return
        self._start("api-server")
        give_up = time.monotonic() + LONGEST_START
        while not _is_healthy(self.url):
            if time.monotonic() > give_up:
                raise RuntimeError(f"Airflow's API server did not respond; see the logs in {self.logs}.")
            self._check_alive()
            time.sleep(1)
        self._start("dag-processor")
        self._start("scheduler")
        if self.executor == "CeleryExecutor":
            for number in (1, 2):
                self._start("celery", "worker", "--skip-serve-logs", "--celery-hostname", f"worker{number}@%h")

    def _start(self, *arguments: str) -> None:
        name = arguments[-1].removesuffix("@%h")
        with (self.logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                self._command(*arguments),
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)
        self.pids[name] = process.pid

    def _check_alive(self) -> None:
        for process in self._started:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} has ended; see the logs in {self.logs}.")

    def _stop_all(self) -> None:
        for process in reversed(self._started):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LONGEST_STOP)
        # Tasks have sessions of their own and end slowly. They are known by their AIRFLOW_HOME.
        for pid in _processes_of(self.home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._started:
            process.wait()


def _is_healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/api/v2/monitor/health", timeout=10).ok
    except requests.RequestException:
        return False


def _processes_of(home: Path) -> list[int]:
    mark = f"AIRFLOW_HOME={home}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0") and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


def connections(**uris: str) -> dict[str, str]:
    """Return Connections as environment variables."""
    return {f"AIRFLOW_CONN_{name.upper()}": uri for name, uri in uris.items()}
