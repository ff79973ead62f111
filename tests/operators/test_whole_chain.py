"""Numbers in the whole chain of example DAGs: with digests they are nowhere, and an erased one leaves nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet
import pytest
from chain import Chain
from dag_runs import StartSandbox
from traces import Part, Traces, files_in, keep_temporary_files

from airflow_provider_alloincognito.landing.rewriting.phone_numbers import digest
from airflow_provider_alloincognito.sandbox import Sandbox

TODAY = datetime.now(ZoneInfo("Europe/Moscow")).date()
DAYS = [TODAY - timedelta(days=5), TODAY - timedelta(days=4)]
PAST_ITS_AGE = TODAY - timedelta(days=3 * 365 + 1)
ALL_DAYS = [PAST_ITS_AGE, *DAYS]
KEY = "Zq7 the canary's key, 32 bytes.."
PROTECTED = {"ALLOINCOGNITO_PROTECT": '{"caller": "digest", "called": "digest"}'}
DUCKDB = {"duckdb": "duckdb"}


@pytest.fixture
def own_sandbox(connected_sandbox: StartSandbox) -> Sandbox:
    """A sandbox whose numbers no other test has."""
    return connected_sandbox(seed="whole chain", calls_per_day=30, awkward_rows=True)


@pytest.fixture
def key_in_database() -> Iterator[None]:
    """The key of digests in a Variable of Airflow's database, as a user keeps it."""
    from airflow.models.variable import Variable

    name = "alloincognito_digest_secret"
    Variable.set(name, KEY)
    yield
    Variable.delete(name)


def numbers_of(sandbox: Sandbox, *days: date) -> set[str]:
    return {number for day in days for number in sandbox.phone_numbers(day, day + timedelta(days=1))}


def changed(sandbox: Sandbox, day: date) -> list[dict[str, Any]]:
    """A change of each kind."""
    rows = sandbox.truth(day, day + timedelta(days=1))
    recorded = [index for index, row in enumerate(rows) if row["recordFileId"] and index > 4]
    silent = next(index for index, row in enumerate(rows) if not row["recordFileId"] and index > 4)
    kinds = {"add": recorded[0], "remove": recorded[1], "longer": recorded[2], "record": silent}
    return [{"day": str(day), "index": index, "change": change} for change, index in kinds.items()]


def run_all(chain: Chain, sandbox: Sandbox) -> None:
    """Run the chain up to the report: late changes are found and loaded, old days deleted."""
    chain.land(*ALL_DAYS)
    chain.load(*ALL_DAYS)
    chain.run("report")
    sandbox.configure(changes=changed(sandbox, DAYS[0]))
    chain.reconcile(*DAYS)
    chain.load(DAYS[0])
    chain.run("retention")
    chain.run("report")


def airflow_home() -> list[Part]:
    return list(files_in(Path(os.environ["AIRFLOW_HOME"])))


