"""Days of landed calls and recordings, as the daily DAG lands them, without Airflow's runs and without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet
from landing_samples import FakeServer, batches_of

from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.recordings import land_recordings
from airflow_provider_alloincognito.landing.stores.targets import open_for_reading
from airflow_provider_alloincognito.landing.tables.schema import Schema

SCHEMA: Schema = {
    "startTime": "timestamp",
    "caller": "string",
    "called": "string",
    "duration": "int64",
    "recordFileId": "string",
}
FIELDS = ["caller", "called"]
ERASED = "79161234567"
FORMS = ["79161234567", "+7 (916) 123-45-67", "8 916 123 45 67", "sip:9161234567@pbx"]
DAYS = ["2026-03-01", "2026-03-02", "2026-03-03"]


def rows_of(day: str, count: int = 12) -> list[dict[str, Any]]:
    """Return a day's calls: every fourth is of the number that is erased, in one form or another."""
    number = int(day[-2:])
    rows = []
    for n in range(count):
        ends = [f"7495{number:03}{n:04}", f"7812{number:03}{n:04}"]
        if n % 4 == 1:
            ends[n % 2 if n % 8 == 1 else 0] = FORMS[n // 4 % len(FORMS)]
        rows.append(
            {
                "startTime": f"{day} 10:00:{n:02}",
                "caller": ends[0],
                "called": ends[1],
                "duration": n,
                "recordFileId": f"{day}-rec-{n}" if n % 3 == 1 or n % 4 == 1 else None,
            }
        )
    return rows


def is_erased(row: Mapping[str, Any]) -> bool:
    """Return whether a row of :func:`rows_of` is of the number that is erased."""
    return any(row[field] in FORMS for field in FIELDS)


def land_day(
    layout: Layout,
    period: str,
    rows: Iterable[Mapping[str, Any]],
    change: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda row: row,
) -> None:
    """Land a period's calls and recordings; ``change`` is what is done with a row before it lands."""
    rows = list(rows)
    metadata = {"alloincognito.note": "of the file"}
    land_calls(
        batches_of([dict(change(row)) for row in rows], 4),
        layout.calls(period),
        schema=SCHEMA,
        metadata=lambda: metadata,
    )
    ids = [row["recordFileId"] for row in rows if row["recordFileId"]]
    server = FakeServer({one: f"ID3 {one}".encode() * 50 for one in ids})
    land_recordings(server, ids, layout.recordings(period), concurrency=1)


def files_under(root: Path) -> dict[str, tuple[bytes, int]]:
    """Return content and time of change of every file."""
    found = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def landed_rows(layout: Layout, period: str) -> list[dict[str, Any]]:
    """Return the rows of a period's Parquet file."""
    with open_for_reading(layout.calls(period)) as file:
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(file).to_pylist()
        return rows
