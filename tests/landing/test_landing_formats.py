"""Which format a path has; the same rows give the same bytes."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path

import pytest
import zstandard
from landing_samples import batches_of

from airflow_provider_alloincognito.errors import AlloincognitoFormatError, AlloincognitoMissingExtraError
from airflow_provider_alloincognito.landing.calls import LandedCalls, land_calls
from airflow_provider_alloincognito.landing.formats import FileFormat, file_format_of

ROWS = [{"id": 1, "number": "79120000001", "note": None}, {"id": 2, "number": None, "note": 'a "b",\n'}]


@pytest.mark.parametrize(
    ("path", "said", "found"),
    [
        ("calls.parquet", None, FileFormat("parquet")),
        ("s3://bucket/day=2026-01-01/CALLS.JSONL", None, FileFormat("jsonl")),
        ("calls.v2.json.gz", None, FileFormat("jsonl", "gz")),
        ("calls.ndjson.zst", None, FileFormat("jsonl", "zst")),
        ("calls.csv", None, FileFormat("csv")),
        ("calls.zst", "csv", FileFormat("csv", "zst")),
        ("calls", "parquet", FileFormat("parquet")),
        ("calls.dat", "jsonl", FileFormat("jsonl")),
        ("calls.json", "jsonl", FileFormat("jsonl")),
    ],
)
def test_the_format(path: str, said: str | None, found: FileFormat) -> None:
    assert file_format_of(path, said) == found


@pytest.mark.parametrize("path", ["calls", "calls.xlsx", "calls.gz", "", "dir.csv/calls", ".csv.orc"])
def test_an_unknown_suffix_names_the_known_ones(path: str) -> None:
    with pytest.raises(AlloincognitoFormatError, match=r"\.parquet, \.jsonl, \.json, \.ndjson or \.csv"):
        file_format_of(path)


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(AlloincognitoFormatError, match=r"'xlsx' is not known\. Allowed are file_format='parquet'"):
        file_format_of("calls.csv", "xlsx")


@pytest.mark.parametrize("path", ["calls.parquet", "calls.csv", "calls.csv.gz", "CALLS.CSV.ZST"])
def test_a_format_other_than_the_suffix_says_is_refused(path: str) -> None:
    with pytest.raises(AlloincognitoFormatError, match=r"file_format='jsonl'.* ends in \.(parquet|csv)"):
        file_format_of(path, "jsonl")


@pytest.mark.parametrize("path", ["calls.csv.bz2", "calls.csv.GZIP", "calls.zip"])
def test_a_compression_that_is_not_known_is_refused(path: str) -> None:
    with pytest.raises(AlloincognitoFormatError, match=r"\.gz and \.zst"):
        file_format_of(path, "csv")


def test_parquet_is_not_compressed_again() -> None:
    with pytest.raises(AlloincognitoFormatError, match=r"leave \.gz out"):
        file_format_of("calls.parquet.gz")


def test_json_lines_are_the_rows_as_they_came(tmp_path: Path) -> None:
    landed = land_calls(batches_of(ROWS), tmp_path / "calls.jsonl")
    text = (tmp_path / "calls.jsonl").read_bytes()
    assert landed == LandedCalls(str(tmp_path / "calls.jsonl"), "jsonl", 2, len(text))
    assert [json.loads(line) for line in text.splitlines()] == ROWS


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "csv.zst", "parquet"])
def test_running_again_gives_the_same_bytes(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [ROWS[n % 2] for n in range(50)]
    once = land_calls(batches_of(rows, 3), tmp_path / f"once.{suffix}")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    again = land_calls(batches_of(rows, 7), tmp_path / f"again.{suffix}")
    content = Path(once.path).read_bytes()
    assert content == Path(again.path).read_bytes()
    assert once.bytes == again.bytes == len(content)


def test_compressed_text_is_the_text(tmp_path: Path) -> None:
    plain, gz, zst = (tmp_path / f"calls.csv{suffix}" for suffix in ("", ".gz", ".zst"))
    for path in (plain, gz, zst):
        land_calls(batches_of(ROWS), path)
    assert gzip.decompress(gz.read_bytes()) == plain.read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(zst.read_bytes()) as text:
        assert text.read() == plain.read_bytes()
    assert next(csv.reader(plain.read_text().splitlines())) == ["id", "number", "note"]


@pytest.mark.parametrize(
    ("module", "name", "extra"), [("pyarrow", "c.parquet", "parquet"), ("zstandard", "c.csv.zst", "zstd")]
)
def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(AlloincognitoMissingExtraError, match=rf"airflow-provider-alloincognito\[{extra}\]"):
        land_calls(batches_of(ROWS), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_csv_needs_no_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land_calls(batches_of(ROWS), tmp_path / "with.csv")
    for module in ("pyarrow", "pyarrow.json"):
        monkeypatch.setitem(sys.modules, module, None)
    land_calls(batches_of(ROWS), tmp_path / "without.csv")
    assert (tmp_path / "with.csv").read_bytes() == (tmp_path / "without.csv").read_bytes()
