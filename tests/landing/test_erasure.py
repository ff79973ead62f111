"""Erasure leaves nothing of a number, and touches nothing else; code: landing/upkeep/erasure.py."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from landing_samples import batches_of
from upkeep_files import (
    DAYS,
    ERASED,
    FIELDS,
    FORMS,
    SCHEMA,
    files_under,
    is_erased,
    land_day,
    landed_rows,
    rows_of,
)

from airflow_provider_alloincognito.errors import AlloincognitoFormatError, AlloincognitoQueryError
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.rewriting.phone_numbers import digest, mask
from airflow_provider_alloincognito.landing.stores.targets import temporary_name
from airflow_provider_alloincognito.landing.upkeep.erasure import Erased, erase
from airflow_provider_alloincognito.landing.upkeep.number_match import NumberMatch
from airflow_provider_alloincognito.landing.upkeep.trail import Trail

KEY = b"0123456789abcdef"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path.as_uri())
    for day in DAYS:
        land_day(layout, day, rows_of(day))
    land_day(layout, "2026-03-04", [row for row in rows_of("2026-03-04") if not is_erased(row)])
    return layout


def run(layout: Layout, number: str = ERASED, key: bytes | None = None, **arguments: Any) -> list[Erased]:
    options = {"fields": FIELDS, "record_file_id_field": "recordFileId", **arguments}
    return list(erase(layout, NumberMatch([number], key), **options))


def assert_erased(layout: Layout, root: Path, before: dict[str, tuple[bytes, int]]) -> None:
    """All rows, recordings and lines of the number are gone; all others are as they were."""
    after = files_under(root)
    for day in DAYS:
        rows = rows_of(day)
        gone = {row["recordFileId"] for row in rows if is_erased(row)}
        assert [row["caller"] for row in landed_rows(layout, day)] == [r["caller"] for r in rows if not is_erased(r)]
        folder = f"recordings/date={day}"
        lines = before[f"{folder}/manifest.jsonl"][0].splitlines(keepends=True)
        kept = b"".join(line for line in lines if json.loads(line)["id"] not in gone)
        assert after[f"{folder}/manifest.jsonl"][0] == kept
        for one in gone:
            assert before.pop(f"{folder}/{one}.mp3")
    rewritten = {f"calls/date={day}/calls.parquet" for day in DAYS} | {
        f"recordings/date={day}/manifest.jsonl" for day in DAYS
    }
    assert {name: file for name, file in after.items() if name not in rewritten} == {
        name: file for name, file in before.items() if name not in rewritten
    }, "all other files have their content and their time of change"


def everything_in(root: Path) -> bytes:
    """Return names and contents of all files, as they are and as text."""
    parts = []
    for path in root.rglob("*"):
        parts.append(str(path).encode())
        if path.is_file():
            content = path.read_bytes()
            parts.append(content)
            if path.suffix == ".parquet":
                parts.append(json.dumps(pyarrow.parquet.read_table(path).to_pylist(), default=str).encode())
            if path.suffix == ".gz":
                parts.append(gzip.decompress(content))
    return b"\n".join(parts)


@pytest.mark.parametrize("number", ["+7 916 123-45-67", "89161234567", "79161234567"])
def test_nothing_is_left_of_a_number_in_any_form_and_no_other_row_is_touched(
    layout: Layout, tmp_path: Path, number: str
) -> None:
    before = files_under(tmp_path)
    schema = pyarrow.parquet.read_schema(tmp_path / "calls" / "date=2026-03-01" / "calls.parquet")
    assert any(form.encode() in everything_in(tmp_path) for form in FORMS)
    erased = run(layout, number)
    assert [one.period for one in erased] == DAYS
    assert {(one.calls, one.recordings) for one in erased} == {(3, 3)}
    assert_erased(layout, tmp_path, before)
    left = everything_in(tmp_path)
    assert not [form for form in [*FORMS, ERASED, "9161234567"] if form.encode() in left]
    file = pyarrow.parquet.ParquetFile(tmp_path / "calls" / "date=2026-03-01" / "calls.parquet", memory_map=False)
    assert file.schema_arrow.equals(schema, check_metadata=True)
    assert file.metadata.metadata[b"alloincognito.note"] == b"of the file"
    assert run(layout, number) == []


def test_digests_of_the_number_are_erased(tmp_path: Path) -> None:
    layout = Layout(tmp_path.as_uri())

    def protect(row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**row, **{field: digest(row[field], KEY) for field in FIELDS}}

    for day in DAYS:
        land_day(layout, day, rows_of(day), protect)
    digests = {digest(form, KEY) for form in FORMS}
    assert len(digests) == 1
    before = files_under(tmp_path)
    with pytest.raises(AlloincognitoQueryError, match="have digests in place of numbers"):
        run(layout)
    assert files_under(tmp_path) == before
    assert [one.calls for one in run(layout, key=KEY)] == [3, 3, 3]
    assert digests.pop().encode() not in everything_in(tmp_path)
    for day in DAYS:
        kept = [protect(row)["caller"] for row in rows_of(day) if not is_erased(row)]
        assert [row["caller"] for row in landed_rows(layout, day)] == kept


def test_days_from_before_digests_are_erased_as_well(layout: Layout, tmp_path: Path) -> None:
    assert [one.calls for one in run(layout, key=KEY)] == [3, 3, 3]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "jsonl.gz", "csv.zst"])
def test_every_format_is_searched(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "calls" / "date=2026-03-01" / f"calls.{suffix}"
    land_calls(batches_of(rows_of(DAYS[0])), path, schema=SCHEMA)
    assert run(Layout(tmp_path.as_uri())) == [Erased(DAYS[0], 3, 0)]
    without = tmp_path / f"without.{suffix}"
    land_calls(batches_of([row for row in rows_of(DAYS[0]) if not is_erased(row)]), without, schema=SCHEMA)
    assert path.read_bytes() == without.read_bytes()


def test_a_recording_named_after_the_number_goes_even_if_its_call_does_not_tell(layout: Layout, tmp_path: Path) -> None:
    land_day(layout, DAYS[0], rows_of(DAYS[0]), lambda row: {**row, **{field: mask(row[field]) for field in FIELDS}})
    manifest = tmp_path / "recordings" / f"date={DAYS[0]}" / "manifest.jsonl"
    first, *others = manifest.read_text().splitlines(keepends=True)
    manifest.write_text(
        first.replace("79120000001.mp3", "Call 8 (916) 123-45-67 - 78120000000 2026-03-01.mp3") + "".join(others)
    )
    assert run(layout)[0] == Erased(DAYS[0], 0, 1)
    assert manifest.read_text() == "".join(others)
    assert not (manifest.parent / f"{json.loads(first)['id']}.mp3").exists()


def test_what_killed_landings_left_is_erased(layout: Layout, tmp_path: Path) -> None:
    folder = tmp_path / "recordings" / f"date={DAYS[0]}"
    lines = (folder / "manifest.jsonl").read_text().splitlines(keepends=True)
    journal = folder / ".manifest.jsonl.journal"
    journal.write_text("".join(lines) + '{"id":"x","path":null,"file_name":"79161234')
    for day in (*DAYS, "2026-03-04"):
        (tmp_path / "calls" / f"date={day}" / temporary_name("calls.parquet")).write_text(ERASED)
    listed = tmp_path / "reconcile" / "listed" / f"date={DAYS[1]}" / "calls.parquet"
    land_calls(batches_of(rows_of(DAYS[1])), listed, schema=SCHEMA)
    window = "2026-03-02T10-00-00_2026-03-02T10-05-00"
    land_calls(batches_of(rows_of(DAYS[1])), layout.stream / f"date={window}" / "calls.parquet", schema=SCHEMA)
    assert run(layout)[:2] == [Erased(f"stream {window}", 3, 0), Erased(f"reconcile {DAYS[1]}", 3, 0)]
    gone = {row["recordFileId"] for row in rows_of(DAYS[0]) if is_erased(row)}
    assert journal.read_text() == "".join(line for line in lines if json.loads(line)["id"] not in gone)
    assert b"79161234" not in everything_in(tmp_path)


def test_a_field_that_the_files_lack_is_an_error(layout: Layout, tmp_path: Path) -> None:
    before = files_under(tmp_path)
    with pytest.raises(AlloincognitoFormatError, match="no column 'to'"):
        run(layout, fields=["caller", "to"])
    with pytest.raises(ValueError, match="fields is empty"):
        run(layout, fields=[])
    assert files_under(tmp_path) == before


KILLED = """
    import os, signal, sys
    sys.path.insert(0, sys.argv[1])
    from upkeep_files import FIELDS, Killer  # which imports pyarrow, before the forks
    from airflow_provider_alloincognito.landing.layout import Layout
    from airflow_provider_alloincognito.landing.upkeep.erasure import erase
    from airflow_provider_alloincognito.landing.upkeep.number_match import NumberMatch
    match = NumberMatch(["79161234567"])
    Layout(f"file://{sys.argv[2]}").days()  # imports Airflow's paths
    for folder in sys.argv[2:]:
        if os.fork():
            assert os.WTERMSIG(os.wait()[1]) == signal.SIGKILL
            continue
        killer = Killer(int(folder.rpartition("-")[2]))
        os.unlink, os.replace = killer(os.unlink), killer(os.replace)
        list(erase(Layout(f"file://{folder}"), match, FIELDS, record_file_id_field="recordFileId"))
        os._exit(0)
