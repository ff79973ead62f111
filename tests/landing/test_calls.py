"""Landed rows have one schema and exact values, or an error that names the place; code: landing/calls.py, tables/."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings, strategies as st
from landing_samples import batches_of, raw_batches

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import (
    AlloincognitoResponseError,
    AlloincognitoSchemaError,
    AlloincognitoTooFewRowsError,
    AlloincognitoUnknownFieldError,
    AlloincognitoValueError,
)
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.tables.ahead import AHEAD, map_ahead
from airflow_provider_alloincognito.landing.tables.arrow import read_block
from airflow_provider_alloincognito.landing.tables.inference import infer_schema
from airflow_provider_alloincognito.landing.tables.spool import cut_blocks

SCHEMA = {
    "number": "string",
    "seconds": "int64",
    "price": "float64",
    "recorded": "bool",
    "start": "timestamp",
    "day": "date",
    "extra": "json",
}
ROW = {
    "number": "79120000001",
    "seconds": 35,
    "price": 1.5,
    "recorded": True,
    "start": "2026-01-02 03:04:05.678",
    "day": "2026-01-02",
    "extra": {"a": [1, "б"]},
}
READ = ROW | {
    "start": datetime(2026, 1, 2, 0, 4, 5, 678000, tzinfo=UTC),
    "day": date(2026, 1, 2),
    "extra": '{"a":[1,"б"]}',
}
NULLS = dict.fromkeys(SCHEMA)


def parquet_of(rows: list[Any], path: Path, **options: Any) -> Any:
    land_calls(batches_of(rows), path, **options)
    return pyarrow.parquet.read_table(path)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "calls.parquet"


@pytest.fixture(params=["by arrow", "exactly"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Parquet must hold the same whether pyarrow reads the rows or :class:`ExactRowReader`."""
    if request.param == "exactly":
        monkeypatch.setattr("airflow_provider_alloincognito.landing.tables.arrow.read_block", lambda *_: None)
    return str(request.param)


@pytest.mark.parametrize("with_json", [True, False])
def test_each_type_is_read_back(target: Path, reading: str, with_json: bool) -> None:
    left_out = set() if with_json else {"extra"}
    schema, row, read, nulls = (
        {key: value for key, value in named.items() if key not in left_out} for named in (SCHEMA, ROW, READ, NULLS)
    )
    table = parquet_of([row, nulls, {}], target, schema=schema)
    assert table.to_pylist() == [read, nulls, nulls]
    assert table.schema.names == list(schema)
    assert table.schema.field("start").type == pyarrow.timestamp("us", tz="Europe/Moscow")
    assert table.schema.field("day").type == pyarrow.date32()


def test_a_column_of_the_schema_that_no_row_has_is_written(target: Path) -> None:
    table = parquet_of([{"number": "1"}], target, schema=SCHEMA, unknown_fields="refuse")
    assert table.to_pylist() == [NULLS | {"number": "1"}]


