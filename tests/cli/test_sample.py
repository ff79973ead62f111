"""The command ``sample``, against servers without a document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from canary import assert_no_leak
from command_runs import Ran
from dag_runs import CONNECTION, dag_file_in, run_dag
from loading import load_into_duckdb
from plain_server import Said

from airflow_provider_alloincognito.cli.sample import question
from airflow_provider_alloincognito.loading import LandedPeriod
from airflow_provider_alloincognito.sandbox import Sandbox

Cli = Callable[..., Ran]
StartSandbox = Callable[..., Sandbox]

# At weekends as well. At night there are few calls for all that.
BUSY: dict[str, Any] = {"calls_per_day": 3000, "daily_variation": False}
RENAMED = {
    "callId": "nomer_zvonka",
    "startTime": "data_nachala",
    "direction": "tip",
    "callerNumber": "kto",
    "calledNumber": "komu",
    "duration": "dlitelnost",
    "recordFileId": "zapis",
}
FIELDS = {
    "call_id": "nomer_zvonka",
    "started_at": "data_nachala",
    "direction": "tip",
    "caller": "kto",
    "called": "komu",
    "talk_seconds": "dlitelnost",
    "record_file_id": "zapis",
}
PRINT = ("--make-pair", "--connection", "json")
YEKATERINBURG = ZoneInfo("Asia/Yekaterinburg")


@pytest.fixture(scope="module", autouse=True)
def _airflow_ready(airflow_database: None) -> None:
    """Commands read Connections, and DAGs are run."""


@pytest.mark.usefixtures("no_connection")
def test_the_daily_dag_is_green_after_it_alone(
    cli: Cli, start_sandbox: StartSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renamed fields, another zone's times and a numeric direction; nothing is known but address, path and token."""
    sandbox = start_sandbox(
        **BUSY, row_fields=RENAMED, timezone="Asia/Yekaterinburg", call_list_path="/calls", period_end="inclusive"
    )
    token, path = tmp_path / "token", tmp_path / "calls_of_a_day.py"
    token.write_text(sandbox.authorization_token)
    settings = {"call_list_path": "/calls", "pair_store": "memory"}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    ran = cli(
        "sample", "--host", sandbox.url, "--token-file", token, *given, "--make-pair", "--write", "--dag", path, "-v"
    )
    assert ran.code == 0, ran.err
    assert "UTC+05:00" in ran.out

    monkeypatch.setenv("ALLOINCOGNITO_FILES", f"{tmp_path.as_uri()}/files")
    today = datetime.now(YEKATERINBURG).replace(hour=0, minute=0, second=0, microsecond=0)
    daily = dag_file_in(path)
    yesterday = today - timedelta(days=1)
    # By its params: for the run's own day the DAG waits, in the first hours of today.
    period = {"period_start": yesterday.isoformat(), "period_end": today.isoformat()}
    run = run_dag(daily.dag, today, period)
    assert run.state == "success", run.errors
    paths = run.xcoms["calls"]["path"], run.xcoms["recordings"]["manifest"]
    load_into_duckdb(daily, tmp_path / "calls.duckdb", LandedPeriod(yesterday, today, *paths))
    truth = sandbox.truth(yesterday, today)
    assert len(truth) > 1000
    with duckdb.connect(str(tmp_path / "calls.duckdb"), read_only=True) as db:
        rows = db.execute(
            "SELECT call_id, epoch(started_at)::BIGINT, direction, caller, called, talk_seconds, record_file_id, "
            "date::TEXT FROM calls"
        ).fetchall()
    assert sorted(rows) == sorted(
        (
            str(one["nomer_zvonka"]),
            int(datetime.fromisoformat(one["data_nachala"]).replace(tzinfo=YEKATERINBURG).timestamp()),
            str(one["tip"]),
            one["kto"],
            one["komu"],
            one["dlitelnost"],
            one["zapis"],
            one["data_nachala"][:10],
        )
        for one in truth
    )


@pytest.mark.parametrize(
    ("timezone", "form"),
    [
        ("Europe/Moscow", "naive"),
        ("Europe/Moscow", "epoch_s"),
        ("Asia/Vladivostok", "naive"),
        ("Asia/Vladivostok", "iso_offset"),
        ("Europe/Kaliningrad", "dotted"),
        ("Europe/Kaliningrad", "epoch_ms"),
        ("UTC", "iso"),
        ("UTC", "iso_z"),
    ],
)
def test_the_zone_and_the_fields_are_found(
    cli: Cli, connected_sandbox: StartSandbox, tmp_path: Path, timezone: str, form: str
) -> None:
    connected_sandbox({}, **BUSY, row_fields=RENAMED, timezone=timezone, start_format=form)
    ran = cli("sample", *PRINT, "--dag", tmp_path / "calls.py", "-o", "json")
    assert ran.code == 0, ran.err
    found = ran.document
    assert found["timezone"]["timezone"] == timezone, found["timezone"]
    assert found["proposal"]["fields"] == FIELDS
    assert found["proposal"]["types"] == {"started_at": "timestamp", "direction": "int64", "talk_seconds": "int64"}
    assert found["proposal"]["extra"].get("timezone", "Europe/Moscow") == timezone
    assert not (tmp_path / "calls.py").exists(), "nothing is written without --write"


