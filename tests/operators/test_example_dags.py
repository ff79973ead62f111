"""The example DAGs, unchanged, on the Airflow of this environment with its default settings: 3.3 and 2.11."""

from __future__ import annotations

import gzip
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet
import pytest
from dag_runs import VARIABLE, Run, StartSandbox, run_dag
from pytest_mock import MockerFixture
from report_pages import data_in, seen

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION, DAG, DAG_TEST_TAKES_ASSETS, HAS_ASSET_WATCHERS
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.loading import LandedPeriod, landed_periods
from airflow_provider_alloincognito.sandbox import Sandbox

FOLDER = Path(__file__).parents[2] / "example_dags"
MOSCOW = ZoneInfo("Europe/Moscow")
DAY, NEXT_DAY = datetime(2026, 3, 3, tzinfo=MOSCOW), datetime(2026, 3, 4, tzinfo=MOSCOW)
STREAM = "alloincognito_stream"
DAILY = ["alloincognito_daily_calls", "alloincognito_recordings_mapped"]
# Airflow 2 gives every run a date.
UNDATED = None if AIRFLOW_VERSION >= (3, 0) else datetime(2026, 3, 10, tzinfo=MOSCOW)
RENAMED = {
    "callId": "id",
    "startTime": "nachalo",
    "direction": "napravlenie",
    "callerNumber": "kto",
    "calledNumber": "komu",
    "duration": "dlitelnost",
    "recordFileId": "zapis",
}

