"""
Real tasks on a real Airflow that share one token pair: a new deployment, a pair that lives for seconds, and the
connection test of Airflow's UI while tasks run.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_alloincognito.sandbox import Sandbox
from services.deployment import Deployment, connections
from services.leaks import files_with_tokens
from services.postgresql import postgresql

AIRFLOW_3 = Path(sys.executable)
# `make test-deployment` makes this environment, with Airflow 2.11.
AIRFLOW_2 = Path(os.environ.get("AIRFLOW_2_PYTHON", ".venv-distributed-2.11/bin/python")).absolute()
DAG_ID = "many_requests"
DAG = Path(__file__).parent / "dags" / f"{DAG_ID}.py"
BY_HASH = "getrequestresultbyhash"
LONGEST_RUN = 900.0
# At most so many rotations for each lifetime of the access token.
MOST_ROTATIONS = 1.5
# At most so many times may a task's request be rejected for each rotation.
MOST_REJECTIONS = 8

pytestmark = [pytest.mark.long, pytest.mark.deployment]


@dataclass
class Running:
    """Airflow whose tasks make requests, and the sandbox that they go to."""

    airflow: Deployment
    sandbox: Sandbox
    tasks: int
    lifetime: float
    seconds: float

    def succeed(self) -> None:
        """Wait until the tasks end, and check what holds for every deployment."""
        states = self.airflow.wait(DAG_ID, timeout=self.seconds + LONGEST_RUN)
        rotations, requests = self.sandbox.rotations, self.sandbox.requests
        rejected = sum(one.method == BY_HASH and one.outcome == "rejected" for one in requests)
        causes = Counter(f"{one.by}, before: {one.killed}" for one in rotations)
        print(f"\n{self.tasks} tasks, {len(requests)} requests, {rejected} rejected, pairs: {dict(causes)}")
        assert states == {"success": self.tasks}
        assert len(rotations) <= MOST_ROTATIONS * max(1.0, self.seconds / self.lifetime)
        assert causes["create, before: none"] == 1
        assert rejected <= MOST_REJECTIONS * self.tasks * len(rotations)
        assert files_with_tokens(self.airflow.logs, self.sandbox.tokens_ever_issued) == []


@contextmanager
def running(
    tasks: int, *, lifetime: float, seconds: float, python: Path = AIRFLOW_3, on_postgresql: bool = False
) -> Iterator[Running]:
    """
    Start a new Airflow and a run of the DAG, and return when all of its tasks make requests.

    :param lifetime: of an access token, in seconds.
    :param seconds: for so long each task makes requests.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deployment-")))
        sandbox = stack.enter_context(
            Sandbox(access_lifetime=lifetime, refresh_lifetime=lifetime * 25 / 24 + 1, latency=0.05)
        )
        connection = sandbox.connection(pair_store_seconds=1.0, pair_request_seconds=3.0)
        environment = {
            "MANY_REQUESTS": json.dumps({"folder": str(folder), "tasks": tasks, "seconds": seconds}),
            **connections(alloincognito_default=json.dumps(connection)),
        }
        database = stack.enter_context(postgresql()) if on_postgresql else None
        airflow = stack.enter_context(
            Deployment(folder, DAG, python, database=database, parallelism=tasks, environment=environment)
        )
        airflow.trigger(DAG_ID)
        give_up = time.monotonic() + LONGEST_RUN
        while len(list(folder.glob("started-*"))) < tasks or not sandbox.count(BY_HASH):
            assert time.monotonic() < give_up, f"the tasks did not start; see the logs in {airflow.logs}"
            time.sleep(0.5)
        yield Running(airflow, sandbox, tasks, lifetime, seconds)


def test_16_tasks_of_a_new_deployment_make_one_pair() -> None:
    with running(16, lifetime=3600, seconds=20) as deployment:
        deployment.succeed()
    assert len(deployment.sandbox.rotations) == 1


@pytest.mark.parametrize(
    ("python", "on_postgresql"),
    [
        pytest.param(AIRFLOW_3, False, id="3.3 on SQLite"),
        pytest.param(AIRFLOW_3, True, id="3.3 on PostgreSQL"),
        pytest.param(AIRFLOW_2, True, id="2.11 on PostgreSQL"),
    ],
)
def test_8_tasks_share_a_pair_that_lives_for_20_seconds(python: Path, on_postgresql: bool) -> None:
    with running(8, lifetime=20, seconds=120, python=python, on_postgresql=on_postgresql) as deployment:
        deployment.succeed()


def test_the_connection_test_of_the_ui_fails_no_task() -> None:
    with running(8, lifetime=3600, seconds=90) as deployment:
        connection = deployment.sandbox.connection(pair_store_seconds=1.0, pair_request_seconds=3.0)
        body = {**connection, "connection_id": "pressed", "extra": json.dumps(connection["extra"])}
        for _ in range(10):
            response = deployment.airflow.call("POST", "/api/v2/connections/test", body)
            assert response.ok, response.text
            assert response.json()["status"], response.text
        print(f"\nthe UI says: {response.json()['message']}")
        for _ in range(2):
            said = deployment.airflow.airflow("connections", "test", "alloincognito_default")
            assert "success" in said.lower(), said
        deployment.succeed()
    assert len(deployment.sandbox.rotations) == 1
