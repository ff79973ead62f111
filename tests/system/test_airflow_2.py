"""The daily DAG on Airflow 2.11, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet
import pytest

from airflow_provider_alloincognito.get_provider_info import CONNECTION_FIELDS
from airflow_provider_alloincognito.sandbox import Sandbox
from services.standalone import EXAMPLES

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
    dag_file = EXAMPLES / "alloincognito_daily_calls.py"
    script = str(Path(__file__).with_name("run_dag_file.py"))
    ran = subprocess.run(
        [airflow_2_python, script, str(dag_file), str(outcome), *dates],
        env=environment(tmp_path, sandbox),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
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
    with duckdb.connect(str(tmp_path / "alloincognito.duckdb"), read_only=True) as db:
        assert db.execute("SELECT date::VARCHAR, call_id FROM calls ORDER BY ALL").fetchall() == sorted(wanted)
    assert [rotation.by for rotation in sandbox.rotations] == ["create"]
