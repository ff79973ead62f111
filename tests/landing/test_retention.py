"""Retention deletes what is past its age, and nothing else; code: landing/upkeep/retention.py."""

from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path

import pytest
from upkeep_files import DAYS, SCHEMA, files_under, land_day, rows_of

from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.folders import last_day_of
from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.stores.targets import temporary_name
from airflow_provider_alloincognito.landing.upkeep import retention
from airflow_provider_alloincognito.landing.upkeep.retention import delete_calls, delete_recordings

BEFORE = date(2026, 3, 2)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path.as_uri())
    for day in DAYS:
        land_day(layout, day, rows_of(day))
    return layout


def names(root: Path) -> set[str]:
    return set(files_under(root))


def test_calls_and_recordings_have_their_own_age(layout: Layout, tmp_path: Path) -> None:
    before = files_under(tmp_path)
    deleted = delete_recordings(layout, date(2026, 3, 3))
    old = [name for name in before if name.startswith(("recordings/date=2026-03-01/", "recordings/date=2026-03-02/"))]
    assert (deleted.periods, deleted.files) == (2, len(old))
    assert deleted.bytes == sum(len(before[name][0]) for name in old)
    assert delete_calls(layout, BEFORE).files == 1
    gone = {*old, "calls/date=2026-03-01/calls.parquet"}
    assert files_under(tmp_path) == {name: file for name, file in before.items() if name not in gone}
    assert not (tmp_path / "calls" / "date=2026-03-01").exists()
    assert delete_calls(layout, BEFORE) == delete_recordings(layout, BEFORE) == retention.Deleted(0, 0, 0)


def test_what_did_not_land_here_stays(layout: Layout, tmp_path: Path) -> None:
    foreign = ["calls/date=2026-03-01/calls.docx", "calls/date=2026-03-01/copy.parquet", "calls/notes.txt"]
    foreign += [
        "recordings/date=2026-03-01/notes.txt",
        "recordings/date=2026-03-01/best/a.mp3",
        "calls/date=old/calls.csv",
    ]
    foreign += ["calls/2026-03-01/calls.parquet", "other/date=2026-03-01/calls.parquet"]
    for name in foreign:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    delete_calls(layout, date(2027, 1, 1))
    delete_recordings(layout, date(2027, 1, 1))
    assert names(tmp_path) == set(foreign)


def test_periods_that_are_no_day_go_with_their_last_day(layout: Layout, tmp_path: Path) -> None:
    for period in ("2026-02", "2026-03", "2026-03-01T08-00-00_2026-03-02T00-00-00"):
        land_day(layout, period, [])
    delete_calls(layout, BEFORE)
    left = {folder.name for folder in (tmp_path / "calls").iterdir()}
    assert left == {"date=2026-03-02", "date=2026-03-03", "date=2026-03"}
    assert last_day_of("2026-02") == date(2026, 2, 28)
    assert last_day_of("2026-12") == date(2026, 12, 31)
    assert [last_day_of(one) for one in ("20260301", "2026-13", "2026-03-01T08_b", "latest", "")] == [None] * 5


def test_every_form_of_calls_goes_and_so_does_what_a_killed_landing_left(layout: Layout, tmp_path: Path) -> None:
    folder = tmp_path / "calls" / "date=2026-03-01"
    for name in ("calls.csv", "calls.jsonl.gz", temporary_name("calls.parquet")):
        (folder / name).write_text("x")
    journal = tmp_path / "recordings" / "date=2026-03-01" / ".manifest.jsonl.journal"
    journal.write_text("x")
    days_ago = time.time() - 2 * 24 * 3600
    for path in folder.iterdir():
        os.utime(path, (days_ago, days_ago))
    reconcile = tmp_path / "reconcile"
    (reconcile / "listed" / "date=2026-03-01").mkdir(parents=True)
    for name in ("listed/date=2026-03-01/calls.parquet", "2026-03-01.jsonl", "2026-03-02.jsonl", "unfinished.jsonl"):
        (reconcile / name).write_text("x")
    for window in ("2026-03-01T23-55-00_2026-03-02T00-00-00", "2026-03-02T00-00-00_2026-03-02T00-05-00"):
        land_calls([], layout.stream / f"date={window}" / "calls.parquet", schema=SCHEMA)
    delete_calls(layout, BEFORE)
    delete_recordings(layout, BEFORE)
    stream = [path.name for path in (tmp_path / "stream").iterdir()]
    assert stream == ["date=2026-03-02T00-00-00_2026-03-02T00-05-00"]
    assert {path.name for path in reconcile.rglob("*") if path.is_file()} == {"2026-03-02.jsonl", "unfinished.jsonl"}
    assert not folder.exists()
    assert not journal.parent.exists()


def test_a_run_that_was_killed_goes_on(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {name: file for name, file in files_under(tmp_path).items() if "2026-03-01" not in name}
    removed: list[str] = []

    def remove(path: os.PathLike[str]) -> None:
        if len(removed) == 3:
            raise KeyboardInterrupt
        removed.append(path.name)  # type: ignore[attr-defined]
        os.unlink(str(path).removeprefix("file://"))

    with monkeypatch.context() as patch:
        patch.setattr(retention, "remove_file", remove)
        with pytest.raises(KeyboardInterrupt):
            delete_recordings(layout, BEFORE)
    assert "manifest.jsonl" not in removed, "the manifest goes last"
    assert delete_recordings(layout, BEFORE).periods == 1
    delete_calls(layout, BEFORE)
    assert files_under(tmp_path) == kept


def test_a_folder_without_anything_landed(tmp_path: Path) -> None:
    assert delete_calls(Layout(f"{tmp_path.as_uri()}/nothing"), BEFORE).files == 0
