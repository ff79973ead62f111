"""
The example DAGs under a real scheduler, on Airflow 3.3 and 2.11: switched on, and triggered on the command line.

Each run that is triggered takes less than a minute, but for the time in which a busy machine starts its
tasks. It ends green or with an explanation, and no task is tried twice.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_alloincognito.sandbox import Sandbox
from services.standalone import EXAMPLES, Standalone, Standalone2

MOSCOW = ZoneInfo("Europe/Moscow")
DAGS = ("alloincognito_daily_calls", "alloincognito_recordings_mapped", "alloincognito_request_result")
LANDS = dict(zip(DAGS, ("recordings", "manifest", "land"), strict=True))
ASKS = dict(zip(DAGS, ("calls", "calls", "ask"), strict=True))
PARAMS = {"period_start": "2026-02-01T00:00:00+03:00", "period_end": "2026-02-02T00:00:00+03:00"}
LONGEST_RUN, LONGEST_START = 60.0, 600.0

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.waiting]


@pytest.fixture(scope="module", params=[3, 2])
def airflow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, standalone_sandbox: Sandbox
) -> Iterator[Standalone]:
    """A running Airflow with the example DAGs, switched on."""
    if request.param == 3:
        airflow: Standalone = request.getfixturevalue("standalone")
        switch_on(airflow)
        yield airflow
        return
    connection = json.dumps(standalone_sandbox.connection(pair_store_seconds=1, pair_request_seconds=1))
    airflow = Standalone2(
        tmp_path_factory.mktemp("standalone_2"),
        request.getfixturevalue("airflow_2_python"),
        AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT=connection,
    )
    try:
        airflow.wait_until_healthy()
        switch_on(airflow)
        yield airflow
    finally:
        airflow.stop()


def switch_on(airflow: Standalone) -> None:
    for dag_id in DAGS:
        # On Airflow 2 a run without a date covers yesterday, which at night has not settled.
        source = (EXAMPLES / f"{dag_id}.py").read_text().replace("timedelta(hours=4)", "timedelta(0)")
        (airflow.dags / f"{dag_id}.py").write_text(source)
    airflow.until(lambda: all(dag_id in airflow.text_of("dags") for dag_id in DAGS), 90)
    for dag_id in DAGS:
        airflow.call("PATCH", f"dags/{dag_id}", {"is_paused": False})
    airflow.until(lambda: all(airflow.ended(dag_id) for dag_id in DAGS), LONGEST_START)


@pytest.mark.parametrize("dag_id", DAGS)
def test_switched_on_it_begins_with_the_last_period(airflow: Standalone, dag_id: str) -> None:
    (run,) = [
        one for one in airflow.call("GET", f"dags/{dag_id}/dagRuns")["dag_runs"] if one["run_type"] == "scheduled"
    ]
    assert run["state"] == "success"
    today = datetime.now(MOSCOW).replace(hour=0, minute=0, second=0, microsecond=0)
    end = today if dag_id != DAGS[2] else today.replace(day=1)
    start = end - timedelta(days=1)
    start = start if dag_id != DAGS[2] else start.replace(day=1)
    assert [datetime.fromisoformat(run[f"data_interval_{one}"]) for one in ("start", "end")] == [start, end]


def trigger(airflow: Standalone, dag_id: str, run_id: str, *arguments: str) -> dict[str, dict[str, Any]]:
    """Trigger a run on the command line, wait until it has ended, and return its tasks."""
    program = str(Path(airflow.environment["PATH"].split(":")[0], "airflow"))
    subprocess.run(
        [program, "dags", "trigger", dag_id, "--run-id", run_id, *arguments],
        env=airflow.environment,
        check=True,
        capture_output=True,
        timeout=120,
    )
    began = time.monotonic()
    airflow.until(lambda: airflow.run_states(dag_id)[run_id] in ("success", "failed"), LONGEST_START)
    tasks = airflow.tasks(dag_id, run_id)
    busy = sum(one["duration"] or 0.0 for one in tasks.values())
    print(f"{dag_id} {run_id}: {airflow.run_states(dag_id)[run_id]}, {busy:.0f} of {time.monotonic() - began:.0f} s")
    assert busy < LONGEST_RUN
    assert {one["try_number"] for one in tasks.values()} <= {0, 1}, "Airflow retried a task"
    return tasks


def returned(airflow: Standalone, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
    return airflow.call("GET", path)["value"]


def period_of(airflow: Standalone, dag_id: str, run_id: str) -> list[str]:
    return [str(returned(airflow, dag_id, run_id, ASKS[dag_id], key)) for key in ("period_start", "period_end")]


@pytest.mark.parametrize("dag_id", DAGS)
def test_with_a_date(airflow: Standalone, dag_id: str) -> None:
    option = "--exec-date" if isinstance(airflow, Standalone2) else "--logical-date"
    tasks = trigger(airflow, dag_id, "dated", option, "2026-03-04T00:00:00+03:00")
    assert {one["state"] for one in tasks.values()} == {"success"}
    run = airflow.call("GET", f"dags/{dag_id}/dagRuns/dated")
    # On Airflow 3 the command line gives the run the last interval before now, whatever the date.
    interval = [datetime.fromisoformat(run[f"data_interval_{end}"]).astimezone(MOSCOW) for end in ("start", "end")]
    assert period_of(airflow, dag_id, "dated") == [f"{end:%Y-%m-%d %H:%M:%S}" for end in interval]


@pytest.mark.parametrize("dag_id", DAGS)
def test_with_params(airflow: Standalone, dag_id: str) -> None:
    tasks = trigger(airflow, dag_id, "with_params", "--conf", json.dumps(PARAMS))
    assert {one["state"] for one in tasks.values()} == {"success"}
    assert period_of(airflow, dag_id, "with_params") == ["2026-02-01 00:00:00", "2026-02-02 00:00:00"]


@pytest.mark.parametrize("dag_id", DAGS)
def test_without_a_date(airflow: Standalone, dag_id: str) -> None:
    tasks = trigger(airflow, dag_id, "undated")
    if isinstance(airflow, Standalone2):
        assert {one["state"] for one in tasks.values()} == {"success"}, "it covers the last complete period"
        return
    assert tasks[ASKS[dag_id]]["state"] == "failed"
    assert tasks[LANDS[dag_id]]["state"] == "upstream_failed"
    log = airflow.text_of(f"dags/{dag_id}/dagRuns/undated/taskInstances/{ASKS[dag_id]}/logs/1")
    assert "period_start is not given, and this run has no data interval" in log
    assert "Trigger the DAG with the params period_start and period_end" in log
