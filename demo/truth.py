"""Compare what landed with the sandbox's own list of calls, with no code of the package but the sandbox's."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet

from airflow_provider_alloincognito.sandbox import Sandbox, SandboxSettings
from demo.place import Place

ZONE = ZoneInfo("Europe/Moscow")
Talk = dict[tuple[str, str], tuple[int, int, int]]


@dataclass(frozen=True)
class Check:
    """
    One comparison.

    :param what: what was compared, as the summary says it.
    """

    what: str
    equal: bool


def compare(place: Place, days: list[str], settings: Mapping[str, Any]) -> list[Check]:
    """Compare rows, recordings and table with the sandbox's list."""
    truth = [json.loads(line) for line in place.truth.read_bytes().splitlines()]
    by_day = {day: [row for row in truth if row["startTime"].startswith(day)] for day in days}
    sandbox = Sandbox(SandboxSettings.of(settings))
    return [
        Check(
            f"{len(truth):,} calls, row for row, field for field, in their order",
            all(_landed_rows(place, day) == [_texts(row) for row in rows] for day, rows in by_day.items()),
        ),
        Check(
            f"{sum(row['recordFileId'] is not None for row in truth):,} recordings, byte for byte",
            all(_recordings_are(place, day, rows, sandbox) for day, rows in by_day.items()),
        ),
        Check("the table: calls, recordings and talk time by day and direction", talk_in_table(place) == _talk(by_day)),
    ]


def talk_in_table(place: Place) -> Talk:
    """Return calls, recordings and seconds of talk by day and direction, from the warehouse."""
    with duckdb.connect(str(place.warehouse), read_only=True) as db:
        found = db.execute(
            "SELECT strftime(date, '%Y-%m-%d'), direction, count(*), count(path), sum(talk_seconds)::BIGINT "
            "FROM calls LEFT JOIN recordings USING (date, record_file_id) GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    return {(day, direction): (calls, recordings, seconds) for day, direction, calls, recordings, seconds in found}


def _talk(by_day: dict[str, list[dict[str, Any]]]) -> Talk:
    calls: Counter[tuple[str, str]] = Counter()
    recordings: Counter[tuple[str, str]] = Counter()
    seconds: Counter[tuple[str, str]] = Counter()
    for day, rows in by_day.items():
        for row in rows:
            group = (day, str(row["direction"]))
            calls[group] += 1
            recordings[group] += row["recordFileId"] is not None
            seconds[group] += row["duration"]
    return {group: (calls[group], recordings[group], seconds[group]) for group in calls}


def _landed_rows(place: Place, day: str) -> list[dict[str, str | None]]:
    with (place.files / f"calls/date={day}/calls.parquet").open("rb") as file:
        return [_texts(row) for row in pyarrow.parquet.read_table(file).drop_columns(["row_key"]).to_pylist()]


def _texts(row: Mapping[str, Any]) -> dict[str, str | None]:
    """Return each value as text, with the fields in one order: JSON has fewer types than Parquet."""
    return {field: _text(value) for field, value in sorted(row.items())}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")
    return json.dumps(value, ensure_ascii=False)


def _recordings_are(place: Place, day: str, rows: list[dict[str, Any]], sandbox: Sandbox) -> bool:
    ids = [row["recordFileId"] for row in rows if row["recordFileId"]]
    folder = place.files / f"recordings/date={day}"
    if {f"{record_file_id}.mp3" for record_file_id in ids} != set(_mp3_names(folder)):
        return False
    return all(
        hashlib.sha256((folder / f"{one}.mp3").read_bytes()).digest() == hashlib.sha256(sandbox.recording(one)).digest()
        for one in ids
    )


def _mp3_names(folder: Path) -> Iterator[str]:
    return (path.name for path in folder.glob("*.mp3"))
