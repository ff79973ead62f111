"""Where the daily DAG puts its files; code: landing/layout.py."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from airflow_provider_alloincognito.compat import ObjectStoragePath
from airflow_provider_alloincognito.landing.layout import Layout


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
