"""Retention and erasure in real warehouses; code: example_dags/alloincognito_retention.py and _erasure.py."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow
import pyarrow.compute
import pytest
from landed import DAY, RECORDINGS, Landed, day_of, land, made_calls, table_of_calls, table_of_recordings
from loads import Loader
from warehouses import EXAMPLES

pytestmark = [
    pytest.mark.long,
    pytest.mark.warehouse,
    pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning"),  # duckdb's, of the tests' reading
]

NAMES = {"duckdb": "duckdb", "postgres": "postgres_default", "clickhouse": "clickhouse_default"}
NUMBER = "79160000011"

Import = Callable[[str], ModuleType]


@pytest.fixture
def load(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> Import:
    """Import an example DAG whose files and warehouse are this test's."""
    for name, value in loader.warehouse.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ALLOINCOGNITO_FILES", f"file://{loader.files}")
    monkeypatch.setenv("ALLOINCOGNITO_WAREHOUSES", json.dumps([NAMES[loader.warehouse.name]]))
    for path in EXAMPLES.glob("alloincognito_*.*"):
        shutil.copy(path, loader.dags)
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    monkeypatch.syspath_prepend(str(loader.dags))
    return importlib.import_module


def land_days(loader: Loader, *days: date, count: int = 2000) -> list[Landed]:
    landed = [land(loader.files, *day_of(day), made_calls(*day_of(day), count)) for day in days]
    for one in landed:
        loader.load(one.period)
    return landed


def assert_holds(loader: Loader, calls: pyarrow.Table, recordings: pyarrow.Table) -> None:
    assert loader.warehouse.read("calls", calls.schema).to_pylist() == calls.to_pylist()
    assert loader.warehouse.read("recordings", RECORDINGS).to_pylist() == recordings.to_pylist()


def without(table: pyarrow.Table, column: str, values: list[Any]) -> pyarrow.Table:
    gone = pyarrow.compute.is_in(table[column], pyarrow.array(values, table[column].type))
    return table.filter(pyarrow.compute.invert(gone))


def test_retention(loader: Loader, load: Import) -> None:
    retention = load("alloincognito_retention")
    today = retention.first_day_kept(0)
    old, no_voices = (today - timedelta(days=one) for one in (retention.CALLS_DAYS + 40, retention.RECORDINGS_DAYS + 1))
    kept = today - timedelta(days=retention.RECORDINGS_DAYS)
    name = NAMES[loader.warehouse.name]
    assert retention.delete_rows.function(name) == {"calls": 0, "recordings": 0}, "nothing has been loaded"
    landed = land_days(loader, old, no_voices, kept, count=100)
    assert retention.delete_rows.function(name) == {"calls": 100, "recordings": 20}
    assert_holds(loader, table_of_calls(landed[1:]), table_of_recordings(landed[2:]))
    assert not [one for one in loader.warehouse.tables() if one.endswith(f"{old:%Y_%m}")], "an empty partition is left"
    assert retention.delete_rows.function(name) == {"calls": 0, "recordings": 0}


def test_erasure(
    loader: Loader,
    load: Import,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    landed = land_days(loader, DAY, DAY + timedelta(days=1))
    calls, recordings = table_of_calls(landed), table_of_recordings(landed)
    matches = calls.filter(pyarrow.compute.equal(calls["caller"], NUMBER))
    assert matches.num_rows == 2
    (tmp_path / "numbers.txt").write_text(f"8 (916) {NUMBER[4:7]}-{NUMBER[7:9]}-{NUMBER[9:]}\n")
    params = {"numbers": (tmp_path / "numbers.txt").as_uri(), "request": "DSR-1"}
    erasure, name = load("alloincognito_erasure"), NAMES[loader.warehouse.name]
    assert erasure.erase_rows.function(name, params) == {"calls": 2, "recordings": 2}
    assert_holds(
        loader,
        without(calls, "row_key", matches["row_key"].to_pylist()),
        without(recordings, "record_file_id", matches["record_file_id"].to_pylist()),
    )
    trail = (loader.files / "erasures" / "DSR-1.jsonl").read_text()
    assert json.loads(trail)["erased"] == {
        name: {str(one.period.name): {"calls": 1, "recordings": 1} for one in landed}
    }
    assert erasure.erase_rows.function(name, params) == {"calls": 0, "recordings": 0}
    shown = "".join(capfd.readouterr()) + caplog.text + trail
    assert NUMBER not in shown
    assert NUMBER[1:] not in shown