def test_no_output_has_a_token_or_a_number(cli: Cli, connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox({}, **BUSY, awkward_rows=True)
    today = datetime.now(UTC).date()
    days = str(today - timedelta(days=2)), str(today + timedelta(days=2))
    for arguments in (("-v",), ("-o", "json"), ("-o", "json", "-v", "--write"), ("--connection", "uri")):
        ran = cli("sample", *PRINT, *arguments, "--dag", tmp_path / "calls.py")
        assert ran.code == 0, ran.err
        assert_no_leak(sandbox, *days, ran.out, ran.err)
        comments = {row["comment"] for row in sandbox.truth(*days) if row["comment"] and len(row["comment"]) > 5}
        assert comments
        assert not [one for one in comments if one in ran.out or one in ran.err]


def test_a_quiet_hour_is_not_the_end(cli: Cli, connected_sandbox: StartSandbox) -> None:
    connected_sandbox({}, calls_per_day=2)
    ran = cli("sample", *PRINT)
    assert re.search(r"No calls from|Few calls \(1\) from", ran.out)  # one is at midnight
    assert "Fields of a row" in ran.out


def test_few_calls_at_night_are_not_the_end(cli: Cli, connected_sandbox: StartSandbox) -> None:
    hours_ahead = (3 - datetime.now(UTC).hour + 11) % 24 - 11  # it is after three o'clock there
    zone = f"Etc/GMT{-hours_ahead:+}"
    connected_sandbox({"timezone": zone}, timezone=zone, **BUSY)
    assert "Few calls (" in cli("sample", *PRINT).out
    ran = cli("sample", *PRINT, "-o", "json")
    assert ran.document["answer"]["rows"] > 50
    assert ran.document["proposal"]["fields"].keys() == FIELDS.keys()


def test_a_server_without_calls(cli: Cli, connected_sandbox: StartSandbox) -> None:
    connected_sandbox({}, calls_per_day=0)
    ran = cli("sample", *PRINT, "-o", "json")
    assert ran.code == 3
    assert ran.document["answer"]["rows"] == 0
    assert "--period-start" in ran.err


def test_a_period_and_a_limit(cli: Cli, connected_sandbox: StartSandbox) -> None:
    sandbox = connected_sandbox({}, **BUSY)
    period = "--period-start", "2026-03-02 10:00:00", "--period-end", "2026-03-02 12:00:00"
    ran = cli("sample", *PRINT, *period, "--rows", 7, "-o", "json")
    answer = ran.document["answer"]
    assert (answer["rows"], answer["more"]) == (7, True)
    assert (answer["period_start"], answer["period_end"]) == (period[1], period[3])
    assert sandbox.count("getcalllist") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ("--period-start", "2026-03-02"),
        ("--period-start", "yesterday", "--period-end", "today"),
        ("--rows", "0"),
        ("--field", "started_at"),
        ("--connection", "josn"),
        ("--field", "begin=x"),
        ("--field", "started_at=no_such_field"),
    ],
)
def test_wrong_usage(cli: Cli, connected_sandbox: StartSandbox, wrong: tuple[str, ...]) -> None:
    connected_sandbox({}, **BUSY)
    ran = cli("sample", *PRINT, *wrong)
    assert ran.code == 2, ran.err


