"""
The mapped example DAG on CeleryExecutor: two workers, Redis as broker, PostgreSQL as Airflow's database.

Not one of the tests that ``make test`` finds: it takes minutes, and an environment of its own.
"""

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
import requests

from benchmarks.rotation.deployment import REPOSITORY, Deployment, connections, postgresql
from benchmarks.rotation.leaks import files_with_tokens
from benchmarks.rotation.redis_server import RedisServer
from benchmarks.rotation.stand import Stand

DAG_ID = "alloincognito_recordings_mapped"
MOSCOW = ZoneInfo("Europe/Moscow")
RECORDINGS = 3000
LIFETIME = 60.0
LONGEST_RUN = 1500.0


@pytest.fixture(scope="module")
def day() -> date:
    """The last day whose calls have settled."""
    return (datetime.now(MOSCOW) - timedelta(days=1, hours=5)).date()


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """A stand with a day of some more than 3,000 small recordings, each of which takes a while."""
    with Stand(
        access_lifetime=LIFETIME,
        refresh_lifetime=LIFETIME * 25 / 24,
        calls_per_day=4700,
        daily_variation=False,
        recording_bytes=[2_000, 6_000],
        latency={"getcallrecordfile": [0.2, 0.8], "*": 0.02},
    ) as stand:
        yield stand


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the DAG's files go."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, stand: Stand, files: Path, day: date) -> Iterator[Deployment]:
    """Airflow, with the DAG on it, after its run has ended."""
    folder = tmp_path_factory.mktemp("deployment")
    with postgresql() as database, RedisServer(folder) as redis:
        environment = {
            "ALLOINCOGNITO_FILES": f"file://{files}",
            "ALLOINCOGNITO_FIRST_DAY": day.isoformat(),
            "AIRFLOW__CELERY__BROKER_URL": redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            **connections(alloincognito_default=stand.connection()),
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


def truth(stand: Stand, day: date) -> list[str]:
    """The day's recordings, straight from the sandbox' generator."""
    period = {"start": f"{day}T00:00:00", "end": f"{day + timedelta(days=1)}T00:00:00"}
    rows = requests.get(f"{stand.url}/_sandbox/truth", params=period, timeout=60).text.splitlines()
    return [row["recordFileId"] for row in map(json.loads, rows) if row["recordFileId"]]


def manifest(files: Path, day: date) -> list[dict[str, Any]]:
    """The lines of the DAG's manifest."""
    path = files / "recordings" / f"date={day}" / "manifest.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_task_is_green_at_its_first_try(deployment: Deployment) -> None:
    # From midnight on there is a second run, which waits for its day to settle.
    first, *_ = deployment.query("SELECT run_id, state FROM dag_run WHERE dag_id = :dag_id ORDER BY id", dag_id=DAG_ID)
    tasks = deployment.query(
        "SELECT task_id, state, try_number FROM task_instance WHERE run_id = :run_id", run_id=first["run_id"]
    )
    assert first["state"] == "success"
    # The sensor is put up again for each look.
    assert {(task["state"], task["try_number"]) for task in tasks if task["task_id"] != "settled"} == {("success", 1)}
    assert Counter(task["task_id"] for task in tasks)["recordings"] >= RECORDINGS / 250


def test_both_workers_worked(deployment: Deployment) -> None:
    for worker in ("worker1", "worker2"):
        said = (deployment.logs / f"{worker}.log").read_text()
        assert said.count("succeeded in") >= 3, worker


def test_every_recording_is_there_and_in_the_manifest(
    stand: Stand, deployment: Deployment, files: Path, day: date
) -> None:
    wanted = truth(stand, day)
    lines = manifest(files, day)
    assert len(wanted) >= RECORDINGS
    assert [line["id"] for line in lines] == wanted
    assert {line["status"] for line in lines} == {"fetched"}
    there = {path.stem: path.stat().st_size for path in (files / "recordings").rglob("*.mp3")}
    assert there == {line["id"]: line["bytes"] for line in lines}


def test_rotations_are_one_for_each_lifetime(stand: Stand, deployment: Deployment) -> None:
    rotations = stand.rotations()
    lasted = rotations[-1]["time"] - rotations[0]["time"]
    causes = Counter(f"{one['by']}, before: {one['killed']}" for one in rotations)
    print(f"\n{len(rotations)} pairs, the last one {lasted:.0f} s after the first: {dict(causes)}")
    print(f"requests: { {method: counts['by_outcome'] for method, counts in stand.counts().items()} }")
    assert len(rotations) >= 2, "the run was too short for a rotation"
    assert causes["create, before: none"] == 1
    assert len(rotations) <= 1 + 1.5 * lasted / (LIFETIME * 0.85) + 1


def test_no_log_holds_a_token(stand: Stand, deployment: Deployment) -> None:
    assert files_with_tokens(deployment.logs, stand.tokens()) == []  # it finds a planted one, or it raises
