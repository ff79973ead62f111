"""``days``: which days are missing, short, or without their recordings. No server is asked, and no token needed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
from command_runs import Ran

from airflow_provider_alloincognito.landing.manifest import ManifestLine, encode_line

FIRST = date(2026, 3, 2)
PERIOD = ("--period-start", FIRST, "--period-end", FIRST + timedelta(days=28))
Cli = Callable[..., Ran]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Four weeks with their recordings."""
    for number in range(28):
        day = str(FIRST + timedelta(days=number))
        calls_of(tmp_path, day).parent.mkdir(parents=True)
        write_calls(calls_of(tmp_path, day), 10)
        manifest_of(tmp_path, day).parent.mkdir(parents=True)
        manifest_of(tmp_path, day).write_bytes(encode_line(ManifestLine("id", "id.mp3", None, 3, "0", "fetched")))
    return tmp_path


def write_calls(path: Path, count: int) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"a": range(count)}), path)


def calls_of(files: Path, day: str) -> Path:
    return files / "calls" / f"date={day}" / "calls.parquet"


def manifest_of(files: Path, day: str) -> Path:
    return files / "recordings" / f"date={day}" / "manifest.jsonl"


def test_complete_days(cli: Cli, files: Path) -> None:
    ran = cli("days", "--files", files, *PERIOD)
    assert (ran.code, ran.out) == (0, "All 28 days are complete.\n")
    ran = cli("days", "--files", files, *PERIOD, "-o", "json")
    assert ran.code == 0
    assert ran.document == {"ok": True, "files": str(files), "days": 28, "complete": 28, "problems": []}


@pytest.fixture
def files_with_gaps(files: Path) -> Path:
    calls_of(files, "2026-03-03").unlink()
    write_calls(calls_of(files, "2026-03-12"), 4)
    manifest_of(files, "2026-03-20").unlink()
    manifest_of(files, "2026-03-21").write_bytes(encode_line(ManifestLine("id", None, None, None, None, "failed")))
    calls_of(files, "2026-03-25").write_bytes(b"PAR1 and no more")
    return files


def test_days_with_problems_are_named(cli: Cli, files_with_gaps: Path) -> None:
    ran = cli("days", "--files", files_with_gaps, *PERIOD)
    assert ran.code == 3
    names, *rows, error, summary = ran.out.splitlines()
    assert names.split() == ["day", "calls", "usual", "recordings", "failed", "problems"]
    assert [row.split() for row in rows] == [
        ["2026-03-03", "10", "1", "0", "missing"],
        ["2026-03-12", "4", "10", "1", "0", "short"],
        ["2026-03-20", "10", "10", "0", "no", "recordings"],
        ["2026-03-21", "10", "10", "0", "1", "recordings", "failed"],
        ["2026-03-25", "10", "1", "0", "unreadable"],
    ]
    assert error.startswith("2026-03-25: Cannot read the calls in")
    assert summary == (
        "23 of 28 days are complete; 1 missing, 1 short, 1 no recordings, 1 recordings failed, 1 unreadable."
    )


def test_a_script_reads_one_document(cli: Cli, files_with_gaps: Path) -> None:
    ran = cli("days", "--files", files_with_gaps, *PERIOD, "-o", "json")
    assert ran.code == 3
    assert ran.document["ok"] is False
    assert ran.document["problems"][1] == {
        "day": "2026-03-12",
        "calls": 4,
        "usual": 10.0,
        "recordings": 1,
        "failed": 0,
        "problems": ["short"],
    }
    calls_only = cli("days", "--files", files_with_gaps, *PERIOD, "-o", "json", "--calls-only")
    assert [one["problems"] for one in calls_only.document["problems"]] == [["missing"], ["short"], ["unreadable"]]


@pytest.mark.parametrize(
    ("period", "says"),
    [
        (("2026-03-02", "2026-03-02"), "--period-start has to be before --period-end"),
        (("2.3.2026", "2026-03-09"), "it must be a day"),
    ],
)
def test_a_wrong_period(cli: Cli, tmp_path: Path, period: tuple[str, str], says: str) -> None:
    ran = cli("days", "--files", tmp_path, "--period-start", period[0], "--period-end", period[1])
    assert ran.code == 2
    assert says in ran.err


def test_a_store_that_cannot_be_used(cli: Cli) -> None:
    ran = cli("days", "--files", "nosuch://bucket/files", *PERIOD)
    assert ran.code == 1
    assert "The store of files (nosuch://bucket/files) cannot be used here" in ran.err