Load = Callable[..., ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Import an example DAG from a folder of DAGs; its files and its warehouse are in a folder of this test."""
    dags = tmp_path / "dags"
    shutil.copytree(FOLDER, dags, ignore=shutil.ignore_patterns("__pycache__"))
    names = [path.stem for path in dags.glob("*.py")]
    monkeypatch.syspath_prepend(str(dags))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a file may change twice in a second
    monkeypatch.setenv("ALLOINCOGNITO_FILES", f"{tmp_path.as_uri()}/files")
    monkeypatch.setenv("ALLOINCOGNITO_WAREHOUSE", str(tmp_path / "calls.duckdb"))
    monkeypatch.setenv("ALLOINCOGNITO_FIRST_DAY", "2026-03-01")

    def load(name: str, edit: Callable[[str], str] = str) -> ModuleType:
        path = dags / f"{name}.py"
        source = path.read_text().replace('"retries": 3', '"retries": 0')  # they are minutes apart
        path.write_text(edit(source))
        for one in names:  # one imports another
            monkeypatch.delitem(sys.modules, one, raising=False)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    return load


@pytest.fixture
def example_sandbox(connected_sandbox: StartSandbox) -> StartSandbox:
    def start(**settings: Any) -> Sandbox:
        return connected_sandbox(VARIABLE, **{"calls_per_day": 20, **settings})

    return start


def dag_of(module: ModuleType) -> DAG:
    dag: DAG = module.dag
    return dag


def files(tmp_path: Path) -> dict[str, bytes]:
    folder = tmp_path / "files"
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def by_hand(start: datetime, end: datetime) -> dict[str, Any]:
    """Return the params of a run by hand."""
    return {"period_start": start.isoformat(), "period_end": end.isoformat()}


def load_table(module: ModuleType, start: datetime = DAY, end: datetime = NEXT_DAY) -> Run:
    """Run the DAG that loads into DuckDB for a period that has landed."""
    return run_dag(dag_of(module), UNDATED, by_hand(start, end))


def recordings_table(tmp_path: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(tmp_path / "calls.duckdb"), read_only=True) as db:
        return db.execute("SELECT date::VARCHAR, record_file_id, status FROM recordings ORDER BY ALL").fetchall()


def table(tmp_path: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(tmp_path / "calls.duckdb"), read_only=True) as db:
        return db.execute(
            "SELECT date::VARCHAR, call_id, talk_seconds, record_file_id FROM calls ORDER BY ALL"
        ).fetchall()


def test_three_days_of_calls_in_files_and_warehouse(example_sandbox: StartSandbox, load: Load, tmp_path: Path) -> None:
    sandbox = example_sandbox(period_end="inclusive")
    dag = dag_of(load("alloincognito_daily_calls"))
    for day in range(3):
        run = run_dag(dag, DAY + timedelta(days=day + 1))
        assert run.state == "success", run.errors
        result = run.xcoms["calls"]
        date = (DAY + timedelta(days=day)).date()
        assert result["period_start"] == f"{date} 00:00:00", "whole Moscow days"
        assert result["period_end"] == f"{date + timedelta(days=1)} 00:00:00"

    wanted = []
    for day in range(3):
        date = (DAY + timedelta(days=day)).date().isoformat()
        truth = sandbox.truth(DAY + timedelta(days=day), DAY + timedelta(days=day + 1))
        landed = pyarrow.parquet.read_table(tmp_path / "files" / "calls" / f"date={date}" / "calls.parquet")
        assert landed.column("callId").to_pylist() == [str(row["callId"]) for row in truth]
        assert len(set(landed.column("row_key").to_pylist())) == len(truth)
        recorded = {row["recordFileId"] for row in truth if row["recordFileId"]}
        folder = tmp_path / "files" / "recordings" / f"date={date}"
        assert {file.stem for file in folder.glob("*.mp3")} == recorded
        wanted += [(date, str(row["callId"]), row["duration"], row["recordFileId"]) for row in truth]
    assert [rotation.by for rotation in sandbox.rotations] == ["create"]
    run = load_table(load("alloincognito_load_duckdb"), DAY, DAY + timedelta(days=3))
    assert run.xcoms["load"] == {"periods": 3, "rows": len(wanted)}, run.errors
    assert table(tmp_path) == sorted(wanted, key=lambda row: row[:2])
    recorded_in = [(date, record_file_id, "fetched") for date, _, _, record_file_id in wanted if record_file_id]
    assert recordings_table(tmp_path) == sorted(recorded_in)
    assert (tmp_path / "calls.duckdb").stat().st_mode & 0o077 == 0, "for its owner alone"


def test_a_second_run_gives_the_same_files_and_the_same_table(
    example_sandbox: StartSandbox, load: Load, tmp_path: Path
) -> None:
    sandbox = example_sandbox()
    loading = load("alloincognito_load_duckdb")
    dag = dag_of(load("alloincognito_daily_calls"))
    assert run_dag(dag, DAY + timedelta(days=1)).state == "success"
    assert load_table(loading).state == "success"
    before, rows, recorded = files(tmp_path), table(tmp_path), recordings_table(tmp_path)
    sandbox.clear_log()
    assert run_dag(dag, DAY + timedelta(days=1)).state == "success"
    after = files(tmp_path)
    assert sandbox.count("getcallrecordfile") == 0
    assert load_table(loading).state == "success"
    assert table(tmp_path) == rows
    assert rows
    assert [row[:2] for row in recordings_table(tmp_path)] == [row[:2] for row in recorded]
    assert set(after) == set(before)
    assert {name for name in after if name.endswith(".mp3") and after[name] != before[name]} == set()


@pytest.mark.parametrize("name", DAILY)
def test_switched_on_it_begins_with_yesterday_unless_it_has_a_first_day(
    load: Load, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dag = dag_of(load(name))
    assert dag.catchup
    assert dag.start_date == datetime(2026, 3, 1, tzinfo=MOSCOW)
    monkeypatch.delenv("ALLOINCOGNITO_FIRST_DAY")
    first, second = dag_of(load(name)), dag_of(load(name))
    assert not first.catchup, "Airflow then runs it for the last complete day alone"
    assert first.start_date == second.start_date, "a start that moves would keep the scheduler from ever running it"


@pytest.mark.parametrize("name", [*DAILY, "alloincognito_request_result"])
def test_a_period_of_the_params(example_sandbox: StartSandbox, load: Load, tmp_path: Path, name: str) -> None:
    sandbox = example_sandbox()
    run = run_dag(dag_of(load(name)), UNDATED, by_hand(DAY, NEXT_DAY))
    assert run.state == "success", run.errors
    names = set(files(tmp_path))
    recorded = {row["recordFileId"] for row in sandbox.truth(DAY, NEXT_DAY) if row["recordFileId"]}
    mp3 = {f"recordings/date=2026-03-03/{one}.mp3" for one in recorded}
    if name == "alloincognito_request_result":
        assert names == {"months/2026-03-03.jsonl.gz"}
    else:
        assert names >= {"recordings/date=2026-03-03/manifest.jsonl", *mp3}


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 0), reason="every run of Airflow 2 has a logical date")
@pytest.mark.parametrize("name", [*DAILY, "alloincognito_request_result"])
def test_a_run_without_a_period_fails_at_once(example_sandbox: StartSandbox, load: Load, name: str) -> None:
    sandbox = example_sandbox()
    run = run_dag(dag_of(load(name)), None)
    assert run.state == "failed"
    assert isinstance(run.error, AlloincognitoQueryError)
    assert "Trigger the DAG with the params period_start and period_end" in str(run.error)
    assert set(run.tries.values()) <= {0, 1}
    assert sandbox.requests == []


def test_a_longer_period_replaces_its_days_in_the_table(
    example_sandbox: StartSandbox, load: Load, tmp_path: Path
) -> None:
    sandbox = example_sandbox()
    loading = load("alloincognito_load_duckdb")
    dag = dag_of(load("alloincognito_daily_calls"))
    first = DAY - timedelta(days=1)
    assert run_dag(dag, NEXT_DAY).state == "success"
    assert load_table(loading).state == "success"
    landed = run_dag(dag, UNDATED, by_hand(first, NEXT_DAY))
    assert landed.state == "success"
    both = LandedPeriod(first, NEXT_DAY, landed.xcoms["calls"]["path"], landed.xcoms["recordings"]["manifest"])
    with loading.locked_warehouse() as db:
        loading.replace(db, both)
    truth = sandbox.truth(first, NEXT_DAY)
    assert [row[:2] for row in table(tmp_path)] == sorted((row["startTime"][:10], str(row["callId"])) for row in truth)
    recorded = [(row["startTime"][:10], row["recordFileId"]) for row in truth if row["recordFileId"]]
    assert [row[:2] for row in recordings_table(tmp_path)] == sorted(recorded), "each on the day of its call"
    assert load_table(loading).state == "success", "the second day's own file again"
    assert [row[:2] for row in recordings_table(tmp_path)] == sorted(recorded)


def test_protected_columns_hold_digests_and_no_number_in_files_and_table(
    example_sandbox: StartSandbox, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = example_sandbox()
    monkeypatch.setenv("ALLOINCOGNITO_PROTECT", '{"caller": "digest", "called": "digest"}')
    monkeypatch.setenv("AIRFLOW_VAR_ALLOINCOGNITO_DIGEST_SECRET", "a-key-of-this-test-alone")
    loading = load("alloincognito_load_duckdb")
    run = run_dag(dag_of(load("alloincognito_daily_calls")), NEXT_DAY)
    assert run.state == "success", run.errors
    assert load_table(loading).state == "success"
    with duckdb.connect(str(tmp_path / "calls.duckdb"), read_only=True) as db:
        digests = [one for row in db.execute("SELECT caller, called FROM calls").fetchall() for one in row]
        text = [db.execute(f"SELECT {name}::TEXT FROM {name}").fetchall() for name in ("calls", "recordings")]
    assert {len(one) for one in digests} == {32}
    numbers = [number[-10:] for number in sandbox.phone_numbers(DAY, NEXT_DAY)]
    assert 1 < len(set(digests)) <= len(set(numbers))
    landed = pyarrow.parquet.read_table(tmp_path / "files" / "calls" / "date=2026-03-03" / "calls.parquet")
    held = [*files(tmp_path).values(), repr(landed.to_pylist()).encode(), repr(text).encode()]
    assert not [number for number in numbers if any(number.encode() in one for one in held)]


def test_a_recording_that_fails_keeps_no_call_from_the_table(
    example_sandbox: StartSandbox, load: Load, tmp_path: Path
) -> None:
    sandbox = example_sandbox()
    sandbox.add_fault("error", method="getcallrecordfile", code=1742)
    loading = load("alloincognito_load_duckdb")
    assert run_dag(dag_of(load("alloincognito_daily_calls")), NEXT_DAY).state == "success"
    assert load_table(loading).xcoms["load"]["rows"] == len(sandbox.truth(DAY, NEXT_DAY))
    assert [row[2] for row in recordings_table(tmp_path)].count("failed") == 1


def test_an_alarm_if_no_recording_can_be_fetched(example_sandbox: StartSandbox, load: Load, tmp_path: Path) -> None:
    sandbox = example_sandbox()
    sandbox.add_fault("error", method="getcallrecordfile", code=1742, times=100)
    daily = load("alloincognito_daily_calls")
    run = run_dag(dag_of(daily), NEXT_DAY)
    assert (run.states["recordings"], run.states["alarm"], run.tries["alarm"]) == ("success", "failed", 1)
    assert run.xcoms["recordings"]["manifest"] in str(run.error)
    assert f"None of the {run.xcoms['recordings']['failed']} recordings" in str(run.error)
    assert load_table(load("alloincognito_load_duckdb")).xcoms["load"]["rows"] == len(sandbox.truth(DAY, NEXT_DAY))
    sandbox.clear_faults()
    assert run_dag(dag_of(daily), NEXT_DAY).state == "success"


def test_two_loads_at_once_and_one_that_is_killed_leave_the_table_right(
    example_sandbox: StartSandbox, load: Load, tmp_path: Path
) -> None:
    example_sandbox()
    loading = load("alloincognito_load_duckdb")
    assert run_dag(dag_of(load("alloincognito_daily_calls")), NEXT_DAY).state == "success"
    assert load_table(loading).state == "success"
    rows, recorded = table(tmp_path), recordings_table(tmp_path)

    fork = multiprocessing.get_context("fork")
    killed = fork.Process(target=load_until_killed, args=(loading,))
    killed.start()
    killed.join(30)
    assert killed.exitcode == -signal.SIGKILL
    assert table(tmp_path) == rows, "nothing of a load that was killed after it had deleted the day"

    together = [fork.Process(target=load_slowly, args=(loading, tmp_path)) for _ in range(2)]
    for one in together:
        one.start()
    for one in together:
        one.join(30)
    assert [one.exitcode for one in together] == [0, 0]
    assert len(list(tmp_path.glob("loaded-*"))) == 2
    assert (table(tmp_path), recordings_table(tmp_path)) == (rows, recorded)


def load_until_killed(loading: ModuleType) -> None:
    statements = loading.SQL.read_text().partition("INSERT")[0]
    with loading.locked_warehouse() as db:
        db.begin()
        days = {"first_day": DAY.date(), "last_day": DAY.date()}
        values = {"period_start": DAY, "period_end": NEXT_DAY, **days, "has_recordings": True}
        for statement in db.extract_statements(statements):
            db.execute(statement, {name: values[name] for name in statement.named_parameters})
        (left,) = db.execute("SELECT count(*) FROM calls").fetchone()
        os.kill(os.getpid(), signal.SIGKILL if not left else signal.SIGTERM)


def load_slowly(loading: ModuleType, tmp_path: Path) -> None:
    with loading.locked_warehouse() as db:
        loading.replace(db, landed_periods({"params": by_hand(DAY, NEXT_DAY)}, loading.FILES, MOSCOW)[0])
        time.sleep(0.5)  # the other one meets the lock
        (tmp_path / f"loaded-{os.getpid()}").touch()


@pytest.mark.parametrize("name", ["alloincognito_load_duckdb"])
def test_a_dag_that_loads_does_not_ask_the_clock_what_to_load(load: Load, name: str) -> None:
    run = run_dag(dag_of(load(name)), UNDATED)
    assert run.state == "failed"
    assert "trigger the DAG with the params period_start and period_end" in str(run.error)


def test_airflow_finds_each_dag_in_its_own_file(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some files import names from another one, which has a DAG as well."""
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    place = "airflow.dag_processing.dagbag" if AIRFLOW_VERSION >= (3, 2) else "airflow.models.dagbag"
    bag = importlib.import_module(place).DagBag(str(tmp_path / "dags"))
    of_this_airflow = {path.stem for path in FOLDER.glob("*.py") if HAS_ASSET_WATCHERS or path.stem != STREAM}
    assert {Path(path).stem for path in bag.import_errors} == {STREAM} - of_this_airflow
    assert {dag_id: Path(dag.fileloc).stem for dag_id, dag in bag.dags.items()} == {one: one for one in of_this_airflow}
    for path in (tmp_path / "dags" / f"{one}.py" for one in of_this_airflow):
        assert [dag.dag_id for dag in bag.process_file(str(path), only_if_updated=False)] == [path.stem]


def test_renamed_fields_need_one_mapping(example_sandbox: StartSandbox, load: Load, tmp_path: Path) -> None:
    sandbox = example_sandbox(row_fields=RENAMED)
    dag = dag_of(load("alloincognito_daily_calls"))
    run = run_dag(dag, DAY + timedelta(days=1))
    assert run.state == "failed"
    assert "FIELDS" in str(run.error) or "mapping of field names" in str(run.error), run.error
    assert any(repr(name) in str(run.error) for name in RENAMED), "the error names the field"
    assert files(tmp_path) == {}

    def rename(source: str) -> str:
        start = source.index("FIELDS = {")
        end = source.index("}", start)
        mapping = source[start:end]
        for old, new in RENAMED.items():
            mapping = mapping.replace(f': "{old}"', f': "{new}"')
        return source[:start] + mapping + source[end:]

    dag = dag_of(load("alloincognito_daily_calls", rename))
    run = run_dag(dag, DAY + timedelta(days=2))
    assert run.state == "success", run.errors
    assert load_table(load("alloincognito_load_duckdb"), NEXT_DAY, NEXT_DAY + timedelta(days=1)).state == "success"
    truth = sandbox.truth(DAY + timedelta(days=1), DAY + timedelta(days=2))
    assert [row[1:] for row in table(tmp_path)] == [(str(row["id"]), row["dlitelnost"], row["zapis"]) for row in truth]


def test_recordings_are_fetched_in_chunks(example_sandbox: StartSandbox, load: Load, tmp_path: Path) -> None:
    sandbox = example_sandbox()
    module = load("alloincognito_recordings_mapped", lambda source: source.replace("CHUNK = 250", "CHUNK = 4"))
    run = run_dag(module.calls.dag, DAY + timedelta(days=1))
    assert run.state == "success", run.errors
    assert len(run.xcoms["recordings"]) > 1
    recorded = [row["recordFileId"] for row in sandbox.truth(DAY, DAY + timedelta(days=1)) if row["recordFileId"]]
    folder = tmp_path / "files" / "recordings" / f"date={DAY.date()}"
    assert {file.stem: file.read_bytes() for file in folder.glob("*.mp3")} == {
        one: sandbox.recording(one) for one in recorded
    }
    manifest = (folder / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in manifest] == recorded
    by_hand = {"period_start": "2026-03-03 10:00", "period_end": "2026-03-03 14:00"}
    assert run_dag(module.calls.dag, UNDATED, by_hand).state == "success"
    assert (folder / "manifest.jsonl").read_text().splitlines() == manifest, "a part of a day has a manifest of its own"


def test_a_result_is_requested_and_fetched_by_its_hash(
    example_sandbox: StartSandbox, load: Load, tmp_path: Path
) -> None:
    sandbox = example_sandbox(call_list_answer="hash_only", pending_polls=1, always_awkward_hashes=True)
    module = load(
        "alloincognito_request_result", lambda source: source.replace("poke_interval=60", "poke_interval=0.1")
    )
    run = run_dag(dag_of(module), datetime(2026, 3, 1, tzinfo=MOSCOW))
    assert run.state == "success", run.errors
    (request_hash,) = run.xcoms["ask"]["request_hashes"]
    assert {one.query["requestHash"] for one in sandbox.requests if one.method == "getrequestresultbyhash"} == {
        request_hash
    }
    text = gzip.decompress((tmp_path / "files" / "months" / "2026-02.jsonl.gz").read_bytes())
    rows = [json.loads(line) for line in text.splitlines()]
    assert rows == sandbox.truth(datetime(2026, 2, 1, tzinfo=MOSCOW), datetime(2026, 3, 1, tzinfo=MOSCOW))


def test_the_report_shows_what_was_loaded(example_sandbox: StartSandbox, load: Load, tmp_path: Path) -> None:
    sandbox = example_sandbox()
    end = DAY + timedelta(days=2)
    for moment in (NEXT_DAY, end):
        assert run_dag(dag_of(load("alloincognito_daily_calls")), moment).state == "success"
    assert load_table(load("alloincognito_load_duckdb"), DAY, end).state == "success"
    with duckdb.connect(str(tmp_path / "calls.duckdb")) as db:
        db.execute("UPDATE recordings SET status = 'failed' WHERE date = '2026-03-04'")
    run = run_dag(dag_of(load("alloincognito_report")), UNDATED, {"language": "ru"})
    assert run.state == "success", run.errors
    assert run.xcoms["report"] == f"{tmp_path.as_uri()}/files/report.html"
    page = (tmp_path / "files" / "report.html").read_text()
    charts = data_in(page)

    truth = sandbox.truth(DAY, end)
    starts = [datetime.fromisoformat(row["startTime"]) for row in truth]
    days = ["2026-03-03", "2026-03-04"]
    hours = charts["hours"]["data"][0]["z"]
    assert {
        (weekday, hour): hours[weekday][hour] for weekday in range(7) for hour in range(24) if hours[weekday][hour]
    } == (Counter((start.weekday(), start.hour) for start in starts))
    assert points(charts["outcomes"]) == Counter(
        ({1: "исходящие", 2: "входящие"}[row["direction"]], "с ответом" if row["duration"] else "без ответа")
        for row in truth
    )
    talk = {day: sum(row["duration"] for row in truth if row["startTime"].startswith(day)) / 3600 for day in days}
    assert dict(zip(charts["talk"]["data"][0]["x"], charts["talk"]["data"][0]["y"], strict=True)) == talk
    busiest = Counter(number for row in truth for number in (row["callerNumber"], row["calledNumber"])).most_common(10)
    assert charts["numbers"]["data"][0]["x"] == [calls for _, calls in busiest]
    recorded = [sum(row["startTime"].startswith(day) for row in truth if row["recordFileId"]) for day in days]
    assert [bar["y"] for bar in charts["recordings"]["data"]] == [[recorded[0], 0], [0, recorded[1]]]
    assert "Все дни на месте." in seen(page)
    numbers = {number[-7:] for number in sandbox.phone_numbers(DAY, end)}
    assert numbers
    assert not [number for number in numbers if number in page]


def points(chart: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Return the lengths of stacked bars by bar and part."""
    parts = [(bar["name"], zip(bar["y"], bar["x"], strict=True)) for bar in chart["data"]]
    return {(name, part): length for part, bars in parts for name, length in bars if length}


def told(start: datetime, minutes: int = 5, *, again: bool = False) -> SimpleNamespace:
    """Return the event of a watcher, as a task sees it."""
    end = start + timedelta(minutes=minutes)
    payload = {"period_start": start.isoformat(), "period_end": end.isoformat(), "calls": 1, "again": again}
    return SimpleNamespace(timestamp=end, extra={"from_trigger": True, "payload": payload})


def windows_of(start: datetime, minutes: int, of: int = 5) -> list[SimpleNamespace]:
    return [told(start + timedelta(minutes=at), of) for at in range(0, minutes, of)]


def calls_of(sandbox: Sandbox, start: datetime, minutes: int = 5) -> list[dict[str, Any]]:
    return sandbox.truth(start, start + timedelta(minutes=minutes))


@pytest.fixture
def stream(load: Load, mocker: MockerFixture) -> Callable[[list[SimpleNamespace]], Run]:
    """Run the DAG of the stream, started by events of its watcher."""

    def run(events: list[SimpleNamespace]) -> Run:
        mocker.patch("airflow_provider_alloincognito.triggers.new_calls.triggering_events", return_value=events)
        return run_dag(dag_of(load(STREAM)), UNDATED)

    return run


only_with_watchers = pytest.mark.skipif(
    not HAS_ASSET_WATCHERS or not DAG_TEST_TAKES_ASSETS,
    reason="Airflow 2 has no asset watchers, 3.0 does not test them",
)
MORNING = DAY + timedelta(hours=10)


@only_with_watchers
def test_a_stream_run_loads_each_window_of_its_events_once(
    example_sandbox: StartSandbox, stream: Callable[[list[SimpleNamespace]], Run], tmp_path: Path
) -> None:
    sandbox = example_sandbox(calls_per_day=500, period_end="inclusive")
    later = MORNING + timedelta(hours=1)
    truth = [row for start, minutes in ((MORNING, 15), (later, 5)) for row in calls_of(sandbox, start, minutes)]
    run = stream([*windows_of(MORNING, 15), told(MORNING, again=True), told(later)])
    assert run.state == "success", run.errors
    assert run.xcoms["load"] == {"periods": 2, "rows": len(truth)}
    assert sandbox.count("getcalllist") == 2, "windows that follow each other are one request"
    wanted = [(str(DAY.date()), str(row["callId"]), row["duration"], row["recordFileId"]) for row in truth]
    assert sorted(table(tmp_path)) == sorted(wanted)
    assert "stream/date=2026-03-03T10-00-00_2026-03-03T10-15-00/calls.parquet" in files(tmp_path)
    again = stream([told(MORNING, again=True)])
    assert again.state == "success", again.errors
    assert sorted(table(tmp_path)) == sorted(wanted), "told again, it is loaded again, and not doubled"


@only_with_watchers
def test_a_period_that_cannot_be_landed_holds_up_no_other_and_is_left_to_the_next_run(
    example_sandbox: StartSandbox, stream: Callable[[list[SimpleNamespace]], Run], tmp_path: Path
) -> None:
    sandbox = example_sandbox(calls_per_day=5000)
    later, latest = MORNING + timedelta(hours=1), MORNING + timedelta(hours=2)
    sandbox.add_fault("status", method="getcalllist", status=422, times=1)
    failed = stream([*windows_of(MORNING, 10), told(later)])
    assert failed.state == "failed"
    assert "1 of 2 periods could not be landed" in str(failed.errors[-1])
    assert len(table(tmp_path)) in (len(calls_of(sandbox, MORNING, 10)), len(calls_of(sandbox, later)))
    run = stream([told(latest)])
    assert run.state == "success", run.errors
    parts = ((MORNING, 10), (later, 5), (latest, 5))
    wanted = [row for start, minutes in parts for row in calls_of(sandbox, start, minutes)]
    assert {row[1] for row in table(tmp_path)} == {str(row["callId"]) for row in wanted}
    assert stream([told(later, again=True)]).xcoms["load"]["periods"] == 1, "what is loaded is left to nobody"


@only_with_watchers
def test_a_period_is_left_until_all_of_it_is_loaded(
    example_sandbox: StartSandbox, stream: Callable[[list[SimpleNamespace]], Run]
) -> None:
    sandbox = example_sandbox()
    sandbox.add_fault("status", method="getcalllist", status=422, times=1)
    assert stream([told(MORNING, 10)]).state == "failed"
    sandbox.add_fault("status", method="getcalllist", status=422, times=1, skip=1)
    assert stream([told(MORNING, 5)]).state == "failed", "of two that begin at the same time, one was landed"
    assert stream([told(MORNING + timedelta(hours=1))]).state == "success"
    assert sandbox.count("getcalllist") == 1 + 2 + 2


@only_with_watchers
def test_what_was_left_of_a_day_is_forgotten_once_the_daily_run_has_landed_it(
    example_sandbox: StartSandbox, stream: Callable[[list[SimpleNamespace]], Run], load: Load
) -> None:
    sandbox = example_sandbox()
    sandbox.add_fault("status", method="getcalllist", status=422, times=1)
    assert stream([told(MORNING)]).state == "failed"
    assert run_dag(dag_of(load("alloincognito_daily_calls")), NEXT_DAY).state == "success"
    listed = sandbox.count("getcalllist")
    run = stream([])
    assert run.state == "success", run.errors
    assert sandbox.count("getcalllist") == listed


@only_with_watchers
def test_what_was_corrected_is_replaced_by_the_next_event(
    example_sandbox: StartSandbox, stream: Callable[[list[SimpleNamespace]], Run], tmp_path: Path
) -> None:
    sandbox = example_sandbox(calls_per_day=500)
    end = MORNING + timedelta(hours=1)
    index = sandbox.truth(DAY, NEXT_DAY).index(sandbox.truth(MORNING, end)[0])
    assert stream([told(MORNING, 60)]).state == "success"
    before = table(tmp_path)
    sandbox.configure(changes=[{"day": DAY.date(), "index": index, "change": "longer"}])
    assert stream([told(MORNING, 60, again=True)]).state == "success"
    after = table(tmp_path)
    assert len(after) == len(before)
    assert sum(row[2] for row in after) == sum(row[2] for row in before) + 60


@only_with_watchers
def test_stream_and_daily_run_never_double_and_the_daily_run_has_the_last_word(
    example_sandbox: StartSandbox, stream: Callable[[list[SimpleNamespace]], Run], load: Load, tmp_path: Path
) -> None:
    sandbox = example_sandbox()
    whole = windows_of(DAY, 24 * 60, 4 * 60)
    assert stream(whole).state == "success"
    streamed = table(tmp_path)
    assert len(streamed) == len(sandbox.truth(DAY, NEXT_DAY))
    assert recordings_table(tmp_path) == []
    assert run_dag(dag_of(load("alloincognito_daily_calls")), NEXT_DAY).state == "success"
    assert load_table(load("alloincognito_load_duckdb")).state == "success"
    assert table(tmp_path) == streamed, "the daily run over the same day changes nothing"
    recorded = recordings_table(tmp_path)
    assert recorded

    sandbox.configure(changes=[{"day": DAY.date(), "index": 3, "change": "longer"}])
    late = stream([told(DAY, 4 * 60, again=True)])
    assert late.xcoms["load"] == {"periods": 0, "rows": 0}, late.errors
    assert table(tmp_path) == streamed
    assert recordings_table(tmp_path) == recorded


@only_with_watchers
def test_a_window_loaded_by_hand_keeps_the_recordings(
    example_sandbox: StartSandbox, load: Load, tmp_path: Path
) -> None:
    """Where the daily run's files are gone, its rows stay."""
    example_sandbox()
    assert run_dag(dag_of(load("alloincognito_daily_calls")), NEXT_DAY).state == "success"
    assert load_table(load("alloincognito_load_duckdb")).state == "success"
    before = table(tmp_path), recordings_table(tmp_path)
    shutil.rmtree(tmp_path / "files" / "calls")
    run = run_dag(dag_of(load(STREAM)), UNDATED, by_hand(MORNING, MORNING + timedelta(hours=4)))
    assert run.xcoms["load"]["periods"] == 1, run.errors
    assert run.xcoms["load"]["rows"] > 0
    assert (table(tmp_path), recordings_table(tmp_path)) == before
