"""What has landed of each day, on a local disk and in a real S3."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from landing_samples import batches_of
from pytest_mock import MockerFixture
from s3_server import S3

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.coverage import DayCoverage, read_coverage, with_usual
from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.manifest import ManifestLine, encode_line
from airflow_provider_alloincognito.landing.stores import whole_file

FIRST = date(2026, 3, 2)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def manifest_of(*outcomes: str) -> bytes:
    lines = (
        ManifestLine(f"id-{number}", None, None, None, None, outcome)  # type: ignore[arg-type]
        for number, outcome in enumerate(outcomes)
    )
    return b"".join(map(encode_line, lines))


def fill(files: Any) -> None:
    """Land five days: whole, in another format, without a manifest, cut off, missing."""
    layout = Layout(files)
    for number, name, rows in ((0, "calls.parquet", 3), (1, "calls.jsonl.gz", 2), (2, "calls.csv", 0)):
        path = layout.calls(str(day(number))).with_name(name)
        land_calls(batches_of([{"a": 1}] * rows), path, schema={"a": "int64"})
    write(layout.manifest(str(day(0))), manifest_of("fetched", "failed", "skipped"))
    write(layout.manifest(str(day(1))), b"")
    write(layout.recordings(str(day(2))) / "id-0.mp3", b"the run was killed")
    write(layout.calls(str(day(3))), b"PAR1 and no more")
    for other in ("2026-03", "2026-03-02T08-00-00_2026-03-02T09-00-00", "2026-03-06/deeper"):
        write(layout.calls(other), b"of another period")


def write(path: Any, content: bytes) -> None:
    with whole_file(path) as file:
        file.write(content)


def check(files: Any) -> None:
    whole, jsonl, csv, broken, missing = read_coverage(files, FIRST, day(5))
    assert whole == DayCoverage(FIRST, calls=3, wanted=3, failed=1)
    assert whole.landed == 2
    assert jsonl == DayCoverage(day(1), calls=2, wanted=0)
    assert csv == DayCoverage(day(2), calls=0)
    assert (broken.calls, broken.is_missing) == (None, False)
    assert "Cannot read the calls in" in (broken.error or "")
    assert missing == DayCoverage(day(4))
    assert missing.is_missing
    assert [one.wanted for one in read_coverage(files, FIRST, day(5), recordings=False)] == [None] * 5


def test_a_local_folder(tmp_path: Path) -> None:
    fill(tmp_path.as_uri())
    check(tmp_path.as_uri())


def test_a_folder_where_nothing_has_landed(tmp_path: Path) -> None:
    assert read_coverage(tmp_path.as_uri(), FIRST, day(2)) == [DayCoverage(FIRST), DayCoverage(day(1))]
    assert read_coverage(tmp_path.as_uri(), FIRST, FIRST) == []


@pytest.fixture
def in_bucket(s3: S3, bucket: str) -> Iterator[tuple[Any, str]]:
    """The store that ``s3://`` paths lead to, and a folder in it."""
    module: Any = importlib.import_module("airflow.sdk.io.store" if AIRFLOW_VERSION >= (3, 0) else "airflow.io.store")
    fs = s3.file_system()
    module._STORE_CACHE.clear()  # another test may have tried s3:// without a store
    module.attach("s3", fs=fs)
    yield fs, f"{bucket}/files"
    module._STORE_CACHE.clear()


def test_a_folder_in_a_bucket(in_bucket: tuple[Any, str]) -> None:
    files = f"s3://{in_bucket[1]}"
    fill(files)
    check(files)


def test_two_months_in_a_bucket_take_two_listings(
    in_bucket: tuple[Any, str], tmp_path: Path, mocker: MockerFixture
) -> None:
    fs, folder = in_bucket
    land_calls(batches_of([{"a": 1}] * 7), tmp_path / "calls.parquet")
    content = {"calls.parquet": (tmp_path / "calls.parquet").read_bytes(), "manifest.jsonl": manifest_of("fetched")}
    for name, file in (("calls", "calls.parquet"), ("recordings", "manifest.jsonl")):
        fs.pipe({f"{folder}/{name}/date={day(number)}/{file}": content[file] for number in range(60)})
    listings = mocker.spy(fs, "_lsdir")
    found = read_coverage(f"s3://{folder}", FIRST, day(60))
    assert {(one.calls, one.wanted, one.usual) for one in found} == {(7, 1, 7)}
    assert listings.call_count == 2


def counts(*calls: int | None) -> list[DayCoverage]:
    """Mondays, one week after the other."""
    return [DayCoverage(day(7 * week), calls=count) for week, count in enumerate(calls)]


@pytest.mark.parametrize(
    ("mondays", "short", "unusual"),
    [
        (counts(100, 110, 90, 49), [3], [3]),
        (counts(100, 110, 90, 50), [], []),
        (counts(100, 110, 90, 0), [3], [3]),
        (counts(100, 110, 90, 201), [], [3]),
        (counts(100, 110, None, 0), [], []),  # too few to tell
        (counts(0, 0, 0, 0), [], []),
        (counts(0, 0, 0, 5), [], []),
        (counts(1, 1, 1, 5), [], []),  # a small office
        (counts(4, 4, 4, 0), [], []),
        (counts(1, 1, 1, 6), [], [3]),
        (counts(5, 5, 5, 0), [3], [3]),
        (counts(100, 0, 100, 0, 100, 100), [1, 3], [1, 3]),
    ],
)
def test_a_day_is_compared_with_the_median_of_its_weekday(
    mondays: list[DayCoverage], short: list[int], unusual: list[int]
) -> None:
    sundays = [DayCoverage(one.day - timedelta(days=1), calls=2) for one in mondays]
    found = [one for one in with_usual([*mondays, *sundays]) if one.day.weekday() == 0]
    assert [number for number, one in enumerate(found) if one.is_short] == short
    assert [number for number, one in enumerate(found) if one.is_unusual] == unusual
