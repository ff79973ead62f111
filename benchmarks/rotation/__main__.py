"""``python -m benchmarks.rotation --mode naive|naive-recreate|protocol|redis|airflow``"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.rotation import clients
from benchmarks.rotation.measured_client import client_settings, read_request_logs
from benchmarks.rotation.plan import Plan, read_plans
from benchmarks.rotation.report import Report
from benchmarks.rotation.sandbox import SandboxProcess
from benchmarks.rotation.workers import StartClient, Workers
from services.leaks import files_with_tokens
from services.redis_server import RedisServer

REDIS_CONNECTION = "rotation_redis"


def main() -> int:
    """Run what the command line says; return 1 if a promise was not kept."""
    kept = True
    for plan in read_plans():
        report = run_tasks(plan) if plan.mode == "airflow" else run_processes(plan)
        print(report.text(), flush=True)
        kept = kept and not report.faults()
    return 0 if kept else 1


def run_processes(plan: Plan) -> Report:
    """Run a mode whose processes are our own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rotation-")))
        sandbox = stack.enter_context(SandboxProcess(**plan.sandbox_settings))
        logs = folder / "logs"
        logs.mkdir()
        workers = Workers(plan, _client(plan, sandbox, folder, stack), logs)
        elapsed = workers.run(foreign=sandbox.rotate_as_another_program)
        return Report(
            plan,
            list(read_request_logs(logs)),
            sandbox.rotations(),
            elapsed,
            logs,
            killed=workers.killed,
            felt_kills=workers.felt_kills,
            files_with_tokens=files_with_tokens(logs, sandbox.tokens()),
        )


def _client(plan: Plan, sandbox: SandboxProcess, folder: Path, stack: ExitStack) -> StartClient:
    settings = client_settings(sandbox.url, store_seconds=plan.store_latency, call_seconds=plan.call_seconds)
    token = sandbox.authorization_token
    if plan.mode.startswith("naive"):
        recreate = plan.mode == "naive-recreate"
        return lambda status: clients.naive(settings, token, recreate=recreate)
    if plan.mode == "redis":
        server = stack.enter_context(RedisServer(folder))
        os.environ[f"AIRFLOW_CONN_{REDIS_CONNECTION.upper()}"] = server.url
        _import_airflow(stack)
        return partial(clients.redis, settings, token, REDIS_CONNECTION)
    store = folder / "store"
    store.mkdir()
    return partial(clients.protocol, settings, token, store, plan.store_latency)


def _import_airflow(stack: ExitStack) -> None:
    """Import, before the fork, what each process would import for itself."""
    home = stack.enter_context(tempfile.TemporaryDirectory(prefix="rotation-airflow-"))
    os.environ.setdefault("AIRFLOW_HOME", home)
    from airflow.providers.redis.hooks.redis import RedisHook

    import airflow_provider_alloincognito.hooks.redis_store  # noqa: F401

    RedisHook(REDIS_CONNECTION).get_conn().close()


def run_tasks(plan: Plan) -> Report:
    """Run the mode whose processes are Airflow's tasks."""
    from benchmarks.rotation.tasks import run

    return run(plan)


if __name__ == "__main__":
    sys.exit(main())
