"""Compare what landed with the sandbox's own list of calls and its recordings."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet

from airflow_provider_alloincognito.sandbox import Sandbox

Rows = list[dict[str, Any]]


class Landed:
    """
    The files of all runs.

    :param files: their folder.
    :param truth: a sandbox with the seed of the one that served them.
    """

    def __init__(self, files: Path, truth: Sandbox) -> None:
        self._files = files
        self._truth = truth
        self.rows = self.recordings = 0

    def differences(self, dag_id: str, day: str) -> list[str]:
        """Return what of a run that succeeded is not as it should be."""
        folder = self._files / dag_id / day
        wanted = self._truth.truth(day, str(date.fromisoformat(day) + timedelta(days=1)))
        if dag_id == "mapped":
            wanted = [row for row in wanted if row["recordFileId"]]
        found = [] if [_read(path) for path in folder.glob("calls.*")] == [wanted] else [f"{dag_id} {day}: calls"]
        self.rows += len(wanted)
        if dag_id in ("daily", "mapped"):
            found += [f"{dag_id} {day}: recording {one}" for one in self._recordings(folder / "recordings", wanted)]
        return found + [f"{dag_id} {day}: left behind {path.name}" for path in hidden(folder)]

    def _recordings(self, folder: Path, rows: Rows) -> Iterator[str]:
        """Yield the ids of recordings that are missing, too many, or not as they should be."""
        wanted = {row["recordFileId"] for row in rows if row["recordFileId"]}
        there = {path.stem: path for path in folder.glob("*.mp3")}
        yield from wanted ^ set(there)
        for one in wanted & set(there):
            self.recordings += 1
            if _digest(there[one].read_bytes()) != _digest(self._truth.recording(one)):
                yield one


def hidden(folder: Path) -> list[Path]:
    """Return unfinished files and journals."""
    return sorted(folder.rglob(".*"))


def _read(path: Path) -> Rows:
    if path.suffix == ".parquet":
        with path.open("rb") as file:
            rows: Rows = pyarrow.parquet.read_table(file).to_pylist()
        return rows
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.splitlines()]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
