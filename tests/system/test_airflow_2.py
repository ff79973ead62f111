"""The daily DAG and the documentation's code on Airflow 2.11, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet
import pytest
from asset_dags import CONSUMER

from airflow_provider_alloincognito.get_provider_info import CONNECTION_FIELDS
from airflow_provider_alloincognito.sandbox import Sandbox
from services.standalone import EXAMPLES, Standalone2

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))

pytestmark = pytest.mark.system


def environment(home: Path, sandbox: Sandbox) -> dict[str, str]:
    connection = sandbox.connection(pair_store_seconds=0.3, pair_request_seconds=0.5)
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    return {
        **bare,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT": json.dumps(connection),
        "ALLOINCOGNITO_FIRST_DAY": "2026-03-01",
    }


def test_the_daily_dag(airflow_2_python: str, sandbox: Sandbox, tmp_path: Path) -> None:
    outcome = tmp_path / "outcome.json"
    dates = [(DAY + timedelta(days=day)).isoformat() for day in (1, 2)]
    period = {"period_start": DAY.isoformat(), "period_end": (DAY + timedelta(days=2)).isoformat()}

    def run(name: str, *runs: str) -> subprocess.CompletedProcess[str]:
        script = str(Path(__file__).with_name("run_dag_file.py"))
        return subprocess.run(
            [airflow_2_python, script, str(EXAMPLES / name), str(outcome), *runs],
            env=environment(tmp_path, sandbox),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    ran = run("alloincognito_daily_calls.py", *dates)
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-5000:]
    result = json.loads(outcome.read_text())
    assert result["airflow"].startswith("2.11.")
    assert result["states"] == ["success", "success"], ran.stdout[-5000:] + ran.stderr[-5000:]
    assert set(result["form"]) == set(CONNECTION_FIELDS)

    wanted = []
    for day in range(2):
        start = DAY + timedelta(days=day)
        truth = sandbox.truth(start, start + timedelta(days=1))
        date = start.date().isoformat()
        calls = tmp_path / "alloincognito" / "calls" / f"date={date}" / "calls.parquet"
        assert pyarrow.parquet.read_table(calls).column("callId").to_pylist() == [str(row["callId"]) for row in truth]
        recordings = tmp_path / "alloincognito" / "recordings" / f"date={date}"
        assert {file.stem: file.read_bytes() for file in recordings.glob("*.mp3")} == {
            one: sandbox.recording(one) for row in truth if (one := row["recordFileId"])
        }
        wanted += [(date, str(row["callId"])) for row in truth]
    ran = run("alloincognito_load_duckdb.py", f"{dates[-1]}={json.dumps(period)}")
    assert json.loads(outcome.read_text())["states"] == ["success"], ran.stdout[-5000:] + ran.stderr[-5000:]
    with duckdb.connect(str(tmp_path / "alloincognito.duckdb"), read_only=True) as db:
        assert db.execute("SELECT date::VARCHAR, call_id FROM calls ORDER BY ALL").fetchall() == sorted(wanted)
    assert [rotation.by for rotation in sandbox.rotations] == ["create"]


PRODUCER = """
import os
from datetime import datetime

from airflow_provider_alloincognito.compat import DAG
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator

with DAG("producer", schedule=None, start_date=datetime(2025, 1, 1), is_paused_upon_creation=False):
    AlloincognitoCallListOperator(
        task_id="calls",
        period_start="2026-03-03",
        period_end="2026-03-04",
        output_path=f"file://{os.environ['AIRFLOW_HOME']}/calls.csv",
    )
"""


@pytest.mark.long
@pytest.mark.waiting
def test_the_event_of_a_dataset_starts_the_dag_that_is_scheduled_by_it(
    airflow_2_python: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    connection = json.dumps(sandbox.connection(pair_store_seconds=1, pair_request_seconds=1))
    lineage = tmp_path / "openlineage.jsonl"
    transport = json.dumps({"type": "file", "log_file_path": str(lineage), "append": True})
    airflow = Standalone2(
        tmp_path,
        airflow_2_python,
        AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT=connection,
        AIRFLOW__OPENLINEAGE__TRANSPORT=transport,
    )
    try:
        airflow.wait_until_healthy()
        (airflow.dags / "producer.py").write_text(PRODUCER)
        (airflow.dags / "consumer.py").write_text(CONSUMER.format(dag_id="producer"))
        airflow.until(lambda: all(name in airflow.text_of("dags") for name in ("producer", "consumer")), 90)
        airflow.call("POST", "dags/producer/dagRuns", {"dag_run_id": "run"})
        airflow.until(lambda: airflow.ended("consumer"), 120)

        ((run_id, state),) = airflow.run_states("consumer").items()
        assert state == "success"
        task = "dags/producer/dagRuns/run/taskInstances/calls"
        assert airflow.call("GET", f"{task}/links")["API documentation"] == f"{sandbox.url}/docs"
        (event,) = airflow.call("GET", "datasets/events")["dataset_events"]
        assert event["dataset_uri"] == "alloincognito://producer/calls"
        assert event["extra"]["rows"] == len(sandbox.truth(DAY, DAY + timedelta(days=1)))
        read = f"dags/consumer/dagRuns/{quote(run_id, safe='')}/taskInstances/read/xcomEntries/return_value"
        assert event["extra"]["path"] in airflow.text_of(read)
        to_load = airflow.call("GET", read.replace("/read/", "/periods/") + "?stringify=false")["value"]
        assert to_load == [["2026-03-03", event["extra"]["path"]]]
        told = [one for one in map(json.loads, lineage.read_text().splitlines()) if one["eventType"] == "COMPLETE"]
        (output,) = next(one["outputs"] for one in told if one["job"]["name"] == "producer.calls")
        assert (output["namespace"], output["name"]) == ("file", str(tmp_path / "calls.csv"))
        assert output["outputFacets"]["outputStatistics"]["rowCount"] == event["extra"]["rows"]
        assert "callerNumber" in [field["name"] for field in output["facets"]["schema"]["fields"]]

        numbers = sandbox.phone_numbers(DAY, DAY + timedelta(days=1))
        shown = repr(event) + airflow.text_of(read) + lineage.read_text()
        assert not [number for number in numbers if number[-10:] in shown]
    finally:
        airflow.stop()


def test_the_code_of_the_documentation(airflow_2_python: str) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST", "PYTHON"))}
    command = ["-m", "pytest", "--quiet", "-W", "ignore", "-p", "no:cacheprovider", "tests/docs/test_code.py"]
    ran = subprocess.run(
        [airflow_2_python, *command], env=bare, cwd=EXAMPLES.parent, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-5000:]
    assert " passed" in ran.stdout