def rows_in(warehouse: Path, table: str = "calls") -> list[tuple[Any, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as db:
        return db.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {table} ORDER BY ALL").fetchall()


def without(rows: list[tuple[Any, ...]], *values: str) -> list[tuple[Any, ...]]:
    return [row for row in rows if not set(values) & set(row)]


def test_the_search_finds_a_number_in_any_form_and_in_any_file(tmp_path: Path) -> None:
    traces = Traces(["79161234567"], ["the key"])
    for text in (
        "89161234567",
        "+7 (916) 123-45-67",
        "9161234567",
        "[79161234567.0]",
        "8\u00a0916\u00a0123\u201345\u201367",
    ):
        assert traces.found_in(f"a {text} b".encode()) == {"9161234567"}
    assert traces.found_in("79161234567".encode("utf-16")) == {"9161234567"}
    assert traces.found_in(b"79161234568 +7 (916) 123-45-6") == set()
    pyarrow.parquet.write_table(pyarrow.table({"n": [79161234567], "m": ["x"]}), tmp_path / "a")
    with duckdb.connect(str(tmp_path / "b")) as db:
        db.execute("CREATE TABLE calls AS SELECT '7916' || '1234567' AS n")
    (tmp_path / "c").write_text("it is the key")
    assert {"a: n", "b: calls", "c"} <= traces.places(files_in(tmp_path))
    assert "a: m" not in traces.places(files_in(tmp_path))


def test_without_digests_the_search_finds_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_sandbox: Sandbox
) -> None:
    """The control: what the other test does not find, it would find."""
    keep_temporary_files(tmp_path / "kept", monkeypatch)
    chain = Chain(tmp_path, monkeypatch, DUCKDB, {})
    chain.land(DAYS[0])
    chain.load(DAYS[0])
    places = Traces(numbers_of(own_sandbox, DAYS[0])).places(files_in(tmp_path))
    landed = f"files/calls/date={DAYS[0]}/calls.parquet"
    for name in (f"{landed}: callerNumber", f"files/recordings/date={DAYS[0]}/manifest.jsonl", "calls.duckdb: calls"):
        assert name in places
    assert any(name.startswith("kept/") and ".calls.parquet" in name for name in places), places


def test_with_digests_no_number_is_anywhere_and_an_erased_one_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_sandbox: Sandbox,
    key_in_database: None,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    keep_temporary_files(tmp_path / "kept", monkeypatch)
    chain = Chain(tmp_path, monkeypatch, DUCKDB, PROTECTED)
    numbers = numbers_of(own_sandbox, *ALL_DAYS)
    run_all(chain, own_sandbox)
    numbers |= numbers_of(own_sandbox, *ALL_DAYS)
    warehouse = tmp_path / "calls.duckdb"
    calls, recordings = rows_in(warehouse), rows_in(warehouse, "recordings")

    # One number has one digest, on all days and in all tables.
    truth = {day: own_sandbox.truth(day, day + timedelta(days=1)) for day in DAYS}
    ends = ("callerNumber", "calledNumber")
    wanted = sorted((str(day), *(digest(row[end], KEY.encode()) for end in ends)) for day in DAYS for row in truth[day])
    assert sorted((row[0], row[5], row[6]) for row in calls) == wanted
    of_day = [{row[end] for row in truth[day] for end in ends} for day in DAYS]
    assert of_day[0] & of_day[1], "no number is on both days"

    # Erase one that is on both days, and has recordings.
    def calls_of(number: str) -> list[dict[str, Any]]:
        return [row for day in DAYS for row in truth[day] if number in (row["callerNumber"], row["calledNumber"])]

    number = min(of_day[0] & of_day[1], key=lambda one: len(calls_of(one)))
    gone = [row["recordFileId"] for row in calls_of(number) if row["recordFileId"]]
    assert gone
    before = {path: path.read_bytes() for path in chain.files.rglob("*") if path.is_file()}
    chain.erase(f"8 ({number[1:4]}) {number[4:7]}-{number[7:9]}-{number[9:]}")
    chain.run("report")
    mark = digest(number, KEY.encode())
    assert rows_in(warehouse) == without(calls, mark)
    assert rows_in(warehouse, "recordings") == without(recordings, *gone)
    after = {path: path.read_bytes() for path in chain.files.rglob("*") if path.is_file()}
    assert {path.stem for path in before.keys() - after.keys()} == set(gone)
    rewritten = {path.name for path in after if before.get(path) != after[path]}
    assert rewritten == {"calls.parquet", "manifest.jsonl", "report.html", "DSR-2026-17.jsonl"}
    for day in DAYS:
        kept = [row["callId"] for row in truth[day] if number not in (row["callerNumber"], row["calledNumber"])]
        landed = pyarrow.parquet.read_table(chain.files / "calls" / f"date={day}" / "calls.parquet")
        assert landed["callId"].to_pylist() == list(map(str, kept))
    erased = Traces(texts=[mark, mark[:8]])
    assert erased.places([*files_in(chain.files), *files_in_warehouse(warehouse), *airflow_home()]) == set()

    shown = ("output", f"{capfd.readouterr()} {caplog.text}".encode())
    everything = [*files_in(tmp_path), *airflow_home(), shown]
    (request,) = Traces(numbers).places(everything)
    assert request.endswith(" numbers.txt"), "only the file that the erasure was given, which it has deleted"
    in_its_place = {"airflow.db", "airflow.db: variable"}
    assert Traces(texts=[KEY]).places(everything) <= in_its_place


def files_in_warehouse(warehouse: Path) -> list[Part]:
    return [part for part in files_in(warehouse.parent) if part[0].startswith(warehouse.name)]
