"""SIGKILL at any moment of a task leaves no partial file under a final name, and the next run completes all files."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from forking import END, KILLED, START, Worker, hidden, is_responding, until, visible

from airflow_provider_alloincognito.sandbox import Sandbox

# The whole body comes, but not its end: it has no Content-Length.
WHOLE_BODY = 1 << 30

pytestmark = pytest.mark.system


@pytest.fixture
def sandbox(worker_sandbox: Sandbox) -> Sandbox:
    return worker_sandbox


@pytest.mark.parametrize(
    ("suffix", "before"),
    [
        ("jsonl", None),
        ("jsonl", b"an earlier run's\n"),
        pytest.param("csv.gz", None, marks=[pytest.mark.long, pytest.mark.stores]),
        ("parquet", None),
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        # Where the response stalls.
        {"after_bytes": 250},
        {"after_fraction": 0.5},
        {"after_bytes": WHOLE_BODY},
        None,
    ],
    ids=[
        "after the response's head",
        "in the middle of the rows",
        "before the rename",
        "as soon as there is a temporary file",
    ],
)
def test_a_call_list_is_complete_or_absent(
    sandbox: Sandbox, worker: Worker, tmp_path: Path, place: dict[str, Any] | None, suffix: str, before: bytes | None
) -> None:
    target = tmp_path / f"calls.{suffix}"
    if before is not None:
        target.write_bytes(before)
    arguments = {"operator": "AlloincognitoCallListOperator", "output_path": target.as_uri()}
    if place is not None:
        sandbox.add_fault("stall", method="getcalllist", **place)
        # Parquet and CSV wait for all rows, in a file without a name, before they start theirs.
        has_file = suffix == "jsonl" and place != {"after_bytes": 250}
        worker.kill_when(
            lambda: is_responding(sandbox, "getcalllist") and (not has_file or bool(hidden(tmp_path))), **arguments
        )
        if has_file:
            assert hidden(tmp_path), "the task was killed before it had a temporary file"
        assert visible(tmp_path) == ([] if before is None else [target.name])
        if before is not None:
            assert target.read_bytes() == before
    else:
        pid = worker.start(**arguments)
        until(lambda: bool(hidden(tmp_path)))
        os.kill(pid, signal.SIGKILL)
        assert worker.end() in (KILLED, 0)
        if target.exists() and target.read_bytes() != before:
            assert_complete(sandbox, target)

    assert worker.run(**arguments) == 0
    assert [file.name for file in tmp_path.iterdir()] == [target.name], "something was left behind"
    assert_complete(sandbox, target)


def assert_complete(sandbox: Sandbox, target: Path) -> None:
    assert read_ids(target) == [str(row["callId"]) for row in sandbox.truth(START, END)]


def read_ids(target: Path) -> list[str]:
    if target.suffix == ".parquet":
        import pyarrow.parquet

        return [str(one) for one in pyarrow.parquet.read_table(target).column("callId").to_pylist()]
    if target.suffix == ".gz":
        import csv
        import gzip

        with gzip.open(target, "rt", newline="") as file:
            return [row["callId"] for row in csv.DictReader(file)]
    return [str(json.loads(line)["callId"]) for line in target.read_text().splitlines()]


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("moment", ["between recordings", "before the manifest", "at the last recording's rename"])
def test_recordings_are_complete_or_absent_and_not_fetched_again(
    sandbox: Sandbox, worker: Worker, tmp_path: Path, moment: str, concurrency: int
) -> None:
    ids = [row["recordFileId"] for row in sandbox.truth(START, END) if row["recordFileId"]][:24]
    folder = tmp_path / "mp3"
    arguments = {
        "operator": "AlloincognitoRecordingOperator",
        "output_path": folder.as_uri(),
        "record_file_ids": ids,
        "concurrency": concurrency,
    }
    if moment == "at the last recording's rename":
        last = folder / f"{ids[-1]}.mp3"
        pid = worker.start(**arguments)
        until(last.exists)
        os.kill(pid, signal.SIGKILL)
        assert worker.end() in (KILLED, 0)
    else:
        let_pass = 7 if moment == "between recordings" else len(ids) - 1
        sandbox.add_fault("stall", method="getcallrecordfile", skip=let_pass, times=None, after_bytes=0)
        worker.kill_when(lambda: len(list(folder.glob("*.mp3"))) == let_pass, **arguments)
        sandbox.clear_faults()
        assert not (folder / "manifest.jsonl").exists()
    there = {file.name: file.read_bytes() for file in folder.glob("*.mp3")}
    for name, content in there.items():
        assert content == sandbox.recording(name.removesuffix(".mp3")), "a partial recording under a final name"
    assert set(visible(folder)) - set(there) <= {"manifest.jsonl"}

    sandbox.clear_log()
    assert worker.run(**arguments) == 0
    assert sandbox.count("getcallrecordfile") == len(ids) - len(there), "a recording that was there was fetched again"
    assert visible(folder) == sorted([*(f"{one}.mp3" for one in ids), "manifest.jsonl"])
    assert hidden(folder) == [], "something was left behind"
    for one in ids:
        assert (folder / f"{one}.mp3").read_bytes() == sandbox.recording(one)
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ids
    assert {line["status"] for line in lines} <= {"fetched", "skipped"}
