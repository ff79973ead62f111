"""pyarrow reads the same values as the exact reader, or raises the same errors; code: landing/tables/."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.parquet
import pytest
from hypothesis import given, settings, strategies as st
from landing_samples import batches_of, raw_batches

from airflow_provider_alloincognito.errors import AlloincognitoResponseError, AlloincognitoValueError
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.tables.exact_rows import ExactRowReader


def in_parquet(path: Path, texts: list[Any], type_name: str, timezone: str = "Europe/Moscow") -> list[Any]:
    rows = [{"c": text} for text in texts]
    land_calls(batches_of(rows), path, schema={"c": type_name}, timezone=timezone)
    return pyarrow.parquet.read_table(path)["c"].to_pylist()  # type: ignore[no-any-return]


def in_csv(path: Path, texts: list[str], type_name: str, timezone: str) -> list[str]:
    land_calls(batches_of([{"c": text} for text in texts]), path, schema={"c": type_name}, timezone=timezone)
    return path.read_text().splitlines()[1:]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney", "Europe/Moscow"])
def test_times_of_distant_years_are_the_same_in_parquet_and_csv(tmp_path: Path, zone: str) -> None:
    texts = [f"{year}-{month}-01 12:00:00" for year in (2036, 2037, 2038, 2040, 2100, 9999) for month in ("01", "07")]
    moments = in_parquet(tmp_path / "c.parquet", texts, "timestamp", zone)
    assert [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in moments] == texts
    assert [moment.isoformat() for moment in moments] == in_csv(tmp_path / "c.csv", texts, "timestamp", zone)


def test_a_time_does_not_depend_on_the_rows_around_it(tmp_path: Path) -> None:
    texts = ["2040-07-01 12:00:00", "2040-07-01 12:00:00+02:00"]
    together = in_parquet(tmp_path / "both.parquet", texts, "timestamp", "Europe/Berlin")
    alone = [in_parquet(tmp_path / "one.parquet", [text], "timestamp", "Europe/Berlin")[0] for text in texts]
    assert together == alone == [datetime(2040, 7, 1, 10, tzinfo=UTC)] * 2


def test_a_zone_database_with_only_a_rule_for_coming_years_gives_the_right_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slim database (zic's default) lists no transitions of Berlin after 1996, so pyarrow sees no winter there."""
    assume = pyarrow.compute.assume_timezone

    def without_winter(local: Any, timezone: str, **options: Any) -> Any:
        return assume(local, "Etc/GMT-2", **options).cast(pyarrow.timestamp("us", tz=timezone))

    monkeypatch.setattr(pyarrow.compute, "assume_timezone", without_winter)
    moments = in_parquet(tmp_path / "c.parquet", ["2026-01-15 12:00:00"], "timestamp", "Europe/Berlin")
    assert moments == [datetime(2026, 1, 15, 11, tzinfo=UTC)]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("date", "0000-01-01"),
        ("date", "0000-02-29"),
        ("date", "0000-12-31"),
        ("timestamp", "0000-01-01"),
        ("timestamp", "0000-12-31 23:59:59.999"),
    ],
)
def test_a_time_in_year_0_is_an_error(tmp_path: Path, suffix: str, type_name: str, text: str) -> None:
    rows = [{"c": "2026-01-01"}, {"c": text}]
    with pytest.raises(AlloincognitoValueError, match=f"Row 2: the value of column 'c' is not a valid {type_name}"):
        land_calls(batches_of(rows), tmp_path / f"c.{suffix}", schema={"c": type_name})
    assert not list(tmp_path.iterdir())


