"""Landed files, read back as Arrow; code: landing/reading.py and landing/layout.py. It runs on Airflow 2.11 as well."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.parquet
import pytest
from landing_samples import batches_of

from airflow_provider_alloincognito.compat import ObjectStoragePath
from airflow_provider_alloincognito.errors import (
    AlloincognitoFormatError,
    AlloincognitoTargetError,
)
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.manifest import ManifestLine, encode_line
from airflow_provider_alloincognito.landing.reading import read_calls, read_recordings

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