@pytest.mark.parametrize(
    ("type_name", "value", "read"),
    [
        ("string", 79120000001, "79120000001"),
        ("string", True, "true"),
        ("string", {"a": 1}, '{"a":1}'),
        ("string", "", ""),
        ("json", "x", '"x"'),
        ("json", None, None),
        ("int64", "35", 35),
        ("int64", 35.0, 35),
        ("int64", "", None),
        ("int64", -(2**63), -(2**63)),
        ("float64", 3, 3.0),
        ("float64", "1.25", 1.25),
        ("bool", 1, True),
        ("bool", "0", False),
        ("bool", "false", False),
        ("timestamp", "", None),
        ("timestamp", "2026-01-02T03:04:05+05:00", datetime(2026, 1, 1, 22, 4, 5, tzinfo=UTC)),
        ("timestamp", "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("timestamp", "2026-01-02", datetime(2026, 1, 1, 21, tzinfo=UTC)),
        ("timestamp", "02.01.2026 03:04:05", datetime(2026, 1, 2, 0, 4, 5, tzinfo=UTC)),
        ("timestamp", 1767312245, datetime(2026, 1, 2, 0, 4, 5, tzinfo=UTC)),
        ("timestamp", "1767312245250", datetime(2026, 1, 2, 0, 4, 5, 250_000, tzinfo=UTC)),
        ("date", "02.01.2026", date(2026, 1, 2)),
        ("date", "", None),
    ],
)
def test_a_type_accepts_other_values_if_nothing_is_lost(
    target: Path, reading: str, type_name: str, value: Any, read: Any
) -> None:
    assert parquet_of([{"c": value}], target, schema={"c": type_name})["c"].to_pylist() == [read]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("int64", 1.5),
        ("int64", 2**63),
        ("int64", "canary"),
        ("int64", "1_0"),
        ("int64", [1]),
        ("float64", "canary"),
        ("float64", "nan"),
        ("bool", 2),
        ("bool", "yes"),
        ("timestamp", "canary"),
        ("timestamp", "2026-02-30 00:00:00"),
        ("timestamp", 35),
        ("timestamp", {"at": 1767312245}),
        ("timestamp", "31.02.2026"),
        ("timestamp", "20260102"),
        ("date", "2026-01-02 00:00:00"),
        ("date", True),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_row_and_column_and_not_shown(
    tmp_path: Path, reading: str, type_name: str, value: Any, suffix: str
) -> None:
    rows = [{"c": None}, {"c": None}, {"c": value}]
    with pytest.raises(AlloincognitoValueError) as raised:
        land_calls(batches_of(rows, 2), tmp_path / f"calls.{suffix}", schema={"c": type_name})
    assert str(raised.value).startswith(f"Row 3: the value of column 'c' is not a valid {type_name}. ")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of one or two rows."""
    monkeypatch.setattr(cut_blocks, "__defaults__", (10,))


def test_row_numbers_continue_over_blocks(target: Path, small_blocks: None) -> None:
    rows = [{"c": n} for n in range(20)] + [{"c": "x"}]
    with pytest.raises(AlloincognitoValueError, match="Row 21:"):
        land_calls(batches_of(rows), target, schema={"c": "int64"})


@pytest.mark.parametrize(
    ("values", "type_name"),
    [
        ([None, None], "string"),
        ([], "string"),
        ([None, "1"], "string"),
        (["2026-01-01 00:00:00"], "string"),
        (["79120000001"], "string"),
        ([1, None], "int64"),
        ([1, 1.5], "float64"),
        ([1e300], "float64"),
        ([2**53 + 1], "int64"),
        ([2**53 + 1, 1.5], "string"),
        ([2**63], "string"),
        ([2**64, 1], "string"),
        ([True, None], "bool"),
        ([True, 1], "string"),
        ([1, "1"], "string"),
        ([{"a": 1}], "string"),
        ([[]], "string"),
        ([{}, 1], "string"),
    ],
)
@pytest.mark.parametrize("in_several_blocks", [False, True])
def test_a_type_is_inferred_from_all_values(
    reading: str, values: list[Any], type_name: str, in_several_blocks: bool
) -> None:
    rows: list[dict[str, Any]] = [{"first": 1}] + [{"first": 1, "c": value} for value in values or [None]]
    lines = [json.dumps(row).encode() + b"\n" for row in rows]
    found = infer_schema(lines if in_several_blocks else [b"".join(lines)])
    assert found == {"first": "int64", "c": type_name}
    assert list(found) == ["first", "c"]


def test_values_of_mixed_types_are_kept_as_their_text(target: Path, reading: str) -> None:
    values = ["a", 2**64, 1.50, True, None, {"b": [1]}, "", 79120000001]
    table = parquet_of([{"c": value} for value in values], target)
    assert table["c"].to_pylist() == ["a", str(2**64), "1.5", "true", None, '{"b":[1]}', "", "79120000001"]


def test_unknown_fields_are_kept_as_texts(target: Path, reading: str) -> None:
    rows: list[dict[str, Any]] = [{"a": 1}] * 10 + [{"a": 2, "new": 5, "a2": "x"}]
    table = parquet_of(rows, target, schema={"a": "int64"})
    assert table.schema.names == ["a", "new", "a2"]
    assert table.to_pylist()[-1] == {"a": 2, "new": "5", "a2": "x"}
    assert table.num_rows == 11


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_unknown_fields_are_an_error_if_refused(tmp_path: Path, reading: str, suffix: str) -> None:
    rows: list[dict[str, Any]] = [{"a": 1}] * 10 + [{"a": 2, "new": "canary"}]
    with pytest.raises(AlloincognitoUnknownFieldError, match="Row 11 has the field 'new'") as raised:
        land_calls(batches_of(rows), tmp_path / f"c.{suffix}", schema={"a": "int64"}, unknown_fields="refuse")
    assert "canary" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_schema_can_be_read_from_a_file(tmp_path: Path, target: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(SCHEMA))
    for path in (file, str(file), f"file://{file}"):
        assert parquet_of([ROW], target, schema=path).to_pylist() == [READ]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({}, "names no column"),
        ({"a": "int"}, "column 'a' the type 'int', which is unknown. Use one of string, int64"),
        ("/no/such/file", "cannot be read"),
    ],
)
def test_an_invalid_schema_is_an_error(target: Path, schema: Any, message: str) -> None:
    with pytest.raises(AlloincognitoSchemaError, match=message):
        land_calls([], target, schema=schema)


def test_without_rows_the_file_has_only_the_schema(tmp_path: Path, target: Path) -> None:
    for unknown in ("keep", "refuse"):
        table = parquet_of([], target, schema=SCHEMA, unknown_fields=unknown)
        assert (table.num_rows, table.schema.names) == (0, list(SCHEMA))
    assert parquet_of([], target).num_rows == 0
    land_calls([], tmp_path / "c.csv", schema=SCHEMA)
    assert (tmp_path / "c.csv").read_text() == ",".join(SCHEMA) + "\n"
    land_calls([], tmp_path / "c.jsonl")
    assert (tmp_path / "c.jsonl").read_bytes() == b""


def test_metadata_is_requested_once_the_rows_have_ended(target: Path) -> None:
    ended = []

    def batches() -> Iterator[RowBatch]:
        yield from batches_of([ROW])
        ended.append(True)

    def metadata() -> dict[str, str]:
        assert ended
        return {"requestHash": "a==b"}

    land_calls(batches(), target, metadata=metadata)
    assert pyarrow.parquet.read_metadata(target).metadata[b"requestHash"] == b"a==b"


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl.gz"])
def test_too_few_rows_leave_the_earlier_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"calls.{suffix}"
    path.write_bytes(b"before")
    with pytest.raises(AlloincognitoTooFewRowsError, match="has 1 rows, but min_rows asks for at least 2"):
        land_calls(batches_of([ROW]), path, min_rows=2)
    assert path.read_bytes() == b"before"
    assert land_calls(batches_of([ROW, ROW]), path, min_rows=2).rows == 2


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_error_of_the_first_rows_is_raised(tmp_path: Path, suffix: str, small_blocks: None) -> None:
    """Rows may have been read on, up to another error, before the first is met."""

    def batches() -> Iterator[RowBatch]:
        yield from batches_of([{"c": n} for n in (1, 2, "x", 4, "y")], 1)
        raise AlloincognitoResponseError("cut")

    with pytest.raises(AlloincognitoValueError, match="Row 3:") as raised:
        land_calls(batches(), tmp_path / f"calls.{suffix}", schema={"c": "int64"})
    assert raised.value.__suppress_context__
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("rows", [1, 2, 3, 10])
def test_a_response_truncated_after_an_unknown_field_lands_nothing(
    tmp_path: Path, suffix: str, rows: int, small_blocks: None
) -> None:
    """The rows are read from their beginning again then, to know all fields, but the response is not."""

    def batches() -> Iterator[RowBatch]:
        yield from batches_of([{"c": 1, "unknown": 2}] * rows, 1)
        raise AlloincognitoResponseError("cut")

    with pytest.raises(AlloincognitoResponseError, match="cut"):
        land_calls(batches(), tmp_path / f"calls.{suffix}", schema={"c": "int64"})
    assert not list(tmp_path.iterdir())


class Stopped(BaseException):
    """What the handler of a signal raises."""


@pytest.mark.parametrize("error", [Stopped, OSError])
def test_nothing_runs_on_after_an_error(tmp_path: Path, error: type[BaseException], small_blocks: None) -> None:
    def batches() -> Iterator[RowBatch]:
        yield from batches_of([ROW] * 10, 1)
        raise error

    threads = threading.active_count()
    with pytest.raises(error):
        land_calls(batches(), tmp_path / "calls.parquet", schema=SCHEMA)
    assert threading.active_count() == threads
    assert not list(tmp_path.iterdir())


def test_a_stop_does_not_wait_for_the_rows_before_it(tmp_path: Path, small_blocks: None) -> None:
    """An error in them would hide it."""

    def batches() -> Iterator[RowBatch]:
        yield from batches_of([{"c": "x"}] * AHEAD, 1)
        raise Stopped

    with pytest.raises(Stopped):
        land_calls(batches(), tmp_path / "calls.parquet", schema={"c": "int64"})


def test_few_blocks_are_read_ahead_of_what_is_written() -> None:
    """So memory does not grow with the number of rows, even where the store is slower than the server."""
    read = 0

    def blocks() -> Iterator[int]:
        nonlocal read
        for number in range(1, 101):
            read = number
            yield number

    with closing(map_ahead(str, blocks())) as results:
        for written, result in enumerate(results, 1):
            assert result == str(written)
            assert read <= written + AHEAD
    assert written == 100


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "jsonl.zst"])
@pytest.mark.parametrize("schema", [None, SCHEMA])
def test_a_truncated_response_lands_nothing(tmp_path: Path, suffix: str, schema: Any) -> None:
    def batches() -> Iterator[RowBatch]:
        yield from batches_of([ROW] * 10)
        raise AlloincognitoResponseError("cut")

    with pytest.raises(AlloincognitoResponseError, match="cut"):
        land_calls(batches(), tmp_path / f"calls.{suffix}", schema=schema)
    assert not list(tmp_path.iterdir())


def test_hours_that_daylight_saving_time_repeats_or_skips(target: Path, reading: str) -> None:
    rows = [{"t": "2010-10-31 02:30:00"}, {"t": "2010-03-28 02:30:00"}]
    table = parquet_of(rows, target, schema={"t": "timestamp"})
    assert [moment.astimezone(UTC).hour for moment in table["t"].to_pylist()] == [22, 23]


@pytest.mark.parametrize(
    "texts", [[b'{"a": 1, "a": 2}'], [b'{"a":"\\ud83d\\ude00"}'], [b' {"a":1}', b'{"a": 2 }'], [b"{}", b"{}"]]
)
def test_unusual_but_valid_rows_land(target: Path, reading: str, texts: list[bytes]) -> None:
    land_calls(raw_batches(texts), target)
    table = pyarrow.parquet.read_table(target)
    assert table.to_pylist() == [json.loads(text) for text in texts] or not table.schema.names


def test_text_that_is_not_valid_unicode_is_an_error(target: Path) -> None:
    with pytest.raises(AlloincognitoResponseError, match="Row 1 cannot be read"):
        land_calls(raw_batches([b'{"a":"\\ud800"}']), target)


@pytest.mark.parametrize("block", [b"null\n", b'{"a":1}\nnull\n', b"1\n", b"[]\n"])
def test_rows_that_would_crash_pyarrow_are_not_given_to_it(block: bytes) -> None:
    assert read_block(block) is None


@pytest.mark.parametrize(("first", "second"), [(None, "x"), (None, 5)])
def test_the_files_of_two_days_are_one_dataset(tmp_path: Path, first: Any, second: Any) -> None:
    schema = None if isinstance(second, str) else {"c": "int64", "d": "string"}
    for day, value in enumerate([first, second]):
        land_calls(batches_of([{"c": value, "d": "y"}]), tmp_path / f"{day}.parquet", schema=schema)
    rows = [(first, "y"), (second, "y")]
    glob = f"{tmp_path}/*.parquet"
    assert [tuple(row.values()) for row in pyarrow.parquet.read_table(tmp_path).to_pylist()] == rows
    assert duckdb.sql(f"SELECT c, d FROM '{glob}' ORDER BY filename").fetchall() == rows
    assert polars.scan_parquet(glob).collect().rows() == rows


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**54), 2**54)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["", "79120000001", "2026-01-01", "2026-01-01 00:00:00", "10:00:00", "null", '"', "a,b\r\n"])
)
VALUES = SCALARS | st.recursive(SCALARS, lambda of: st.lists(of) | st.dictionaries(st.text(), of), max_leaves=4)
FIELDS = st.sampled_from(["number", "duration", "", "a b", "поле"])
ROWS = st.lists(st.dictionaries(FIELDS, VALUES, max_size=4), max_size=8) | st.lists(
    st.fixed_dictionaries({"a": st.integers() | st.none(), "b": st.text()}), max_size=8
)


def as_column(rows: list[dict[str, Any]], column: str, of: type) -> list[Any]:
    """The Python values that a column must hold."""
    values = [row.get(column) for row in rows]
    if of is not str:
        return [value if value is None else of(value) for value in values]
    return [
        value
        if value is None or isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for value in values
    ]


PYTHON_TYPES: dict[Any, type] = {
    pyarrow.string(): str,
    pyarrow.int64(): int,
    pyarrow.float64(): float,
    pyarrow.bool_(): bool,
}


@settings(deadline=None, max_examples=200)
@given(rows=ROWS, block_bytes=st.integers(1, 200))
def test_any_rows_can_be_read_back_from_parquet(rows: list[dict[str, Any]], block_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut_blocks, "__defaults__", (block_bytes,))
        target = Path(folder, "calls.parquet")
        table = parquet_of(rows, target)
        names = list(dict.fromkeys(field for row in rows for field in row))
        assert table.schema.names == names
        for name in names:
            column = table.column(name)
            assert column.to_pylist() == as_column(rows, name, PYTHON_TYPES[column.type])
        patch.setattr("airflow_provider_alloincognito.landing.tables.arrow.read_block", lambda *_: None)
        assert parquet_of(rows, target).equals(table)


@settings(deadline=None, max_examples=100)
@given(rows=ROWS, block_bytes=st.integers(1, 200))
def test_any_rows_can_be_read_back_from_csv(rows: list[dict[str, Any]], block_bytes: int) -> None:
    names = list(dict.fromkeys(field for row in rows for field in row))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "calls.csv")
        land_calls(batches_of(rows), target, schema=dict.fromkeys([*names, "last"], "string"))
        with target.open(newline="", encoding="utf-8") as file:
            read = list(csv.reader(file))
        expected = zip(*(as_column(rows, name, str) for name in [*names, "last"]), strict=True)
        assert read == [[*names, "last"], *[[text or "" for text in row] for row in expected]]


def test_csv_distinguishes_a_null_from_an_empty_text(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"a": None, "b": 1}, {"a": "", "b": 2}, {"a": 'x "y",\n', "b": None}]
    land_calls(batches_of(rows), tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_text() == 'a,b\n,1\n"",2\n"x ""y"",\n",\n'
    texts = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
    assert pyarrow.csv.read_csv(tmp_path / "c.csv", None, parsing, texts).to_pylist() == rows


def test_csv_with_a_schema_has_its_types(tmp_path: Path) -> None:
    land_calls(batches_of([ROW, {}]), tmp_path / "c.csv", schema=SCHEMA)
    types = [str(of) for of in duckdb.sql(f"SELECT * FROM '{tmp_path}/c.csv'").types]
    assert types[1:6] == ["BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP WITH TIME ZONE", "DATE"]
    text = (tmp_path / "c.csv").read_text().splitlines()[1]
    assert "2026-01-02T03:04:05.678000+03:00,2026-01-02," in text


KILLED = """
    import os, signal, sys, tempfile
    sys.path.insert(0, sys.argv[2])
    from landing_samples import batches_of
    from airflow_provider_alloincognito.landing.calls import land_calls
    tempfile.tempdir = os.path.dirname(sys.argv[1])
    def batches():
        for n in range(100):
            yield from batches_of([{"n": n, "text": "x" * 100_000}] * 3)
            if n == 60:
                os.kill(os.getpid(), signal.SIGKILL)
    land_calls(batches(), sys.argv[1])
"""


@pytest.mark.parametrize("suffix", ["parquet", "csv.gz", "jsonl"])
def test_a_killed_run_leaves_only_a_temporary_file_and_the_next_one_removes_it(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"calls.{suffix}"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(target), os.path.dirname(__file__)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert all(path.name.endswith(".part") for path in tmp_path.iterdir())
    land_calls(batches_of([ROW]), target)
    assert list(tmp_path.iterdir()) == [target]
