"""The ids of recordings, read back from what the calls landed in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from landing_samples import batches_of

from airflow_provider_alloincognito.errors import AlloincognitoFormatError
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.formats import read_record_file_ids

SUFFIXES = ["parquet", "jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "csv.zst"]
ROWS: list[dict[str, Any]] = [
    {"recordFileId": "a", "text": "short"},
    {"recordFileId": None, "text": 'of two\nlines, with "quotes"'},
    {"recordFileId": "", "text": None},
    {"recordFileId": "b", "text": "a long one " * 20_000},
    {"recordFileId": "a", "text": "again"},
]


def landed(path: Path, rows: list[dict[str, Any]]) -> Path:
    land_calls(batches_of(rows), path, schema=dict.fromkeys(ROWS[0], "string"))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_ids_come_back_from_any_format_in_the_rows_order(tmp_path: Path, suffix: str) -> None:
    path = landed(tmp_path / f"calls.{suffix}", ROWS)
    assert list(read_record_file_ids(path, "recordFileId")) == ["a", "b", "a"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_quiet_day_has_no_ids(tmp_path: Path, suffix: str) -> None:
    assert list(read_record_file_ids(landed(tmp_path / f"calls.{suffix}", []), "recordFileId")) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_column_that_is_not_there_is_named(tmp_path: Path, suffix: str) -> None:
    path = landed(tmp_path / f"calls.{suffix}", ROWS)
    with pytest.raises(AlloincognitoFormatError, match="no column 'recording'"):
        list(read_record_file_ids(path, "recording"))
