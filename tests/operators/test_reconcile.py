"""The DAG that repairs what came late: files, report and events after every kind of change, and after every kill."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet
import pytest
from asset_runs import Event, _events
from dag_runs import Run, StartSandbox, run_dag
from s3_server import S3

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION, AirflowFailException
from airflow_provider_alloincognito.loading import LandedPeriod
from airflow_provider_alloincognito.sandbox import Sandbox

FOLDER = Path(__file__).parents[2] / "example_dags"
MOSCOW = ZoneInfo("Europe/Moscow")
DAY, NEXT_DAY = date(2026, 3, 3), date(2026, 3, 4)
UNDATED = None if AIRFLOW_VERSION >= (3, 0) else datetime(2026, 3, 10, tzinfo=MOSCOW)
NAMES = ["alloincognito_daily_calls", "alloincognito_load_duckdb", "alloincognito_reconcile"]
NOTHING = {"added": 0, "changed": 0, "gone": 0, "fetched": 0, "failed": 0, "kept": 0}


@dataclass
class Place:
    """The example DAGs, their files, and the sandbox that they ask."""

    folder: Path
    dags: dict[str, ModuleType]
    sandbox: Sandbox

    def land(self, *days: date) -> None:
        for day in days:
            run = self.run("alloincognito_daily_calls", day, day + timedelta(days=1))
            assert run.state == "success", run.errors

    def reconcile(self, first: date = DAY, after: date = NEXT_DAY + timedelta(days=1)) -> Run:
        run = self.run("alloincognito_reconcile", first, after)
        if run.state == "success":
            folder = self.folder / "reconcile"
            assert set(folder.glob("*")) == set(folder.glob("????-??-??.jsonl"))
        return run

    def run(self, name: str, first: date, after: date) -> Run:
        ends = {"period_start": first, "period_end": after}
        return run_dag(self.dags[name].dag, UNDATED, {end: f"{day}T00:00:00+03:00" for end, day in ends.items()})

    def rows(self, day: date) -> list[dict[str, Any]]:
        return pyarrow.parquet.read_table(self.folder / "calls" / f"date={day}" / "calls.parquet").to_pylist()

    def manifest(self, day: date) -> dict[str, str]:
        lines = (self.folder / "recordings" / f"date={day}" / "manifest.jsonl").read_text().splitlines()
        return {line["id"]: line["status"] for line in map(json.loads, lines)}

    @property
    def report_path(self) -> Path:
        (path,) = (self.folder / "reconcile").glob("????-??-??.jsonl")
        return path

    def report(self) -> list[dict[str, Any]]:
        """What the last run has reported."""
        lines = [json.loads(line) for line in self.report_path.read_text().splitlines()]
        last = [line for line in lines if line["run"] == lines[-1]["run"]]
        return [{name: value for name, value in line.items() if name != "run"} for line in last]

    def loaded(self, event: Event) -> list[str]:
        """Load what an event tells of into DuckDB, and return the ids of the calls in the table."""
        loading = self.dags["alloincognito_load_duckdb"]
        start, end = (datetime.fromisoformat(event.extra[name]) for name in ("period_start", "period_end"))
        with loading.locked_warehouse() as db:
            loading.replace(db, LandedPeriod(start, end, event.extra["calls"], event.extra["manifest"]))
            recordings = db.execute("SELECT record_file_id FROM recordings WHERE status <> 'failed'").fetchall()
            assert sorted(recordings) == sorted((one,) for one in self.manifest(DAY))
            return [one for (one,) in db.execute("SELECT call_id FROM calls ORDER BY call_id").fetchall()]

    def is_true(self, *days: date) -> None:
        """Compare the files with the sandbox's truth."""
        for day in days:
            truth = self.sandbox.truth(day, day + timedelta(days=1))
            landed = [(row["callId"], row["duration"], row["recordFileId"]) for row in self.rows(day)]
            assert landed == [(str(row["callId"]), row["duration"], row["recordFileId"]) for row in truth]
            recorded = [row["recordFileId"] for row in truth if row["recordFileId"]]
            assert list(self.manifest(day)) == recorded
            for one in recorded:
                mp3 = self.folder / "recordings" / f"date={day}" / f"{one}.mp3"
                assert mp3.read_bytes() == self.sandbox.recording(one)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connected_sandbox: StartSandbox) -> Iterator[Place]:
    """The example DAGs, whose files are in a local folder."""
    monkeypatch.setenv("ALLOINCOGNITO_FILES", (tmp_path / "files").as_uri())
    monkeypatch.setenv("ALLOINCOGNITO_WAREHOUSE", str(tmp_path / "calls.duckdb"))
    sandbox = connected_sandbox(calls_per_day=20)
    with imported(tmp_path / "dags", monkeypatch) as modules:
        yield Place(tmp_path / "files", modules, sandbox)


