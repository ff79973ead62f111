"""``python -m benchmarks.rotation --mode naive|naive-recreate|protocol|redis|airflow``"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.rotation import askers
from benchmarks.rotation.crew import Crew, MakeAsk
from benchmarks.rotation.leaks import files_with_tokens
from benchmarks.rotation.measured import read_notes, stand_settings
from benchmarks.rotation.plan import Plan, read_plans
from benchmarks.rotation.redis_server import RedisServer
from benchmarks.rotation.report import Report
from benchmarks.rotation.stand import Stand

REDIS_CONNECTION = "rotation_redis"


def main() -> int:
    """Run what the command line says; gives 1 if something promised was not kept."""
    kept = True
    for plan in read_plans():
        report = run_tasks(plan) if plan.mode == "airflow" else run_processes(plan)
        print(report.text(), flush=True)
        kept = kept and not report.faults()
    return 0 if kept else 1


def run_processes(plan: Plan) -> Report:
    """Run the modes whose processes are our own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rotation-")))
        stand = stack.enter_context(
            Stand(access_lifetime=plan.lifetime, refresh_lifetime=plan.lifetime * 25 / 24 + 1, latency=plan.api_latency)
        )
        logs = folder / "logs"
        logs.mkdir()
        crew = Crew(plan, _asker(plan, stand, folder, stack), logs)
        elapsed = crew.run(foreign=stand.rotate_as_a_stranger)
        return Report(
            plan,
            list(read_notes(logs)),
            stand.rotations(),
            elapsed,
            logs,
            killed=crew.killed,
            felt_kills=crew.felt_kills,
            files_with_tokens=files_with_tokens(logs, stand.tokens()),
        )


def _asker(plan: Plan, stand: Stand, folder: Path, stack: ExitStack) -> MakeAsk:
    settings = stand_settings(stand.url, store_seconds=plan.store_latency, call_seconds=plan.call_seconds)
    token = stand.authorization_token
    if plan.mode.startswith("naive"):
        recreate = plan.mode == "naive-recreate"
        return lambda seat: askers.naive(settings, token, recreate=recreate)
    if plan.mode == "redis":
        server = stack.enter_context(RedisServer(folder))
        os.environ[f"AIRFLOW_CONN_{REDIS_CONNECTION.upper()}"] = server.url
        _warm_airflow(stack)
        return partial(askers.redis, settings, token, REDIS_CONNECTION)
    registers = folder / "registers"
    registers.mkdir()
    return partial(askers.protocol, settings, token, registers, plan.store_latency)


def _warm_airflow(stack: ExitStack) -> None:
    """Import once what each process would import for itself."""
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
