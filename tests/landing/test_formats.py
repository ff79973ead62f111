"""The registry: the format of a path, adding one, reading rows back, copying some of them; code: landing/formats/."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow.parquet
import pytest
import zstandard
from landing_samples import batches_of
from pytest_mock import MockerFixture

from airflow_provider_alloincognito.errors import (
    AlloincognitoFormatError,
    AlloincognitoMissingExtraError,
    AlloincognitoTargetError,
)
from airflow_provider_alloincognito.landing.calls import LandedCalls, land_calls
from airflow_provider_alloincognito.landing.formats import (
    COMPRESSIONS,
    FORMATS,
    UNCOMPRESSED,
    Extra,
    Format,
    file_format_of,
    filter_rows,
    read_record_file_ids,
    read_rows,
    register,
)
from airflow_provider_alloincognito.landing.tables.schema import Schema

ROWS = [{"id": 1, "number": "79120000001", "note": None}, {"id": 2, "number": None, "note": 'a "b",\n'}]
SUFFIXES = ["parquet", "jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "csv.zst"]
CALLS: list[dict[str, Any]] = [
    {"recordFileId": "a", "text": "short"},
    {"recordFileId": None, "text": 'of two\nlines, with "quotes"'},
    {"recordFileId": "", "text": None},
    {"recordFileId": "b", "text": "a long one " * 20_000},
    {"recordFileId": "a", "text": "again"},
]


def write_toy(blocks: Iterable[bytes], sink: BinaryIO, *, schema: dict[str, Any], **_: object) -> None:
    sink.write("\t".join(schema).encode() + b"\n")
    for block in blocks:
        for row in map(json.loads, block.splitlines()):
            sink.write("\t".join(str(row.get(column) or "") for column in schema).encode() + b"\n")


def read_toy(file: BinaryIO, fields: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    columns, *rows = [line.decode().rstrip("\n").split("\t") for line in file]
    for row in rows:
        values = dict(zip(columns, row, strict=True))
        yield tuple(values[field] for field in fields)


def filter_toy(
    source: BinaryIO, sink: BinaryIO, fields: Sequence[str], keep: Callable[[tuple[Any, ...]], bool]
) -> None:
    columns, *rows = source
    kept = [
        row
        for row, values in zip(rows, read_toy(io.BytesIO(columns + b"".join(rows)), fields), strict=True)
        if keep(values)
    ]
    sink.writelines([columns, *kept])


TOY = Format("toy", ("toy",), write_toy, read_toy, filter_toy, extra=None, needs_schema=True, compressible=True)


@pytest.fixture
def toy(mocker: MockerFixture) -> None:
    mocker.patch.dict(FORMATS)
    register(TOY)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("name", ["calls.toy", "calls.toy.gz"])
def test_a_registered_format_lands_rows_and_gives_ids_back(tmp_path: Path, name: str) -> None:
    rows = [{"recordFileId": "a", "n": 1}, {"recordFileId": None, "n": 2}, {"recordFileId": "b"}]
    landed = land_calls(batches_of(rows, 2), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    columns: Schema = {"recordFileId": "string", "n": "int64"}
    assert landed == LandedCalls(str(tmp_path / name), "toy", 3, len(content), columns)
    text = gzip.decompress(content) if name.endswith(".gz") else content
    assert text == b"recordFileId\tn\na\t1\n\t2\nb\t\n"
    assert list(read_record_file_ids(tmp_path / name, "recordFileId")) == ["a", "b"]
    with pytest.raises(AlloincognitoFormatError, match="no column 'other'"):
        list(read_record_file_ids(tmp_path / name, "other"))


@pytest.mark.usefixtures("toy")
def test_a_registered_format_is_listed_in_errors() -> None:
    with pytest.raises(AlloincognitoFormatError, match=r"'parquet', 'jsonl', 'csv' or 'toy'.*\.csv or \.toy"):
        file_format_of("calls.xlsx")


@pytest.mark.parametrize("part", ["suffixes", "writer", "reader", "filter"])
def test_a_format_that_lacks_a_part_is_an_error(mocker: MockerFixture, part: str) -> None:
    mocker.patch.dict(FORMATS)
    parts = {name: getattr(TOY, name) for name in Format.__dataclass_fields__ if name != part}
    with pytest.raises(TypeError, match=part):
        Format(**parts)
    with pytest.raises(ValueError, match="'toy' needs a writer, a reader, a filter and at least one suffix"):
        register(Format(**parts, **{part: None}))
    assert "toy" not in FORMATS


@pytest.mark.parametrize("changes", [{"suffixes": ("toy", "csv")}, {"suffixes": ("gz",)}, {"name": "json"}])
def test_a_name_or_a_suffix_that_is_in_use_is_an_error(mocker: MockerFixture, changes: dict[str, Any]) -> None:
    mocker.patch.dict(FORMATS)
    with pytest.raises(ValueError, match=r"(csv|gz|json) is already in use"):
        register(replace(TOY, **changes))


def test_a_missing_extra_is_found_before_any_row_is_requested(mocker: MockerFixture, tmp_path: Path) -> None:
    mocker.patch.dict(FORMATS)
    register(replace(TOY, extra=Extra("toys", "no_such_module")))

    def batches() -> Iterator[Any]:
        raise AssertionError("a row was requested")
        yield

    with pytest.raises(AlloincognitoMissingExtraError, match=r"airflow-provider-alloincognito\[toys\]"):
        land_calls(batches(), tmp_path / "calls.toy")


@pytest.mark.parametrize(
    ("path", "file_format", "name", "compression"),
    [
        ("calls.parquet", None, "parquet", None),
        ("s3://bucket/day=2026-01-01/CALLS.JSONL", None, "jsonl", None),
        ("calls.v2.json.gz", None, "jsonl", "gz"),
        ("calls.ndjson.zst", None, "jsonl", "zst"),
        ("calls.csv", None, "csv", None),
        ("calls.zst", "csv", "csv", "zst"),
        ("calls", "parquet", "parquet", None),
        ("calls.dat", "jsonl", "jsonl", None),
        ("calls.json", "jsonl", "jsonl", None),
    ],
)
def test_the_format_of_a_path(path: str, file_format: str | None, name: str, compression: str | None) -> None:
    expected = COMPRESSIONS[compression] if compression else UNCOMPRESSED
    assert file_format_of(path, file_format) == (FORMATS[name], expected)


@pytest.mark.parametrize("path", ["calls", "calls.xlsx", "calls.gz", "", "dir.csv/calls", ".csv.orc"])
def test_an_unknown_suffix_names_the_known_ones(path: str) -> None:
    with pytest.raises(AlloincognitoFormatError, match=r"\.parquet, \.jsonl, \.json, \.ndjson or \.csv\."):
        file_format_of(path)


def test_an_unknown_format_names_the_known_ones() -> None:
    known = r"'xlsx' is not known\. Set file_format to 'parquet', 'jsonl' or 'csv'"
    with pytest.raises(AlloincognitoFormatError, match=known):
        file_format_of("calls.csv", "xlsx")


@pytest.mark.parametrize("path", ["calls.parquet", "calls.csv", "calls.csv.gz", "CALLS.CSV.ZST"])
def test_a_format_that_contradicts_the_suffix_is_an_error(path: str) -> None:
    with pytest.raises(AlloincognitoFormatError, match=r"file_format='jsonl'.* ends in \.(parquet|csv)"):
        file_format_of(path, "jsonl")


@pytest.mark.parametrize("path", ["calls.csv.bz2", "calls.csv.GZIP", "calls.zip"])
def test_a_compression_that_is_not_supported_is_an_error(path: str) -> None:
    with pytest.raises(AlloincognitoFormatError, match=r"Use \.gz or \.zst\."):
        file_format_of(path, "csv")


def test_parquet_is_not_compressed_again() -> None:
    with pytest.raises(AlloincognitoFormatError, match=r"Leave \.gz out"):
        file_format_of("calls.parquet.gz")


def test_json_lines_are_the_rows_as_the_server_wrote_them(tmp_path: Path) -> None:
    landed = land_calls(batches_of(ROWS), tmp_path / "calls.jsonl")
    text = (tmp_path / "calls.jsonl").read_bytes()
    assert landed == LandedCalls(str(tmp_path / "calls.jsonl"), "jsonl", 2, len(text), {})
    assert [json.loads(line) for line in text.splitlines()] == ROWS


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_running_again_gives_the_same_bytes(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [ROWS[n % 2] for n in range(50)]
    once = land_calls(batches_of(rows, 3), tmp_path / f"once.{suffix}")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    again = land_calls(batches_of(rows, 7), tmp_path / f"again.{suffix}")
    content = Path(once.path).read_bytes()
    assert content == Path(again.path).read_bytes()
    assert once.bytes == again.bytes == len(content)


def test_compressed_text_is_the_same_text(tmp_path: Path) -> None:
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
    land_calls(batches_of(CALLS), tmp_path / name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(AlloincognitoMissingExtraError, match=rf"airflow-provider-alloincognito\[{extra}\]"):
        list(read_record_file_ids(tmp_path / name, "recordFileId"))
    (tmp_path / name).unlink()
    with pytest.raises(AlloincognitoMissingExtraError, match=rf"airflow-provider-alloincognito\[{extra}\]"):
        land_calls(batches_of(ROWS), tmp_path / name)
    assert not list(tmp_path.iterdir())


WITHOUT_PYARROW = """
import json, sys
sys.modules["pyarrow"] = None
sys.path.insert(0, sys.argv[1])
from landing_samples import batches_of
from airflow_provider_alloincognito.landing.calls import land_calls
land_calls(batches_of(json.loads(sys.argv[2])), sys.argv[3])
"""


@pytest.mark.parametrize("name", ["calls.csv", "calls.jsonl"])
def test_text_formats_need_no_pyarrow(tmp_path: Path, name: str) -> None:
    land_calls(batches_of(ROWS), tmp_path / name)
    arguments = [str(Path(__file__).parent), json.dumps(ROWS), str(tmp_path / f"without-{name}")]
    subprocess.run([sys.executable, "-c", WITHOUT_PYARROW, *arguments], check=True)
    assert (tmp_path / name).read_bytes() == (tmp_path / f"without-{name}").read_bytes()


def landed(path: Path, rows: list[dict[str, Any]]) -> Path:
    land_calls(batches_of(rows), path, schema=dict.fromkeys((rows or CALLS)[0], "string"))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_recording_ids_come_back_in_the_order_of_the_rows(tmp_path: Path, suffix: str) -> None:
    path = landed(tmp_path / f"calls.{suffix}", CALLS)
    assert list(read_record_file_ids(path, "recordFileId")) == ["a", "b", "a"]


NO_IDS = [
    None,
    0,
    0.0,
    False,
    "",
    " ",
    "0",
    "null",
    "None",
    "-",
    "—",
    "N/A",
    "false",
    "{00000000-0000-0000-0000-000000000000}",
    "FFFFFFFF-ffff-ffff-ffff-ffffffffffff",
]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_stands_for_no_recording_is_no_id(tmp_path: Path, suffix: str) -> None:
    rows = [{"recordFileId": one} for one in [*NO_IDS, "0a", "10000000-0000-0000-0000-000000000000", "nullable"]]
    land_calls(batches_of(rows), tmp_path / f"calls.{suffix}")
    assert list(read_record_file_ids(tmp_path / f"calls.{suffix}", "recordFileId")) == [
        "0a",
        "10000000-0000-0000-0000-000000000000",
        "nullable",
    ]


CELLS = ["=1+1", "+79120000001", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\uff1d1", "a=1", "", "'"]


@pytest.mark.parametrize("escape_formulas", [False, True])
def test_formulas_in_csv_cells_are_escaped_on_demand(tmp_path: Path, escape_formulas: bool) -> None:
    path = tmp_path / "calls.csv"
    rows = [{"=id": text, "n": -1, "recordFileId": f"-{n}a"} for n, text in enumerate(CELLS)]
    land_calls(batches_of(rows), path, escape_formulas=escape_formulas)
    with path.open(newline="", encoding="utf-8") as file:
        names, *cells = csv.reader(file)
    escaped = "'" if escape_formulas else ""
    assert names[0] == f"{escaped}=id"
    assert [row[0] for row in cells] == [*(f"{escaped}{text}" for text in CELLS[:-3]), *CELLS[-3:]]
    assert {row[1] for row in cells} == {"-1"}
    assert list(read_record_file_ids(path, "recordFileId")) == [f"-{n}a" for n in range(len(CELLS))]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_day_without_calls_has_no_recording_ids(tmp_path: Path, suffix: str) -> None:
    assert list(read_record_file_ids(landed(tmp_path / f"calls.{suffix}", []), "recordFileId")) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_column_that_does_not_exist_is_named(tmp_path: Path, suffix: str) -> None:
    path = landed(tmp_path / f"calls.{suffix}", CALLS)
    with pytest.raises(AlloincognitoFormatError, match=r"no column 'recording', but recordFileId.*discover` and"):
        list(read_record_file_ids(path, "recording"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_cut_off_is_an_error_and_gives_no_half_id(tmp_path: Path, suffix: str) -> None:
    ids = [f"id-{number}" for number in range(20)]
    rows = [{"note": 'of two\n"lines"', "recordFileId": one} for one in ids]
    path = landed(tmp_path / f"calls.{suffix}", rows)
    whole = path.read_bytes()
    complete = []
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        found = []
        with suppress(AlloincognitoTargetError):
            for one in read_record_file_ids(path, "recordFileId"):
                found.append(one)
            complete.append(size)
        assert found == ids[: len(found)]
    # Only a text may end early without anybody's noticing: where a line ends.
    assert len(complete) <= (2 * len(ids) + 1 if suffix in ("csv", "jsonl") else 0)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_something_else_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"calls.{suffix}"
    with pytest.raises(AlloincognitoTargetError, match=r"Cannot read .*No such file"):
        list(read_record_file_ids(path, "recordFileId"))
    path.write_bytes(b"\xd0\x00<html>")
    with pytest.raises(AlloincognitoTargetError, match=r"Cannot read .*damaged"):
        list(read_record_file_ids(path, "recordFileId"))


def test_zstandard_text_of_any_length_is_read_back(tmp_path: Path) -> None:
    ids = [f"id-{number}" for number in range(300_000)]
    path = tmp_path / "calls.csv.zst"
    path.write_bytes(zstandard.compress("\n".join(["recordFileId", *ids, ""]).encode()))
    assert list(read_record_file_ids(path, "recordFileId")) == ids


FIELDS = ["seconds", "text", "recordFileId"]
MIXED = [{"recordFileId": f"id-{n}", "text": 'of two\n"lines"\r' * (n % 3), "seconds": n} for n in range(20)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_several_columns_come_back_in_the_order_that_was_asked_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"calls.{suffix}"
    land_calls(batches_of(MIXED), path, schema={"recordFileId": "string", "text": "string", "seconds": "int64"})
    rows = [(int(seconds), *others) for seconds, *others in read_rows(path, FIELDS)]
    assert rows == [tuple(row[field] for field in FIELDS) for row in MIXED]
    with pytest.raises(AlloincognitoFormatError, match=r"no column 'other', but recordFileId, text, seconds\. Set"):
        list(read_rows(path, ["text", "other"]))


@pytest.mark.parametrize("suffix", ["toy", *SUFFIXES])
@pytest.mark.usefixtures("toy")
def test_a_copy_without_some_rows_is_the_file_that_lands_without_them(tmp_path: Path, suffix: str) -> None:
    whole, less, copy = (tmp_path / f"{name}.{suffix}" for name in ("whole", "less", "copy"))
    rows = [{**row, "text": str(row["text"]).replace("\n", " ")} if suffix == "toy" else row for row in MIXED]
    schema: Schema = {"recordFileId": "string", "text": "string", "seconds": "int64"}
    land_calls(batches_of(rows), whole, schema=schema, metadata=lambda: {"alloincognito.note": "kept"})
    dropped = ("id-0", "id-7", "id-8", "id-19")
    with copy.open("wb") as sink:
        filter_rows(whole, sink, ["seconds", "recordFileId"], lambda values: values[1] not in dropped)
    rest = [row for row in rows if row["recordFileId"] not in dropped]
    land_calls(batches_of(rest), less, schema=schema, metadata=lambda: {"alloincognito.note": "kept"})
    if suffix != "parquet":
        assert copy.read_bytes() == less.read_bytes()
        return
    files = [pyarrow.parquet.ParquetFile(path, memory_map=False) for path in (whole, less, copy)]
    assert files[2].read().equals(files[1].read(), check_metadata=False)
    assert files[2].schema_arrow.equals(files[0].schema_arrow, check_metadata=True)
    assert files[2].metadata.metadata[b"alloincognito.note"] == b"kept"


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_copy_that_drops_every_row_is_an_empty_file_of_calls(tmp_path: Path, suffix: str) -> None:
    path, copy = tmp_path / f"calls.{suffix}", tmp_path / f"copy.{suffix}"
    land_calls(batches_of(MIXED), path)
    with copy.open("wb") as sink:
        filter_rows(path, sink, ["recordFileId"], lambda _: False)
    assert list(read_rows(copy, FIELDS)) == []
