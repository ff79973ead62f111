"""Landed files, read back as Arrow; code: landing/reading.py and landing/layout.py. It runs on Airflow 2.11 as well."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from landing_samples import batches_of

from airflow_provider_alloincognito.compat import ObjectStoragePath
from airflow_provider_alloincognito.errors import (
    AlloincognitoFormatError,
    AlloincognitoLandingError,
    AlloincognitoTargetError,
)
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.manifest import ManifestLine, encode_line
from airflow_provider_alloincognito.landing.reading import read_calls, read_recordings, without_rows

MOSCOW = ZoneInfo("Europe/Moscow")
COLUMNS = {"started_at": "startTime", "caller": "callerNumber", "seconds": "duration", "more": "missing"}
SCHEMA = {"startTime": "timestamp", "callerNumber": "string", "duration": "int64", "unused": "string"}
ROWS: list[dict[str, Any]] = [
    {"startTime": "2026-03-03 00:00:00", "callerNumber": "79120000001", "duration": 7, "unused": "x"},
    {"startTime": "2026-03-03 23:59:59", "callerNumber": None, "duration": None, "unused": None},
]


def landed(path: Path, rows: list[dict[str, Any]] = ROWS, schema: dict[str, str] = SCHEMA) -> Path:
    land_calls(batches_of(rows), path, schema=schema, timezone="Europe/Moscow")
    return path


def test_calls_have_their_local_day_and_the_columns_of_the_table(tmp_path: Path) -> None:
    reader = read_calls(landed(tmp_path / "calls.parquet"), COLUMNS, MOSCOW)
    table = reader.read_all()
    assert table.column_names == ["date", *COLUMNS]
    assert table.to_pylist() == [
        {
            "date": date(2026, 3, 3),
            "started_at": datetime.fromisoformat(f"{row['startTime']}+03:00"),
            "caller": row["callerNumber"],
            "seconds": row["duration"],
            "more": None,
        }
        for row in ROWS
    ]
    assert table.schema.field("more").type == pyarrow.string()


def test_the_day_is_that_of_the_zone_that_is_asked_for(tmp_path: Path) -> None:
    reader = read_calls(landed(tmp_path / "calls.parquet"), COLUMNS, ZoneInfo("America/New_York"))
    assert reader.read_all()["date"].to_pylist() == [date(2026, 3, 2), date(2026, 3, 3)]


def test_a_day_without_calls_has_the_same_columns(tmp_path: Path) -> None:
    table = read_calls(landed(tmp_path / "calls.parquet", []), COLUMNS, MOSCOW).read_all()
    assert table.num_rows == 0
    others = read_calls(landed(tmp_path / "others.parquet"), COLUMNS, MOSCOW).read_all()
    assert table.schema == others.schema


def test_many_calls_come_in_batches(tmp_path: Path) -> None:
    path = tmp_path / "calls.parquet"
    starts = pyarrow.array([datetime(2026, 3, 3, tzinfo=MOSCOW)] * 100_000, pyarrow.timestamp("us", "Europe/Moscow"))
    pyarrow.parquet.write_table(pyarrow.table({"startTime": starts}), path)
    sizes = [batch.num_rows for batch in read_calls(path, {"started_at": "startTime"}, MOSCOW)]
    assert sum(sizes) == 100_000
    assert max(sizes) < 10_000


def test_paths_may_be_those_of_events(tmp_path: Path) -> None:
    path = landed(tmp_path / "calls.parquet")
    assert read_calls(path.as_uri(), COLUMNS, MOSCOW).read_all().num_rows == 2
    assert read_calls(ObjectStoragePath(path.as_uri()), COLUMNS, MOSCOW).read_all().num_rows == 2


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AlloincognitoFormatError, match="not a Parquet file"):
        read_calls(tmp_path / "calls.jsonl", COLUMNS, MOSCOW)


def test_a_file_that_has_not_landed_is_named(tmp_path: Path) -> None:
    with pytest.raises(AlloincognitoTargetError, match="There is no file"):
        read_calls(tmp_path / "calls.parquet", COLUMNS, MOSCOW)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = landed(tmp_path / "calls.parquet")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(AlloincognitoTargetError, match="damaged or cut off"):
        read_calls(path, COLUMNS, MOSCOW)


@pytest.mark.parametrize("columns", [{"caller": "callerNumber"}, {"started_at": "callerNumber"}, {"started_at": "no"}])
def test_without_the_start_of_calls_nothing_is_read(tmp_path: Path, columns: dict[str, str]) -> None:
    with pytest.raises(AlloincognitoFormatError, match="started_at"):
        read_calls(landed(tmp_path / "calls.parquet"), columns, MOSCOW)


def test_recordings_come_without_their_file_names(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.jsonl"
    lines = [
        ManifestLine("1", "/files/1.mp3", "79120000001.mp3", 10, "ab", "fetched"),
        ManifestLine("2", None, None, None, None, "failed", "AlloincognitoApiError: no"),
    ]
    manifest.write_bytes(b"".join(map(encode_line, lines)))
    table = read_recordings(manifest, date(2026, 3, 3)).read_all()
    assert table.to_pylist() == [
        {
            "date": date(2026, 3, 3),
            "record_file_id": line.id,
            "path": line.path,
            "bytes": line.bytes,
            "sha256": line.sha256,
            "status": line.status,
            "error": line.error,
        }
        for line in lines
    ]


def test_a_manifest_that_does_not_exist_has_no_rows(tmp_path: Path) -> None:
    reader = read_recordings(tmp_path / "manifest.jsonl", date(2026, 3, 3))
    assert reader.read_all().num_rows == 0
    assert "record_file_id" in reader.schema.names


def test_the_error_of_a_database_shows_no_number() -> None:
    wanted = "has not taken the rows .*INT64.* land its day again"
    with duckdb.connect() as db, pytest.raises(AlloincognitoLandingError, match=wanted) as caught, without_rows():
        db.execute("SELECT '+7 916 000-00-01'::BIGINT")
    assert "916" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_layout_of_the_daily_dag(tmp_path: Path) -> None:
    layout = Layout(tmp_path.as_uri())
    assert str(layout.calls("2026-03-03")) == f"{tmp_path.as_uri()}/calls/date=2026-03-03/calls.parquet"
    assert str(layout.manifest("2026-03-03")) == f"{layout.recordings('2026-03-03')}/manifest.jsonl"


def test_the_days_that_have_landed(tmp_path: Path) -> None:
    layout = Layout(ObjectStoragePath(tmp_path.as_uri()))
    assert layout.days() == []
    for period in ("2026-03-04", "2026-03-03", "2026-02", "2026-03-01T08-00-00_2026-03-01T20-00-00"):
        path = tmp_path / "calls" / f"date={period}" / "calls.parquet"
        path.parent.mkdir(parents=True)
        path.touch()
    (tmp_path / "calls" / "date=2026-03-05").mkdir()
    assert layout.days() == [date(2026, 3, 3), date(2026, 3, 4)]


def test_a_copy_in_a_folder_of_another_name_has_not_landed(tmp_path: Path) -> None:
    for folder in ("date=2026-03-03", "old/date=2026-03-04", "copy of 2026-03-05"):
        (tmp_path / "calls" / folder).mkdir(parents=True)
        (tmp_path / "calls" / folder / "calls.parquet").touch()
    assert Layout(tmp_path.as_uri()).days() == [date(2026, 3, 3)]