@contextmanager
def imported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """Import the example DAGs from a folder of DAGs; they import names of each other."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in NAMES:
        path = folder / f"{name}.py"
        path.write_text(path.read_text().replace('"retries": 3', '"retries": 0'))  # they are minutes apart
        monkeypatch.delitem(sys.modules, name, raising=False)
    modules = {name: importlib.import_module(name) for name in NAMES}
    if AIRFLOW_VERSION < (3, 0):  # it emits events of datasets that it knows
        modules["alloincognito_reconcile"].dag.bulk_write_to_db([modules["alloincognito_reconcile"].dag])
    yield modules
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.fixture
def events() -> Callable[[], list[Event]]:
    """The events that the DAG has emitted since the last look."""
    seen = len(_events("alloincognito_reconcile"))

    def new() -> list[Event]:
        nonlocal seen
        found = _events("alloincognito_reconcile")[seen:]
        seen += len(found)
        return found

    return new


def index_of(sandbox: Sandbox, has_recording: bool, number: int = 0) -> int:
    """The index of a call in the middle of the day."""
    rows = sandbox.truth(DAY, NEXT_DAY)
    fits = [index for index, row in enumerate(rows) if index > 4 and bool(row["recordFileId"]) is has_recording]
    return fits[number]


def changed(index: int, change: str) -> dict[str, Any]:
    return {"day": str(DAY), "index": index, "change": change}


ALL_AT_ONCE = {
    "add": (True, 1),
    "remove": (True, 2),
    "longer": (True, 3),
    "record": (False, 0),
}


def changes_of(sandbox: Sandbox, *kinds: str) -> list[dict[str, Any]]:
    return [changed(index_of(sandbox, *ALL_AT_ONCE[kind]), kind) for kind in kinds]


def test_every_change_at_once_is_repaired_reported_and_announced(
    place: Place, events: Callable[[], list[Event]]
) -> None:
    sandbox = place.sandbox
    sandbox.configure(changes=[changed(index_of(sandbox, True), "no_recording")])
    place.land(DAY, NEXT_DAY)
    assert list(place.manifest(DAY).values()).count("failed") == 1
    sandbox.configure(changes=changes_of(sandbox, *ALL_AT_ONCE))
    run = place.reconcile()
    assert run.state == "success", run.errors
    place.is_true(DAY, NEXT_DAY)
    assert place.report() == [
        {"day": str(DAY), "added": 1, "changed": 2, "gone": 1, "fetched": 3, "failed": 0, "kept": 0},
        {"day": str(NEXT_DAY), **NOTHING},
    ]
    (event,) = events()
    assert place.loaded(event) == sorted(str(row["callId"]) for row in sandbox.truth(DAY, NEXT_DAY))
    folder = place.folder.as_uri()
    assert event.uri == "alloincognito://alloincognito_daily_calls/recordings"
    assert event.partition_key == (str(DAY) if AIRFLOW_VERSION >= (3, 3) else None)
    assert {name: value for name, value in event.extra.items() if name not in ("bytes", "fetched", "skipped")} == {
        "path": f"{folder}/recordings/date={DAY}",
        "calls": f"{folder}/calls/date={DAY}/calls.parquet",
        "manifest": f"{folder}/recordings/date={DAY}/manifest.jsonl",
        "period_start": "2026-03-03T00:00:00+03:00",
        "period_end": "2026-03-04T00:00:00+03:00",
        "failed": 0,
    }


def differences(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, int]:
    """What a report has to say of a day's calls."""
    old, new = ({row["callId"]: row for row in rows} for rows in (before, after))
    return {
        "added": len(new.keys() - old.keys()),
        "changed": sum(new[one] != old[one] for one in new.keys() & old.keys()),
        "gone": len(old.keys() - new.keys()),
    }


