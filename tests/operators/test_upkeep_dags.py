"""The example DAGs for retention and erasure, with files and a DuckDB file; code: example_dags/."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet
import pytest
from dag_runs import Run, run_dag
from logged import package_lines

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.manifest import ManifestLine, encode_line
from airflow_provider_alloincognito.landing.rewriting.phone_numbers import digest
from airflow_provider_alloincognito.loading import LandedPeriod

FOLDER = Path(__file__).parents[2] / "example_dags"
MOSCOW = ZoneInfo("Europe/Moscow")
TODAY = datetime.now(MOSCOW).date()
UNDATED = None if AIRFLOW_VERSION >= (3, 0) else datetime(2026, 3, 10, tzinfo=UTC)
FORMS = ["79161234567", "+7 (916) 123-45-67", "89161234567"]
KEY = "a key of sixteen characters"

Import = Callable[[str], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    """Import an example DAG from a folder of DAGs; its files and its warehouse are in a folder of this test."""
    dags = tmp_path / "dags"
    shutil.copytree(FOLDER, dags, ignore=shutil.ignore_patterns("__pycache__"))
    for path in dags.glob("*.py"):
        path.write_text(path.read_text().replace('"retries": 3', '"retries": 0'))
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    monkeypatch.syspath_prepend(str(dags))
    monkeypatch.setenv("ALLOINCOGNITO_FILES", f"{tmp_path.as_uri()}/files")
    monkeypatch.setenv("ALLOINCOGNITO_WAREHOUSE", str(tmp_path / "calls.duckdb"))
    return importlib.import_module


def rows_of(day: date, protect: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return ten calls, three of them of one number in its three forms."""
    rows = []
    for n in range(10):
        ends = [f"7495{n:07}", f"7812{day.day:02}{n:05}"]
        if n in (2, 5, 8):
            ends[n % 2] = FORMS[n // 3]
        rows.append(
            {
                "row_key": f"{day:%m%d}{n:028}",
                "callId": str(n),
                "startTime": datetime.combine(day, time(9, n), MOSCOW),
                "direction": "in",
                "callerNumber": protect(ends[0]),
                "calledNumber": protect(ends[1]),
                "duration": n,
                "recordFileId": f"{day}-{n}" if n % 2 == 0 else None,
            }
        )
    return rows


def is_erased(row: Mapping[str, Any]) -> bool:
    return int(row["callId"]) in (2, 5, 8)


def land(load: Import, tmp_path: Path, days: Iterable[date], protect: Callable[[str], str] = str) -> None:
    """Land days in files and in the DuckDB file."""
    module = load("alloincognito_load_duckdb")
    layout = Layout(f"{tmp_path.as_uri()}/files")
    for day in days:
        rows, name = rows_of(day, protect), str(day)
        for path in (layout.calls(name), layout.manifest(name)):
            path.parent.mkdir(parents=True, exist_ok=True)
        zoned = pyarrow.schema([("startTime", pyarrow.timestamp("us", "Europe/Moscow"))])
        table = pyarrow.Table.from_pylist(rows)
        at = table.schema.get_field_index("startTime")
        table = table.set_column(at, "startTime", table.column(at).cast(zoned.field(0).type))
        with layout.calls(name).open("wb") as file:
            pyarrow.parquet.write_table(table, file)
        lines = []
        for row in rows:
            if one := row["recordFileId"]:
                (layout.recordings(name) / f"{one}.mp3").write_bytes(b"ID3")
                file_name = f"{FORMS[0]}.mp3" if is_erased(row) and protect is str else None
                lines.append(ManifestLine(one, f"{one}.mp3", file_name, 3, "0" * 64, "fetched"))
        layout.manifest(name).write_bytes(b"".join(map(encode_line, lines)))
        start = datetime.combine(day, time(), MOSCOW)
        with module.locked_warehouse() as db:
            calls, manifest = str(layout.calls(name)), str(layout.manifest(name))
            module.replace(db, LandedPeriod(start, start + timedelta(days=1), calls, manifest))


def tables(tmp_path: Path) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    with duckdb.connect(str(tmp_path / "calls.duckdb"), read_only=True) as db:
        calls = db.execute("SELECT date, call_id, caller, called, record_file_id FROM calls ORDER BY ALL").fetchall()
        return calls, db.execute("SELECT date, record_file_id FROM recordings ORDER BY ALL").fetchall()


def landed_files(tmp_path: Path) -> set[str]:
    root = tmp_path / "files"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_retention_deletes_what_is_past_its_age(load: Import, tmp_path: Path) -> None:
    recent, no_voices, old = (TODAY - timedelta(days=days) for days in (180, 181, 1096))
    land(load, tmp_path, [old, no_voices, recent])
    calls, recordings = tables(tmp_path)
    run = run_dag(load("alloincognito_retention").dag, UNDATED)
    assert run.state == "success", run.errors
    assert run.xcoms["delete_files"]["calls"]["periods"] == 1
    assert run.xcoms["delete_files"]["recordings"] == {
        "periods": 2,
        "files": 12,
        "bytes": run.xcoms["delete_files"]["recordings"]["bytes"],
    }
    assert run.xcoms["delete_rows_duckdb"] == {"calls": 10, "recordings": 10}
    assert tables(tmp_path) == (
        [row for row in calls if row[0] != old],
        [row for row in recordings if row[0] == recent],
    )
    kept = {
        f"recordings/date={recent}/{row['recordFileId']}.mp3" for row in rows_of(recent, str) if row["recordFileId"]
    }
    kept |= {f"calls/date={day}/calls.parquet" for day in (recent, no_voices)}
    assert landed_files(tmp_path) == kept | {f"recordings/date={recent}/manifest.jsonl"}
    again = run_dag(load("alloincognito_retention").dag, UNDATED)
    assert again.xcoms["delete_rows_duckdb"] == {"calls": 0, "recordings": 0}


def test_retention_has_nothing_to_do_before_the_first_load(load: Import) -> None:
    run = run_dag(load("alloincognito_retention").dag, UNDATED)
    assert run.state == "success", run.errors
    assert run.xcoms["delete_rows_duckdb"] == {"calls": 0, "recordings": 0}


def erase(load: Import, tmp_path: Path, request: str = "DSR-2026-17") -> Run:
    numbers = tmp_path / "numbers.txt"
    numbers.write_text(f"{FORMS[1]}\n")
    conf = {"numbers": numbers.as_uri(), "request": request}
    return run_dag(load("alloincognito_erasure").dag, UNDATED, conf)


@pytest.mark.parametrize("has_digests", [False, True])
def test_erasure_leaves_nothing_of_a_number_and_touches_no_other_row(
    load: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_digests: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_ALLOINCOGNITO_DIGEST_SECRET", KEY)
    if has_digests:
        monkeypatch.setenv("ALLOINCOGNITO_PROTECT", '{"caller": "digest", "called": "digest"}')

    def protect(number: str) -> str:
        return digest(number, KEY.encode()) if has_digests else number

    days = [date(2026, 3, 1), date(2026, 3, 2)]
    land(load, tmp_path, days, protect)
    calls, recordings = tables(tmp_path)
    gone = {row["recordFileId"] for day in days for row in rows_of(day, str) if is_erased(row)} - {None}
    with package_lines() as lines:
        run = erase(load, tmp_path)
    assert run.state == "success", run.errors
    kept = [row for row in calls if row[1] not in ("2", "5", "8")]
    assert tables(tmp_path) == (kept, [row for row in recordings if row[1] not in gone])
    assert len(kept) == len(calls) - 6
    for day in days:
        table = pyarrow.parquet.read_table(tmp_path / "files" / "calls" / f"date={day}" / "calls.parquet")
        assert [row["callId"] for row in table.to_pylist()] == [
            row["callId"] for row in rows_of(day, str) if not is_erased(row)
        ]
    assert not {name for name in landed_files(tmp_path) if Path(name).stem in gone}
    assert not (tmp_path / "numbers.txt").exists()
    (trail,) = (tmp_path / "files" / "erasures").iterdir()
    of_day = {"calls": 3, "recordings": 2}
    both = {str(day): of_day for day in days}
    assert json.loads(trail.read_text())["erased"] == {"files": both, "duckdb": both}
    assert run.xcoms["erase_rows_duckdb"] == {"calls": 6, "recordings": 4}
    everything = b"".join(path.read_bytes() for path in (tmp_path / "files").rglob("*") if path.is_file())
    everything += json.dumps([run.xcoms, run.rendered, lines, capfd.readouterr()], default=str).encode()
    for text in [*FORMS, "9161234567", "9161234567"[::-1], *([protect(FORMS[0])] if has_digests else [])]:
        assert text.encode() not in everything


def test_an_erasure_that_failed_keeps_the_numbers_and_shows_none(
    load: Import, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    land(load, tmp_path, [date(2026, 3, 1)])
    (tmp_path / "calls.duckdb").write_bytes(b"damaged " * 10_000)
    run = erase(load, tmp_path)
    assert run.states == {"erase_files": "success", "erase_rows_duckdb": "failed", "forget": "upstream_failed"}
    assert (tmp_path / "numbers.txt").exists()
    shown = "".join(capfd.readouterr()) + str(run)
    assert not [form for form in FORMS if form in shown]


@pytest.mark.parametrize(("name", "value"), [("request", "for 89161234567"), ("numbers", "89161234567")])
def test_a_number_in_the_form_is_refused(load: Import, name: str, value: str) -> None:
    from airflow_provider_alloincognito import compat

    dag = load("alloincognito_erasure").dag
    with pytest.raises(Exception, match="does not match") as error:
        dag.params.get_param(name).resolve(value)
    assert "Param" in type(error.value).__name__
    assert compat.AIRFLOW_VERSION


def test_a_file_without_numbers_erases_nothing(load: Import, tmp_path: Path) -> None:
    land(load, tmp_path, [date(2026, 3, 1)])
    before = tables(tmp_path)
    (tmp_path / "empty.txt").write_text("\n")
    conf = {"numbers": (tmp_path / "empty.txt").as_uri(), "request": "1"}
    run = run_dag(load("alloincognito_erasure").dag, UNDATED, conf)
    assert isinstance(run.error, AlloincognitoQueryError)
    assert tables(tmp_path) == before
