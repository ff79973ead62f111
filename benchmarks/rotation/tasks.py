"""The mode ``airflow``: real tasks on LocalExecutor, sharing a pair through Airflow's Variables."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rotation.deployment import Deployment, connections
from benchmarks.rotation.leaks import files_with_tokens
from benchmarks.rotation.measured import read_notes
from benchmarks.rotation.plan import Plan
from benchmarks.rotation.report import Report
from benchmarks.rotation.stand import Stand

DAG_ID = "rotation_load"
DAG = Path(__file__).parent / "dags" / f"{DAG_ID}.py"
LONGEST_RUN = 900.0
ASKING = "requests-*.jsonl"


@dataclass
class LoadedDeployment:
    """An Airflow whose tasks ask without end, the sandbox that they ask, and their notes."""

    plan: Plan
    deployment: Deployment
    stand: Stand
    notes: Path

    def wait_for_requests(self) -> None:
        """Return when all tasks ask."""
        give_up = time.monotonic() + LONGEST_RUN
        while sum(path.stat().st_size > 0 for path in self.notes.glob(ASKING)) < self.plan.processes:
            if time.monotonic() > give_up:
                raise RuntimeError(f"the tasks did not begin; Airflow's logs: {self.deployment.logs}")
            time.sleep(0.5)

    def end(self) -> tuple[dict[str, int], Report]:
        """Wait for the run to end; gives its tasks' states, and the figures."""
        states = self.deployment.wait(DAG_ID, timeout=self.plan.seconds + LONGEST_RUN)
        rotations = self.stand.rotations()
        report = Report(
            self.plan,
            list(read_notes(self.notes)),
            rotations,
            self.plan.seconds,
            self.deployment.logs,
            files_with_tokens=files_with_tokens(self.deployment.logs, self.stand.tokens()),
        )
        return states, report


@contextmanager
def loaded_deployment(
    plan: Plan, *, python: Path = Path(sys.executable), database: str | None = None
) -> Iterator[LoadedDeployment]:
    """Start a fresh Airflow, and on it as many tasks as ``plan`` has processes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rotation-")))
        notes = folder / "notes"
        notes.mkdir()
        stand = stack.enter_context(
            Stand(access_lifetime=plan.lifetime, refresh_lifetime=plan.lifetime * 25 / 24 + 1, latency=plan.api_latency)
        )
        wanted = {"folder": str(notes), "tasks": plan.processes, "seconds": plan.seconds, "pause": plan.pause}
        environment = {
            "ROTATION_PLAN": json.dumps(wanted),
            **connections(
                alloincognito_default=stand.connection(
                    token_store_seconds=plan.store_latency, token_call_seconds=plan.call_seconds
                )
            ),
        }
        deployment = stack.enter_context(
            Deployment(folder, DAG, python, database=database, parallelism=plan.processes, environment=environment)
        )
        deployment.trigger(DAG_ID)
        yield LoadedDeployment(plan, deployment, stand, notes)


def run(plan: Plan) -> Report:
    """Run the mode; gives its figures."""
    with loaded_deployment(plan) as loaded:
        states, report = loaded.end()
    if set(states) != {"success"}:
        raise RuntimeError(f"tasks ended as {states}")
    return report