@pytest.mark.long
def test_each_change_alone_is_repaired_and_then_nothing_is_left_to_do(
    place: Place, events: Callable[[], list[Event]]
) -> None:
    sandbox = place.sandbox
    plain = {kind: changes_of(sandbox, kind) for kind in ALL_AT_ONCE}
    place.land(DAY)
    for kind, changes in plain.items():
        before = sandbox.truth(DAY, NEXT_DAY)
        sandbox.configure(changes=changes)
        run = place.reconcile(DAY, NEXT_DAY)
        assert run.state == "success", run.errors
        place.is_true(DAY)
        (line,) = place.report()
        assert {name: line[name] for name in ("added", "changed", "gone")} == differences(
            before, sandbox.truth(DAY, NEXT_DAY)
        ), kind
        assert len(events()) == 1, kind
    again = place.reconcile(DAY, NEXT_DAY)
    assert again.state == "success", again.errors
    assert place.report() == [{"day": str(DAY), **NOTHING}]
    assert events() == []


@pytest.mark.long
def test_a_recording_that_is_still_missing_is_asked_for_every_time_and_announced_when_it_is_there(
    place: Place, events: Callable[[], list[Event]]
) -> None:
    place.sandbox.configure(changes=[changed(index_of(place.sandbox, True), "no_recording")])
    place.land(DAY)
    for _ in range(2):
        assert place.reconcile(DAY, NEXT_DAY).state == "success"
        assert place.report() == [{"day": str(DAY), **NOTHING, "failed": 1}]
        assert events() == []
    place.sandbox.configure(changes=[])
    assert place.reconcile(DAY, NEXT_DAY).state == "success"
    assert place.report() == [{"day": str(DAY), **NOTHING, "fetched": 1}]
    assert len(events()) == 1
    place.is_true(DAY)


STOPS = ["listed", "land_differences", "copying", "recordings", "report", "announce", "clean_up", "alarm"]


