"""The mode ``airflow``: real tasks on LocalExecutor share a pair through Airflow's Variables."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rotation.measured_client import read_request_logs
from benchmarks.rotation.plan import Plan
from benchmarks.rotation.report import Report
from benchmarks.rotation.sandbox import SandboxProcess
from services.deployment import Deployment, connections
from services.leaks import files_with_tokens

DAG_ID = "rotation_load"
DAG = Path(__file__).parent / "dags" / f"{DAG_ID}.py"
LONGEST_RUN = 900.0
REQUEST_LOGS = "requests-*.jsonl"


@dataclass
class LoadedDeployment:
    """An Airflow whose tasks make requests, the sandbox, and the folder of the tasks' request logs."""

    plan: Plan
    deployment: Deployment
    sandbox: SandboxProcess
    folder: Path

    def wait_for_requests(self) -> None:
        """Wait until all tasks make requests."""
        give_up = time.monotonic() + LONGEST_RUN
        while sum(path.stat().st_size > 0 for path in self.folder.glob(REQUEST_LOGS)) < self.plan.processes:
            if time.monotonic() > give_up:
                raise RuntimeError(f"The tasks did not start. Airflow's logs: {self.deployment.logs}.")
            time.sleep(0.5)

    def end(self) -> tuple[dict[str, int], Report]:
        """Wait for the run to end; return how many tasks ended in each state, and the report."""
        states = self.deployment.wait(DAG_ID, timeout=self.plan.seconds + LONGEST_RUN)
        rotations = self.sandbox.rotations()
        report = Report(
            self.plan,
            list(read_request_logs(self.folder)),
            rotations,
            self.plan.seconds,
            self.deployment.logs,
            files_with_tokens=files_with_tokens(self.deployment.logs, self.sandbox.tokens()),
        )
        return states, report


@contextmanager
def loaded_deployment(
    plan: Plan, *, python: Path = Path(sys.executable), database: str | None = None
) -> Iterator[LoadedDeployment]:
    """Start a fresh Airflow and in it as many tasks as ``plan`` has processes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rotation-")))
        requests = folder / "requests"
        requests.mkdir()
        sandbox = stack.enter_context(SandboxProcess(**plan.sandbox_settings))
        wanted = {"folder": str(requests), "tasks": plan.processes, "seconds": plan.seconds, "pause": plan.pause}
        environment = {
            "ROTATION_PLAN": json.dumps(wanted),
            **connections(
                alloincognito_default=sandbox.connection(
                    pair_store_seconds=plan.store_latency, pair_request_seconds=plan.call_seconds
                )
            ),
        }
        deployment = stack.enter_context(
            Deployment(folder, DAG, python, database=database, parallelism=plan.processes, environment=environment)
        )
        deployment.trigger(DAG_ID)
        yield LoadedDeployment(plan, deployment, sandbox, requests)


def run(plan: Plan) -> Report:
    """Run the mode; return its report."""
    with loaded_deployment(plan) as loaded:
        states, report = loaded.end()
    if set(states) != {"success"}:
        raise RuntimeError(f"Tasks ended in the states {states}.")
    return report
