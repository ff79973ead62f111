"""The mapped example DAG on CeleryExecutor: two workers, Redis as broker, PostgreSQL as Airflow's database."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_alloincognito.sandbox import Sandbox
from services.deployment import REPOSITORY, Deployment, connections
from services.leaks import files_with_tokens
from services.postgresql import postgresql
from services.redis_server import RedisServer

DAG_ID = "alloincognito_recordings_mapped"
MOSCOW = ZoneInfo("Europe/Moscow")
RECORDINGS = 3000
LIFETIME = 60.0
LONGEST_RUN = 1500.0

pytestmark = [pytest.mark.long, pytest.mark.distributed]


@pytest.fixture(scope="module")
def day() -> date:
    """The last day whose calls have settled."""
    return (datetime.now(MOSCOW) - timedelta(days=1, hours=5)).date()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with a day of a little more than 3,000 small recordings, each of which takes a while."""
    with Sandbox(
        access_lifetime=LIFETIME,
        refresh_lifetime=LIFETIME * 25 / 24,
        calls_per_day=4700,
        daily_variation=False,
        recording_bytes=(2_000, 6_000),
        latency={"getcallrecordfile": (0.2, 0.8), "*": 0.02},
    ) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the DAG writes to."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox, files: Path, day: date
) -> Iterator[Deployment]:
    """Airflow, after the run of the DAG has ended."""
    folder = tmp_path_factory.mktemp("deployment")
    with postgresql() as database, RedisServer(folder) as redis:
        environment = {
            "ALLOINCOGNITO_FILES": f"file://{files}",
            "ALLOINCOGNITO_FIRST_DAY": day.isoformat(),
            "AIRFLOW__CELERY__BROKER_URL": redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            **connections(alloincognito_default=json.dumps(sandbox.connection())),
        }
        with Deployment(
            folder,
            REPOSITORY / "example_dags" / f"{DAG_ID}.py",
            Path(sys.executable),
            database=database,
            executor="CeleryExecutor",
            parallelism=8,
            environment=environment,
        ) as airflow:
            airflow.wait(DAG_ID, timeout=LONGEST_RUN)
            yield airflow


def manifest(files: Path, day: date) -> list[dict[str, Any]]:
    """The lines of the DAG's manifest."""
    path = files / "recordings" / f"date={day}" / "manifest.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_task_succeeds_at_its_first_try(deployment: Deployment) -> None:
    # After midnight there is a second run, whose sensor waits.
    first, *_ = deployment.query("SELECT run_id, state FROM dag_run WHERE dag_id = :dag_id ORDER BY id", dag_id=DAG_ID)
    tasks = deployment.query(
        "SELECT task_id, state, try_number FROM task_instance WHERE run_id = :run_id", run_id=first["run_id"]
    )
    assert first["state"] == "success"
    # The sensor is rescheduled between two checks.
    assert {(task["state"], task["try_number"]) for task in tasks if task["task_id"] != "settled"} == {("success", 1)}
    assert Counter(task["task_id"] for task in tasks)["recordings"] >= RECORDINGS / 250


def test_both_workers_run_tasks(deployment: Deployment) -> None:
    for worker in ("worker1", "worker2"):
        said = (deployment.logs / f"{worker}.log").read_text()
        assert said.count("succeeded in") >= 3, worker


def test_every_recording_is_landed_and_in_the_manifest(
    sandbox: Sandbox, deployment: Deployment, files: Path, day: date
) -> None:
    wanted = [row["recordFileId"] for row in sandbox.truth(day, day + timedelta(days=1)) if row["recordFileId"]]
    lines = manifest(files, day)
    assert len(wanted) >= RECORDINGS
    assert [line["id"] for line in lines] == wanted
    assert {line["status"] for line in lines} == {"fetched"}
    there = {path.stem: path.stat().st_size for path in (files / "recordings").rglob("*.mp3")}
    assert there == {line["id"]: line["bytes"] for line in lines}


def test_there_is_one_rotation_for_each_lifetime(sandbox: Sandbox, deployment: Deployment) -> None:
    rotations = sandbox.rotations
    lasted = rotations[-1].time - rotations[0].time
    causes = Counter(f"{one.by}, before: {one.killed}" for one in rotations)
    print(f"\n{len(rotations)} pairs, the last one {lasted:.0f} s after the first: {dict(causes)}")
    print(f"requests: {Counter((one.method, one.outcome) for one in sandbox.requests)}")
    assert len(rotations) >= 2, "the run was too short for a rotation"
    assert causes["create, before: none"] == 1
    assert len(rotations) <= 1 + 1.5 * lasted / (LIFETIME * 0.85) + 1


def test_no_log_holds_a_token(sandbox: Sandbox, deployment: Deployment) -> None:
    assert files_with_tokens(deployment.logs, sandbox.tokens_ever_issued) == []
