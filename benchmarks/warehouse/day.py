"""A day of calls in the layout of the daily DAG, and the same as CSV."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.csv
import pyarrow.parquet

from airflow_provider_alloincognito.landing.layout import Layout

MOSCOW = ZoneInfo("Europe/Moscow")
START, END = datetime(2026, 3, 3, tzinfo=MOSCOW), datetime(2026, 3, 4, tzinfo=MOSCOW)
FIELDS = {
    "row_key": "row_key",
    "call_id": "callId",
    "started_at": "startTime",
    "direction": "direction",
    "caller": "callerNumber",
    "called": "calledNumber",
    "talk_seconds": "duration",
    "record_file_id": "recordFileId",
}
"""Column of the table: field of the landed file."""


def land_day(files: Path, calls: int) -> tuple[Path, Path]:
    """Write the day's Parquet file, and its rows as CSV with the columns of the table; return both."""
    parquet = Path(Layout(files).calls(f"{START:%Y-%m-%d}").path)
    parquet.parent.mkdir(parents=True)
    first, step = round(START.timestamp() * 1_000_000), (END - START) // timedelta(microseconds=1) // calls
    numbers = range(calls)
    columns = [
        pyarrow.array([f"{number * 0x9E3779B97F4A7C15 % (1 << 128):032x}" for number in numbers]),
        pyarrow.array([str(number) for number in numbers]),
        pyarrow.array([first + number * step for number in numbers]).cast(pyarrow.timestamp("us", MOSCOW.key)),
        pyarrow.array(["in" if number % 2 else "out" for number in numbers]),
        pyarrow.array([f"7916{number * 7919 % 10**7:07}" for number in numbers]),
        pyarrow.array([f"7926{number * 104729 % 10**7:07}" for number in numbers]),
        pyarrow.array([number * 31 % 600 for number in numbers]),
        pyarrow.array([f"{number:08x}-recording" if number % 10 == 0 else None for number in numbers]),
    ]
    pyarrow.parquet.write_table(pyarrow.table(columns, names=list(FIELDS.values())), parquet, row_group_size=100_000)
    table = pyarrow.table(columns, names=list(FIELDS))
    days = pyarrow.array([START.date()] * calls)
    csv = files / "calls.csv"
    pyarrow.csv.write_csv(table.add_column(0, "date", days), csv)
    return parquet, csv
