"""What the demo prints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet

from demo.place import Place
from demo.truth import Check, talk_in_table

DIRECTIONS = {"1": "outgoing", "2": "incoming"}
QUERY = """SELECT date, direction, count(*), count(path), sum(talk_seconds)
  FROM calls LEFT JOIN recordings USING (date, record_file_id) GROUP BY ALL"""


class Report:
    """
    Prints progress and summary.

    :param place: where the files are.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._live = sys.stdout.isatty()

    def start(self, url: str) -> None:
        """Print what happens next."""
        self._say(f"The sandbox, a server that speaks AlloIncognito's API, answers at {url}.")
        self._say("Airflow is getting ready ...")

    def event(self, event: dict[str, Any]) -> None:
        """Print the state of a task."""
        if "ready" in event:
            self._say(f"Airflow {event['ready']} lands and loads one day after the other:\n")
        elif event.get("state") == "running" and self._live:
            self._say(f"  {event['day']:<10}  {event['task']:<11} ...", end="\r")
        elif event.get("state") == "success":
            result = _describe(event["task"], event["result"] or {})
            self._say(f"  {event['day']:<10}  {event['task']:<11} {result:<42} {event['seconds']:5.1f} s")
        elif event.get("state") == "failed":
            self._say(f"  {event['day']:<10}  {event['task']:<11} FAILED: {event['error']}")

    def failed(self, code: int) -> None:
        """Print where to look when Airflow failed."""
        self._say(f"\nAirflow failed with exit code {code}. Its log: {self._place.name(self._place.log)}")

    def summary(self, days: list[str], checks: list[Check]) -> None:
        """Print the files, the table, and how they compare with the sandbox's list."""
        self._say(f"\nFiles in {self._place.name(self._place.files)}")
        for day in days:
            self._calls_file(self._place.files / f"calls/date={day}/calls.parquet")
        for day in days:
            self._recordings(self._place.files / f"recordings/date={day}")
        self._say(f"\nTables calls and recordings in {self._place.name(self._place.warehouse)}\n  {QUERY}\n")
        self._say("  date        direction   calls   recordings    talk time")
        for (day, direction), (calls, recordings, seconds) in talk_in_table(self._place).items():
            name = DIRECTIONS.get(direction, direction)
            self._say(f"  {day}  {name:<9} {calls:7,} {recordings:12,} {_duration(seconds):>12}")
        self._say(f"\nThe calls as a page with charts, for a browser\n  {self._place.name(self._place.page)}")
        self._say(f"\nCompared with the sandbox's own list of these days ({self._place.name(self._place.truth)})")
        for check in checks:
            self._say(f"  {'equal' if check.equal else 'UNEQUAL'}: {check.what}")

    def _calls_file(self, path: Path) -> None:
        with path.open("rb") as file:
            rows = pyarrow.parquet.read_metadata(file).num_rows
        self._file(path, f"{rows:,} rows", path.stat().st_size)

    def _recordings(self, folder: Path) -> None:
        sizes = [path.stat().st_size for path in folder.glob("*.mp3")]
        self._file(folder, f"{len(sizes):,} mp3", sum(sizes))

    def _file(self, path: Path, what: str, size: int) -> None:
        self._say(f"  {path.relative_to(self._place.files)!s:<40} {what:>12} {_size(size):>10}")

    def _say(self, text: str, end: str = "\n") -> None:
        print(f"\x1b[K{text}" if self._live else text, end=end, flush=True)


def _describe(task: str, result: dict[str, Any]) -> str:
    if task == "calls":
        return f"{result['rows']:,} calls, {_size(result['bytes'])}"
    if task == "recordings":
        return f"{result['fetched']:,} fetched, {result['skipped']:,} there before, {_size(result['bytes'])}"
    if task == "load":
        return f"{result['rows']:,} rows in the table"
    if task == "report":
        return "a page with charts"
    if task == "alarm":
        return "no cause for it, recordings are there"
    return "the day is over, its calls are in"


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} KB"


def _duration(seconds: int) -> str:
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