def test_what_is_not_recognized_can_be_named(cli: Cli, connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    unknown = {name: f"f{number}" for number, name in enumerate(RENAMED)}
    connected_sandbox({}, **BUSY, row_fields={**unknown, "recordFileId": None})
    path = tmp_path / "calls.py"
    ran = cli("sample", *PRINT, "--write", "--dag", path, "-o", "json")
    assert ran.code == 3, "a column that the DAG needs stays unknown"
    assert not path.exists()
    assert "--field record_file_id=" in ran.err
    named = "--field", "record_file_id=f0", "--field", "caller=f3", "--field", "direction="
    ran = cli("sample", *PRINT, "--write", "--dag", path, "-o", "json", *named)
    assert ran.code == 0, ran.err
    fields = ran.document["proposal"]["fields"]
    assert (fields["record_file_id"], fields["caller"]) == ("f0", "f3")
    assert "direction" not in fields
    assert '"caller": "f3"' in path.read_text()


def test_it_makes_no_pair_by_itself(cli: Cli, connected_sandbox: StartSandbox) -> None:
    sandbox = connected_sandbox({}, **BUSY)
    ran = cli("sample")
    assert ran.code == 1
    assert "--make-pair" in ran.err
    assert sandbox.rotations == []


def test_a_file_of_connections(cli: Cli, connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox({"extra_setting": 1}, **BUSY, timezone="Asia/Omsk")
    path = tmp_path / "connections.json"
    arguments = ("sample", "--make-pair", "--connection", path, "--dag", tmp_path / "calls.py")
    cli(*arguments)
    assert not path.exists(), "nothing is written without --write"
    ran = cli(*arguments, "--write")
    assert ran.code == 0, ran.err
    found = json.loads(path.read_bytes())[CONNECTION]
    assert found["password"] == sandbox.authorization_token
    assert found["extra"]["timezone"] == "Asia/Omsk"
    assert found["extra"]["pair_store"] == "memory", "what it had is kept"
    assert sandbox.authorization_token not in ran.out + ran.err


@pytest.mark.parametrize(
    ("answer_fields", "expected"),
    [
        (
            {"rowset": "data.items", "requestHash": "meta.query_hash"},
            {"rowset": "data.items", "requestHash": "meta.query_hash"},
        ),
        ({"rowset": "result.calls"}, {"rowset": "result.calls"}),
        ({"rowset": ""}, {"rowset": ""}),
    ],
)
def test_rows_are_found_elsewhere_in_the_answer(
    cli: Cli,
    connected_sandbox: StartSandbox,
    tmp_path: Path,
    answer_fields: dict[str, str],
    expected: dict[str, str],
) -> None:
    sandbox = connected_sandbox({}, **BUSY, answer_fields=answer_fields)
    path = tmp_path / "connections.json"
    ran = cli("sample", "--make-pair", "--connection", path, "--dag", tmp_path / "calls.py", "--write", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.document["answer"]["rows"] > 50
    assert ran.document["proposal"]["extra"]["api_mapping"] == {"answer": expected}
    saved = json.loads(path.read_bytes())[CONNECTION]["extra"]["api_mapping"]
    assert json.loads(saved) == {"answer": expected}
    assert "array of" in ran.err, "the answer's shape is shown"
    today = datetime.now(UTC).date()
    assert_no_leak(sandbox, str(today - timedelta(days=1)), str(today + timedelta(days=2)), ran.out, ran.err)


def test_an_answer_without_rows_is_shown_in_its_shape(
    cli: Cli, connect: Callable[..., None], plain_server: Callable[..., Any]
) -> None:
    secret = b'{"status": {"code": 7, "79161234567": "x"}, "people": [{"name": "Anna", "age": 5}]}'
    server = plain_server({"/api/v1/request/getcalllist": Said(secret)})
    connect(server)
    ran = cli("sample", *PRINT)
    assert ran.code == 1
    assert "people: array of 1" in ran.out
    assert "name: text" in ran.out
    assert "Anna" not in ran.out + ran.err
    assert "79161234567" not in ran.out + ran.err


def test_numbers_as_texts(cli: Cli, connected_sandbox: StartSandbox) -> None:
    connected_sandbox({}, **BUSY, row_fields=RENAMED, numbers_as_text=True)
    found = cli("sample", *PRINT, "-o", "json").document["proposal"]
    assert found["fields"] == FIELDS
    assert found["types"] == {"started_at": "timestamp", "talk_seconds": "int64"}, "codes stay texts"


@pytest.mark.parametrize(
    "late",
    [
        {"call_list_answer": "hash_only"},
        {"call_list_answer": "pending", "pending_polls": 2},
        {"call_list_answer": "pending", "pending_polls": 1, "pending_style": "no_rowset"},
    ],
)
def test_rows_that_are_not_ready_yet(
    cli: Cli, connected_sandbox: StartSandbox, monkeypatch: pytest.MonkeyPatch, late: dict[str, Any]
) -> None:
    monkeypatch.setattr(question, "POLL_INTERVAL", 0.05)
    connected_sandbox({}, **BUSY, **late, retry_after=None)
    ran = cli("sample", *PRINT, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.document["answer"]["rows"] > 50


def test_a_wrong_path_names_its_setting(cli: Cli, connected_sandbox: StartSandbox) -> None:
    connected_sandbox({}, **BUSY, call_list_path="/calls")
    ran = cli("sample", *PRINT)
    assert ran.code == 1
    assert "call_list_path" in ran.err


def test_what_the_user_sets_is_not_overridden(cli: Cli, connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    connected_sandbox({}, **BUSY)
    path = tmp_path / "calls.py"
    ran = cli("sample", *PRINT, "--set", "timezone=Asia/Omsk", "--write", "--dag", path, "-o", "json")
    assert ran.document["timezone"]["timezone"] == "Europe/Moscow", "it is said"
    assert ran.document["connection"]["extra"]["timezone"] == "Asia/Omsk"
    assert 'ZONE = "Asia/Omsk"' in path.read_text()
