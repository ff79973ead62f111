"""What Airflow itself takes for a task and for a DAG run: LocalExecutor on PostgreSQL, all on this machine."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil

from benchmarks.common.provider import connection_json
from benchmarks.common.server import running
from benchmarks.rotation.sandbox import SandboxProcess
from benchmarks.scale.token_store import LIFETIME, StoreCosts
from services.deployment import Deployment, connections
from services.postgresql import postgresql
from services.redis_server import RedisServer

REDIS = "redis_tokens"
DAG = Path(__file__).parent / "dags" / "scale_costs.py"
STORES = {"variable": "variable", "redis": f"redis://{REDIS}"}
"""The setting ``pair_store``, by the id of the Connection."""
TASKS_AT_A_TIME = 4
LONGEST_RUN = 900.0
SETTLING, IDLE = 15.0, 20.0


@dataclass(frozen=True)
class Cpu:
    """
    CPU seconds of Airflow's parts.

    :param scheduler: of its own process.
    :param api_server: of all of its processes.
    :param database: of PostgreSQL.
    :param tasks: of the processes that run tasks.
    """

    scheduler: float
    api_server: float
    database: float
    tasks: float

    def __sub__(self, other: Cpu) -> Cpu:
        # A difference of two measurements may be less than nothing.
        return Cpu(*(max(0.0, mine - its) for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, times: float) -> Cpu:
        return Cpu(*(mine * times for mine in astuple(self)))


@dataclass(frozen=True)
class AirflowCosts:
    """
    CPU seconds, and what the token stores take.

    :param task: of a task instance that does nothing.
    :param calls: what one takes beyond that which lands a call list of one row as Parquet, with its imports.
    :param run: of a DAG run beyond its tasks, with the asset event that starts it or that it ends with.
    :param idle: in a second in which nothing runs.
    :param starts: task instances a second, all on this machine.
    :param stores: by the setting ``pair_store``.
    """

    task: Cpu
    calls: Cpu
    run: Cpu
    idle: Cpu
    starts: float
    stores: dict[str, StoreCosts]


def measure(tasks: int, runs: int) -> AirflowCosts:
    """
    Start an Airflow and measure it.

    :param tasks: task instances of one run.
    :param runs: runs of a DAG with one task, each of which ends with an asset event.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-scale-")))
        airflow = _start(stack, folder, tasks)
        _run(airflow, "scale_runs", 1)  # the first is slower than all others
        time.sleep(SETTLING)
        idle = _measured(airflow, partial(time.sleep, IDLE), Cpu(0, 0, 0, 0))[0] * (1 / IDLE)
        nothing, seconds = _measured(airflow, partial(_run, airflow, "scale_tasks", 1), idle)
        landing, _ = _measured(airflow, partial(_run, airflow, "scale_calls", 1), idle)
        task, calls = nothing * (1 / tasks), (landing - nothing) * (1 / tasks)
        before = _count(airflow, "dag_run")
        spent, _ = _measured(airflow, partial(_run, airflow, "scale_runs", runs), idle)
        run = spent * (1 / (_count(airflow, "dag_run") - before)) - task  # each has one task
        _run(airflow, "scale_stores", 1)
        stores = {store: StoreCosts(**json.loads((folder / f"{store}.json").read_text())) for store in STORES}
        return AirflowCosts(task, calls, run, idle, tasks / seconds, stores)


def _start(stack: ExitStack, folder: Path, tasks: int) -> Deployment:
    redis = stack.enter_context(RedisServer(folder))
    server = stack.enter_context(running("benchmarks.common.server", "--rows=1"))
    environment = {
        "SCALE_TASKS": str(tasks),
        "SCALE_FOLDER": str(folder),
        **connections(**{REDIS: redis.url}, alloincognito_default=connection_json(server, "/rows/1")),
    }
    for name, store in STORES.items():
        # A sandbox has one authorization token.
        sandbox = stack.enter_context(SandboxProcess(access_lifetime=LIFETIME, refresh_lifetime=3600.0))
        environment |= connections(**{name: sandbox.connection(pair_store=store)})
    database = stack.enter_context(postgresql())
    return stack.enter_context(
        Deployment(
            folder,
            DAG,
            Path(sys.executable),
            database=database,
            parallelism=TASKS_AT_A_TIME,
            environment=environment,
        )
    )


def _run(airflow: Deployment, dag_id: str, count: int) -> None:
    """Start runs of a DAG, and wait until all runs of the deployment have ended."""
    airflow.wait_for_dag(dag_id)
    for _ in range(count):
        airflow.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None}).raise_for_status()
    give_up = time.monotonic() + LONGEST_RUN
    while _count(airflow, "dag_run", "state NOT IN ('success', 'failed')") or _count(airflow, "asset_dag_run_queue"):
        if time.monotonic() > give_up:
            raise RuntimeError(f"The runs of {dag_id} do not end; see the logs in {airflow.logs}.")
        time.sleep(0.5)
    if _count(airflow, "dag_run", "state <> 'success'"):
        raise RuntimeError(f"A run of {dag_id} failed.")


def _count(airflow: Deployment, table: str, condition: str = "TRUE") -> int:
    return int(airflow.query(f"SELECT COUNT(*) AS number FROM {table} WHERE {condition}")[0]["number"])


def _measured(airflow: Deployment, work: Callable[[], None], idle: Cpu) -> tuple[Cpu, float]:
    """Return what the work takes beyond an idle Airflow, and its seconds."""
    before, began = _cpu(airflow), time.monotonic()
    work()
    spent, seconds = _cpu(airflow) - before, time.monotonic() - began
    return spent - idle * seconds, seconds


def _cpu(airflow: Deployment) -> Cpu:
    scheduler, api_server = (psutil.Process(airflow.pids[name]) for name in ("scheduler", "api-server"))
    times = scheduler.cpu_times()
    tasks = times.children_user + times.children_system + sum(map(_with_ended, scheduler.children()))
    return Cpu(times.user + times.system, _with_all(api_server), _with_all(_postmaster(airflow)), tasks)


def _postmaster(airflow: Deployment) -> psutil.Process:
    """Return PostgreSQL's first process, which runs under another user."""
    folder = parse_qs(urlsplit(str(airflow.database)).query)["host"][0]
    return next(one for one in psutil.process_iter() if one.name() == "postgres" and folder in one.cmdline())


def _with_all(process: psutil.Process) -> float:
    """Return the CPU time of a process and of all of its children."""
    return _with_ended(process) + sum(map(_with_ended, process.children()))


def _with_ended(process: psutil.Process) -> float:
    """Return the CPU time of a process, and of those of its children that have ended."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
