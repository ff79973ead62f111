"""The daily DAG is green after ``discover --write`` alone, whatever the server's document and API look like."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from api_documents import API_DOCUMENTS, FOLDER, ApiDocument
from command_runs import Ran
from dag_runs import CONNECTION, dag_file_in, run_dag
from loading import load_into_duckdb

from airflow_provider_alloincognito.api.times import parse_api_time
from airflow_provider_alloincognito.loading import LandedPeriod
from airflow_provider_alloincognito.sandbox import Sandbox

COLUMNS = ("call_id", "started_at", "direction", "caller", "called", "talk_seconds", "record_file_id")
QUICK_PAIRS = {"pair_store_seconds": "0.25", "pair_request_seconds": "0.5"}


@pytest.fixture(scope="module", autouse=True)
def _airflow_ready(airflow_database: None) -> None:
    """Connections are saved, and DAGs are run."""


@pytest.mark.long
@pytest.mark.discover
@pytest.mark.usefixtures("no_connection")
@pytest.mark.parametrize("document", API_DOCUMENTS.values(), ids=lambda one: one.name)
def test_the_daily_dag_is_green_after_discover_alone(
    document: ApiDocument,
    cli: Callable[..., Ran],
    start_sandbox: Callable[..., Sandbox],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_the_daily_dag(document, start_sandbox(**document.settings), cli, tmp_path, monkeypatch, "save")


def test_the_daily_dag_is_green_with_a_connection_in_a_file(
    cli: Callable[..., Ran], start_sandbox: Callable[..., Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above, without Airflow's own command line, which takes long to start."""
    document = API_DOCUMENTS["springfox"]
    file = tmp_path / "connections.json"
    check_the_daily_dag(document, start_sandbox(**document.settings), cli, tmp_path, monkeypatch, str(file))


def check_the_daily_dag(
    document: ApiDocument,
    sandbox: Sandbox,
    cli: Callable[..., Ran],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    connection: str,
) -> None:
    """Run ``discover --write``, and then the DAG for a day, whose table and files are those of the sandbox."""
    token, path = tmp_path / "token", tmp_path / "calls_of_a_day.py"
    token.write_text(sandbox.authorization_token)
    for name, value in document.environment.items():
        monkeypatch.setenv(name, value)
    given = [part for name, value in QUICK_PAIRS.items() for part in ("--set", f"{name}={value}")]
    connected = ("--host", sandbox.url, "--token-file", token, *given, "--connection", connection)
    ran = cli("discover", *connected, *document.arguments, "--write", "--dag", path, "--output", "json")
    assert ran.code == document.code, ran.err
    assert not sandbox.rotations, "no pair is made"
    proposal = ran.document["proposal"]
    assert proposal == document.expected, f"see {FOLDER}/expected"

    if connection != "save":
        saved = json.loads(Path(connection).read_text())[CONNECTION]
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(saved))
    monkeypatch.setenv("ALLOINCOGNITO_FILES", f"{tmp_path.as_uri()}/files")
    zone = ZoneInfo(proposal["extra"].get("timezone", "Europe/Moscow"))
    end = datetime(2026, 3, 4, tzinfo=zone)
    daily = dag_file_in(path)
    run = run_dag(daily.dag, end)
    assert run.state == "success", run.errors
    paths = run.xcoms["calls"]["path"], run.xcoms["recordings"]["manifest"]
    load_into_duckdb(daily, tmp_path / "calls.duckdb", LandedPeriod(end - timedelta(days=1), end, *paths))
    truth = sandbox.truth(end - timedelta(days=1), end)
    assert len(truth) > 20
    assert landed(tmp_path, proposal["fields"]) == sorted(wanted(truth, proposal["fields"], zone), key=repr)
    field = proposal["fields"]["record_file_id"]
    recorded = {row[field]: sandbox.recording(row[field]) for row in truth if row[field]}
    assert {file.stem: file.read_bytes() for file in tmp_path.rglob("*.mp3")} == recorded


def landed(folder: Path, fields: dict[str, str]) -> list[tuple[Any, ...]]:
    """The rows of the warehouse's table."""
    columns = [column for column in COLUMNS if column in fields]
    as_stored = {"started_at": "epoch_ms(started_at)", "talk_seconds": "talk_seconds::BIGINT"}
    selected = [as_stored.get(column, f"{column}::VARCHAR") for column in columns]
    with duckdb.connect(str(folder / "calls.duckdb"), read_only=True) as db:
        return sorted(db.execute(f"SELECT {', '.join(selected)} FROM calls").fetchall(), key=repr)


def wanted(truth: list[dict[str, Any]], fields: dict[str, str], zone: ZoneInfo) -> Iterator[tuple[Any, ...]]:
    """The same, of the sandbox's own list."""
    for row in truth:
        yield tuple(_value(column, row[fields[column]], zone) for column in COLUMNS if column in fields)


def _value(column: str, value: Any, zone: ZoneInfo) -> Any:
    if column == "started_at":
        moment = parse_api_time(value, zone)
        assert moment is not None
        return int(moment.timestamp() * 1000)
    return value if column == "talk_seconds" or value is None else str(value)


def test_what_is_expected_is_json() -> None:
    for document in API_DOCUMENTS.values():
        assert set(document.expected) == {"extra", "fields", "types", "schema"}, json.dumps(document.expected)