@pytest.mark.long
def test_a_run_that_was_stopped_before_any_task_is_finished_by_the_next(
    place: Place, events: Callable[[], list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox, module = place.sandbox, place.dags["alloincognito_reconcile"]
    recorded = [row["recordFileId"] for row in sandbox.truth(DAY, NEXT_DAY) if row["recordFileId"]]
    late = index_of(sandbox, False)
    place.land(DAY)
    for number, stop in enumerate(STOPS):
        kinds = [changed(number, "longer"), changed(number + 8, "remove")]
        sandbox.configure(changes=[*kinds, changed(late, "record")] if number % 2 else kinds)
        with monkeypatch.context() as patch:
            stop_before(stop, module, patch)
            assert place.reconcile(DAY, NEXT_DAY).state == "failed", stop
        announced = len(events())
        assert announced == (stop in ("clean_up", "alarm")), stop
        run = place.reconcile(DAY, NEXT_DAY)
        assert run.state == "success", (stop, run.errors)
        place.is_true(DAY)
        (line,) = place.report()
        assert bool(line["changed"] and line["gone"]) is (stop != "alarm"), stop
        assert len(events()) == (stop != "alarm"), stop
    assert len(recorded) > 10


def stop_before(stop: str, module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """Have a run end before a task, or where files are copied."""

    def killed(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    if stop == "copying":
        patch.setattr(module.shutil, "copyfileobj", killed)
    elif stop in ("listed", "recordings"):
        operator = {"listed": "AlloincognitoCallListOperator", "recordings": "AlloincognitoRecordingOperator"}[stop]
        patch.setattr(getattr(module, operator), "execute", killed)
    elif stop == "announce":
        patch.setattr(module, "daily_recordings", None)
    else:
        patch.setattr(module.dag.get_task(stop), "python_callable", killed)


@pytest.mark.long
@pytest.mark.parametrize("task", ["listed", "recordings"])
def test_a_day_that_fails_does_not_hold_up_the_others(
    task: str, place: Place, events: Callable[[], list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox, module = place.sandbox, place.dags["alloincognito_reconcile"]
    place.land(DAY, NEXT_DAY)
    late = index_of(sandbox, False)
    both = [{"day": str(day), "index": late, "change": "longer"} for day in (DAY, NEXT_DAY)]
    sandbox.configure(changes=both)
    with monkeypatch.context() as patch:
        fail_on(DAY, task, module, patch)
        run = place.reconcile()
    assert run.state == "failed"
    place.is_true(NEXT_DAY)
    assert place.report()[-1] == {"day": str(NEXT_DAY), **NOTHING, "changed": 1}
    assert [event.extra["period_start"][:10] for event in events()] == [str(NEXT_DAY)]
    run = place.reconcile()
    assert run.state == "success", run.errors
    place.is_true(DAY, NEXT_DAY)
    assert str(DAY) in [event.extra["period_start"][:10] for event in events()]
    assert place.report()[0] == {"day": str(DAY), **NOTHING, "changed": 1}


def fail_on(day: date, task: str, module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """Have the task of one day fail, as with a server that does not answer for it."""
    operator = getattr(
        module, {"listed": "AlloincognitoCallListOperator", "recordings": "AlloincognitoRecordingOperator"}[task]
    )
    execute = operator.execute

    def failing(self: Any, context: Any) -> Any:
        if str(day) in self.output_path:
            raise RuntimeError("no answer")
        return execute(self, context)

    patch.setattr(operator, "execute", failing)


def test_its_tasks_run_as_those_of_the_daily_dag(place: Place) -> None:
    daily, reconcile = place.dags["alloincognito_daily_calls"].dag, place.dags["alloincognito_reconcile"].dag
    for name, of_daily in (("listed", "calls"), ("recordings", "recordings")):
        arguments = reconcile.get_task(name).partial_kwargs
        for argument in ("alloincognito_conn_id", "pool", "retries", "retry_delay", "execution_timeout"):
            assert arguments[argument] == getattr(daily.get_task(of_daily), argument), argument


@pytest.mark.long
def test_an_answer_without_most_calls_replaces_nothing_and_raises_the_alarm(
    place: Place, events: Callable[[], list[Event]]
) -> None:
    place.land(DAY)
    before = place.rows(DAY)
    place.sandbox.configure(calls_per_day=8)
    run = place.reconcile(DAY, NEXT_DAY)
    assert run.state == "failed"
    assert {task for task, state in run.states.items() if state == "failed"} == {"alarm"}
    assert "2026-03-03 was left as it is" in str(run.error)
    assert place.rows(DAY) == before
    (line,) = place.report()
    assert line["kept"] == 1
    assert events() == []


@pytest.mark.long
def test_no_number_is_left_anywhere_where_numbers_land_as_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connected_sandbox: StartSandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    sandbox = connected_sandbox(calls_per_day=20)
    monkeypatch.setenv("ALLOINCOGNITO_FILES", (tmp_path / "files").as_uri())
    monkeypatch.setenv("ALLOINCOGNITO_PROTECT", '{"caller": "digest", "called": "digest"}')
    monkeypatch.setenv("AIRFLOW_VAR_ALLOINCOGNITO_DIGEST_SECRET", "a key of sixteen characters")
    with imported(tmp_path / "dags", monkeypatch) as modules:
        place = Place(tmp_path / "files", modules, sandbox)
        place.land(DAY)
        sandbox.configure(changes=changes_of(sandbox, *ALL_AT_ONCE))
        with monkeypatch.context() as patch:
            stop_before("clean_up", modules["alloincognito_reconcile"], patch)
            run = place.reconcile(DAY, NEXT_DAY)
    place.is_true(DAY)
    assert (place.folder / "reconcile" / "listed" / f"date={DAY}" / "calls.parquet").exists()
    kept = [pyarrow.parquet.read_table(path).to_pylist() for path in place.folder.rglob("*.parquet")]
    kept += [path.read_text() for path in place.folder.rglob("*.jsonl")]
    everywhere = str([*kept, run.xcoms, run.rendered, run.errors, capfd.readouterr()])
    assert not [number for number in sandbox.phone_numbers(DAY, NEXT_DAY) if number[1:] in everywhere]


@pytest.mark.long
def test_files_in_a_bucket_are_repaired(
    s3: S3, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connected_sandbox: StartSandbox
) -> None:
    store: Any = importlib.import_module("airflow.sdk.io.store" if AIRFLOW_VERSION >= (3, 0) else "airflow.io.store")
    fs, sandbox = s3.file_system(), connected_sandbox(calls_per_day=20)
    monkeypatch.setitem(store._STORE_CACHE, "s3", store.ObjectStore("s3", None, fs))
    monkeypatch.setenv("ALLOINCOGNITO_FILES", f"s3://{bucket}/files")
    with imported(tmp_path / "dags", monkeypatch) as modules:
        place = Place(tmp_path / "files", modules, sandbox)
        place.land(DAY, NEXT_DAY)
        sandbox.configure(changes=changes_of(sandbox, *ALL_AT_ONCE))
        run = place.reconcile()
        assert run.state == "success", run.errors
    fs.invalidate_cache()
    fs.get(f"{bucket}/files/", f"{place.folder}/", recursive=True)
    place.is_true(DAY, NEXT_DAY)
    assert [(line["added"], line["changed"], line["gone"]) for line in place.report()] == [(1, 2, 1), (0, 0, 0)]


@pytest.mark.long
def test_days_that_have_not_landed_are_left_to_the_daily_dag(place: Place) -> None:
    run = place.reconcile()
    assert run.state == "success", run.errors
    assert place.sandbox.count("getcalllist") == 0
    assert place.report() == []


def test_the_days_are_the_last_ones_that_have_landed(place: Place) -> None:
    for number in (1, 3, 9):
        calls = place.folder / "calls" / f"date=2026-03-0{number}" / "calls.parquet"
        calls.parent.mkdir(parents=True)
        pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), calls)
        manifest = place.folder / "recordings" / f"date=2026-03-0{number}" / "manifest.jsonl"
        manifest.parent.mkdir(parents=True)
        manifest.touch()
    (place.folder / "recordings" / "date=2026-03-03" / "manifest.jsonl").unlink()
    noon = datetime(2026, 3, 8, 12, tzinfo=MOSCOW)
    module = place.dags["alloincognito_reconcile"]
    found = module.days.function(data_interval_end=noon, params={"period_end": None})
    assert found == [{"period_start": "2026-03-01T00:00:00+03:00", "period_end": "2026-03-02T00:00:00+03:00"}]


def test_the_alarm_names_the_day_and_both_numbers(place: Place) -> None:
    for week, count in enumerate((10, 12, 11, 4)):
        calls = place.folder / "calls" / f"date={DAY + timedelta(weeks=week - 3)}" / "calls.parquet"
        calls.parent.mkdir(parents=True)
        pyarrow.parquet.write_table(pyarrow.table({"a": range(count)}), calls)
    alarm = place.dags["alloincognito_reconcile"].alarm.function
    asked = [{"period_start": f"{day}T00:00:00+03:00"} for day in (DAY, NEXT_DAY)]
    alarm(asked[:0], [], params={"period_end": None})
    alarm(asked, [], params={"period_end": None})  # not again every day
    alarm(asked, [{**NOTHING, "day": str(DAY), "failed": 1}], params={"period_end": None})
    for these, differences, end in (
        (asked[:1], [], None),
        (asked, [{**NOTHING, "day": str(DAY), "changed": 1}], None),
        (asked, [], "x"),
    ):
        with pytest.raises(AirflowFailException, match="2026-03-03 has 4 calls, and a Tuesday usually 11"):
            alarm(these, differences, params={"period_end": end})