"""


@pytest.mark.long
@pytest.mark.stores
def test_killed_anywhere_and_run_again(layout: Layout, tmp_path: Path) -> None:
    whole = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-whole"))
    before = files_under(whole)
    copies = [Path(shutil.copytree(whole, tmp_path / f"killed-{step}")) for step in (1, 2, 4, 5, 6, 9, 14)]
    helpers = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), helpers, *map(str, copies)], check=True)
    for copy in copies:
        run(Layout(copy.as_uri()))
        assert_erased(Layout(copy.as_uri()), copy, dict(before))
        left = everything_in(copy)
        assert not [form for form in FORMS if form.encode() in left]


def test_the_trail_adds_up_and_holds_no_number(tmp_path: Path) -> None:
    from airflow_provider_alloincognito.compat import ObjectStoragePath

    trail = Trail(ObjectStoragePath(tmp_path.as_uri()), "ticket 2026:17")
    assert trail.read() is None
    trail.add("files", "2026-03-01", numbers=1, calls=2, recordings=1)
    trail.add("files", "2026-03-01", numbers=1, calls=1, recordings=0)
    trail.add("duckdb_default", "2026-03-02", numbers=1, calls=4)
    (line,) = (tmp_path / "erasures" / "ticket_2026-17.jsonl").read_text().splitlines()
    assert json.loads(line) == trail.read()
    assert json.loads(line)["erased"] == {
        "files": {"2026-03-01": {"calls": 3, "recordings": 1}},
        "duckdb_default": {"2026-03-02": {"calls": 4}},
    }
    for request in ("for 79161234567", "../../x", ""):
        with pytest.raises(AlloincognitoQueryError, match="looks like a phone number") as error:
            Trail(ObjectStoragePath(tmp_path.as_uri()), request)
        assert "916" not in str(error.value)


@pytest.mark.parametrize(
    "value",
    [*FORMS, ["74950000000", "8 916 123 45 67"], '{"to": ["79161234567"]}', 79161234567.0, f" {digest(ERASED, KEY)} "],
)
def test_a_number_is_found_in_every_value_that_may_land(value: Any) -> None:
    match = NumberMatch([ERASED], KEY)
    assert match.matches(value)
    likely = [re.escape(one).replace("%", ".*") for one in match.patterns()]
    assert any(re.fullmatch(one, str(value).strip()) for one in likely)
    assert not [one for one in match.patterns() if re.search(r"\w{5}", one) or ERASED[-5:] in one.replace("%", "")]


@pytest.mark.parametrize("value", [None, "", "79161234568", "{not JSON", ["74950000000"], {"79161234567": "x"}, True])
def test_another_value_is_not_the_number(value: Any) -> None:
    assert not NumberMatch([ERASED], KEY).matches(value)


def test_numbers_are_in_no_repr() -> None:
    assert "916" not in repr(NumberMatch([ERASED], KEY))