def test_the_first_and_the_last_date_of_the_calendar_are_exact(tmp_path: Path) -> None:
    texts = ["0001-01-01", "2037-01-01", "9999-12-31"]
    assert [str(day) for day in in_parquet(tmp_path / "c.parquet", texts, "date")] == texts


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1" + "0" * 400, "1.0e309", "1.7976931348623159e308"])
def test_a_number_too_large_for_a_float_is_an_error(tmp_path: Path, suffix: str, number: str) -> None:
    texts = [b'{"c":1.5}', b'{"c":null}', b'{"c":%s}' % number.encode()]
    with pytest.raises(AlloincognitoValueError, match="Row 3: the value of column 'c' is not a valid float64"):
        land_calls(raw_batches(texts), tmp_path / f"c.{suffix}", schema={"c": "float64"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("schema", [None, {"c": "float64"}])
@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_an_error(tmp_path: Path, suffix: str, schema: Any, word: str) -> None:
    texts = [b'{"c":1.5}', b'{"c":%s}' % word.encode()]
    with pytest.raises(AlloincognitoResponseError, match="Row 2 cannot be read"):
        land_calls(raw_batches(texts), tmp_path / f"c.{suffix}", schema=schema)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("values", [[1.7976931348623157e308, None, -1.7976931348623157e308, 5e-324], [None], []])
def test_the_smallest_and_the_largest_floats_are_exact(tmp_path: Path, values: list[float | None]) -> None:
    assert in_parquet(tmp_path / "c.parquet", values, "float64") == values


def test_ordinary_rows_are_read_by_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading row by row takes many times as long."""

    def row_by_row(*_: Any) -> Any:
        raise AssertionError("read row by row")

    tables = "airflow_provider_alloincognito.landing.tables.arrow"
    monkeypatch.setattr(ExactRowReader, "rows", row_by_row)
    monkeypatch.setattr(f"{tables}.read_timestamp", row_by_row)
    monkeypatch.setattr(f"{tables}.read_date", row_by_row)
    row = {"t": "2026-07-01 12:00:00", "d": "9999-12-31", "f": 1e300}
    earliest = row | {"t": "0001-01-02 00:00:00"}
    nulls = dict.fromkeys(row)
    schema = {"t": "timestamp", "d": "date", "f": "float64"}
    for rows in ([row, nulls, earliest, row | {"t": "", "d": ""}], [nulls]):
        land_calls(batches_of(rows), tmp_path / "c.parquet", schema=schema, timezone="Europe/Berlin")


def test_ordinary_rows_cost_no_import_of_pandas(tmp_path: Path) -> None:
    """pyarrow imports it, where it is installed, for any Python value that it is given; that takes a second."""
    (tmp_path / "pandas.py").write_text("open(__file__ + '.imported', 'w').close()")
    path, python_path = str(tmp_path / "c.parquet"), os.pathsep.join([str(tmp_path), *sys.path])
    subprocess.run([sys.executable, "-c", LANDING, path], env={**os.environ, "PYTHONPATH": python_path}, check=True)
    assert pyarrow.parquet.read_table(path)["t"].null_count == 2
    assert not (tmp_path / "pandas.py.imported").exists()


LANDING = """
import sys
from pathlib import Path
from landing_samples import batches_of
from airflow_provider_alloincognito.landing.calls import land_calls

rows = [{"t": "2026-07-01 12:00:00"}, {"t": ""}, {"t": None}]
land_calls(batches_of(rows), Path(sys.argv[1]), schema={"t": "timestamp"}, timezone="Europe/Moscow")
"""

ZONES = st.sampled_from(["Europe/Moscow", "Europe/Berlin", "America/New_York", "Africa/Casablanca", "UTC"])
TIMES = st.datetimes() | st.datetimes(datetime(1970, 1, 1), datetime(2050, 1, 1))


@settings(deadline=None, max_examples=100)
@given(times=st.lists(TIMES, min_size=1, max_size=20), zone=ZONES)
def test_any_times_are_the_same_by_arrow_and_exactly(times: list[datetime], zone: str) -> None:
    rows = raw_batches([json.dumps({"c": str(time), "d": f"{time:%Y-%m-%d}".zfill(10)}).encode() for time in times])
    schema = {"c": "timestamp", "d": "date"}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        fast, exact = Path(folder, "fast.parquet"), Path(folder, "exact.parquet")
        land_calls(rows, fast, schema=schema, timezone=zone)
        patch.setattr("airflow_provider_alloincognito.landing.tables.arrow.read_block", lambda *_: None)
        land_calls(rows, exact, schema=schema, timezone=zone)
        assert pyarrow.parquet.read_table(fast).equals(pyarrow.parquet.read_table(exact))
