"""Days of calls as the daily DAG lands them, and what the tables are to hold of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.manifest import ManifestLine, encode_line
from airflow_provider_alloincognito.loading import LandedPeriod

MOSCOW = ZoneInfo("Europe/Moscow")
DAY = date(2026, 3, 3)
# Column of the table: field and type of the landed file, as the daily DAG has them.
COLUMNS = {
    "row_key": ("row_key", pyarrow.string()),
    "call_id": ("callId", pyarrow.string()),
    "started_at": ("startTime", pyarrow.timestamp("us", "Europe/Moscow")),
    "direction": ("direction", pyarrow.string()),
    "caller": ("callerNumber", pyarrow.string()),
    "called": ("calledNumber", pyarrow.string()),
    "talk_seconds": ("duration", pyarrow.int64()),
    "record_file_id": ("recordFileId", pyarrow.string()),
}
RECORDINGS = pyarrow.schema(
    {
        "date": pyarrow.date32(),
        "record_file_id": pyarrow.string(),
        "path": pyarrow.string(),
        "bytes": pyarrow.int64(),
        "sha256": pyarrow.string(),
        "status": pyarrow.string(),
        "error": pyarrow.string(),
    }
)


@dataclass(frozen=True)
class Landed:
    """
    A period in the layout of the daily DAG.

    :param calls: its rows, with the columns of the table, but for ``date``; ``started_at`` in UTC.
    """

    period: LandedPeriod
    calls: pyarrow.Table
    recordings: pyarrow.Table


def midnight(day: date) -> datetime:
    """Return when a day begins."""
    return datetime.combine(day, time(), MOSCOW)


def day_of(day: date) -> tuple[datetime, datetime]:
    """Return the ends of a day."""
    return midnight(day), midnight(day + timedelta(days=1))


def made_calls(start: datetime, end: datetime, count: int, version: str = "a") -> pyarrow.Table:
    """Return so many calls, spread over a period; each version has other talk times and recordings."""
    numbers = range(count)
    step = (end - start) / max(count, 1)
    first, every = round(start.timestamp() * 1_000_000), step // timedelta(microseconds=1)
    starts = pyarrow.array([first + number * every for number in numbers], pyarrow.int64())
    seed = f"{start.isoformat()} {version}"
    return pyarrow.table(
        {
            "row_key": [hashlib.md5(f"{start.isoformat()} {number}".encode()).hexdigest() for number in numbers],
            "call_id": [str(number) for number in numbers],
            "started_at": starts.cast(pyarrow.timestamp("us", "UTC")),
            "direction": ["in" if number % 3 else None for number in numbers],
            "caller": [f"7916{number:07}" for number in numbers],
            "called": ["" if number % 5 == 0 else f"7926{number:07}" for number in numbers],
            "talk_seconds": [None if number % 7 == 0 else number % 600 + len(version) for number in numbers],
            "record_file_id": [f"{seed} {number}" if number % 10 == 1 else None for number in numbers],
        },
        schema=pyarrow.schema({name: _in_utc(kind) for name, (_, kind) in COLUMNS.items()}),
    )


def _in_utc(kind: pyarrow.DataType) -> pyarrow.DataType:
    return pyarrow.timestamp("us", "UTC") if pyarrow.types.is_timestamp(kind) else kind


def land(
    files: Path, start: datetime, end: datetime, calls: pyarrow.Table, fields: dict[str, str] | None = None
) -> Landed:
    """
    Write a period's files as the daily DAG does: each takes the place of an earlier one at once.

    :param fields: column to field, for more columns than the daily DAG has.
    """
    layout = Layout(f"file://{files}")
    period = LandedPeriod(start, end, "", None)
    paths = [
        Path(str(path).removeprefix("file://")) for path in (layout.calls(period.name), layout.manifest(period.name))
    ]
    fields = {name: field for name, (field, _) in COLUMNS.items()} | (fields or {})
    landed = calls.rename_columns([fields[name] for name in calls.column_names])
    at = landed.schema.get_field_index("startTime")
    in_zone = landed.column(at).cast(pyarrow.timestamp("us", "Europe/Moscow"))
    landed = landed.set_column(at, "startTime", in_zone)
    ids = [one for one in calls["record_file_id"].to_pylist() if one]
    lines = [_line(number, one) for number, one in enumerate(ids)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(landed, f"{paths[0]}.new", row_group_size=100_000)
    Path(f"{paths[1]}.new").write_bytes(b"".join(map(encode_line, lines)))
    for path in paths:
        os.replace(f"{path}.new", path)
    rows = [{"date": start.date(), "record_file_id": line.id, **_columns(line)} for line in lines]
    return Landed(
        LandedPeriod(start, end, *(f"file://{path}" for path in paths)),
        calls,
        pyarrow.Table.from_pylist(rows, schema=RECORDINGS),
    )


def _line(number: int, record_file_id: str) -> ManifestLine:
    if number % 20 == 19:
        return ManifestLine(record_file_id, None, None, None, None, "failed", "AlloincognitoApiError: not ready, ждите")
    return ManifestLine(
        record_file_id,
        f"file:///recordings/{record_file_id}.mp3",
        "79160000001.mp3",
        1000 + number,
        hashlib.sha256(record_file_id.encode()).hexdigest(),
        "skipped" if number % 4 else "fetched",
    )


def _columns(line: ManifestLine) -> dict[str, object]:
    return {name: getattr(line, name) for name in RECORDINGS.names if name not in ("date", "record_file_id")}


def table_of_calls(landed: Sequence[Landed]) -> pyarrow.Table:
    """Return what the table of calls is to hold, ordered by ``date`` and ``row_key``."""
    calls = pyarrow.concat_tables([one.calls for one in landed])
    local = calls["started_at"].cast(pyarrow.timestamp("us", "Europe/Moscow"))
    days = pyarrow.compute.local_timestamp(local).cast(pyarrow.date32(), safe=False)
    return calls.add_column(0, "date", days).sort_by([("date", "ascending"), ("row_key", "ascending")])


def table_of_recordings(landed: Sequence[Landed]) -> pyarrow.Table:
    """Return what the table of recordings is to hold, ordered by ``date`` and ``record_file_id``."""
    recordings = pyarrow.concat_tables([one.recordings for one in landed])
    return recordings.sort_by([("date", "ascending"), ("record_file_id", "ascending")])


def with_days_of_calls(landed: Landed) -> Landed:
    """Return the same with the day of its call for each recording, not the first day of the period."""
    days = dict(zip(*(table_of_calls([landed])[name].to_pylist() for name in ("record_file_id", "date")), strict=True))
    found = pyarrow.array([days[one] for one in landed.recordings["record_file_id"].to_pylist()], pyarrow.date32())
    return Landed(landed.period, landed.calls, landed.recordings.set_column(0, "date", found))
