"""Running tasks that get SIGTERM, as from a user who marks them failed: they stop at once, and tidy up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forking import END, START, Worker, answering, hidden, until, visible

from airflow_provider_alloincognito.sandbox import Sandbox

BY_HASH = "getrequestresultbyhash"
# Airflow's patience before it sends SIGKILL is 5 seconds.
PROMPTLY = 3.0

pytestmark = pytest.mark.system


def terminate_when(worker: Worker, moment: Callable[[], bool], operator: str, **arguments: Any) -> None:
    pid = worker.start(operator, **arguments)
    until(moment)
    os.kill(pid, signal.SIGTERM)
    told = time.monotonic()
    assert worker.end() == 1, "it went on to its end, or died of the signal"
    assert time.monotonic() - told < PROMPTLY


@pytest.mark.parametrize("suffix", ["jsonl", "csv.gz", "parquet"])
def test_a_call_list_leaves_nothing(worker: Worker, worker_sandbox: Sandbox, tmp_path: Path, suffix: str) -> None:
    worker_sandbox.add_fault("stall", method="getcalllist", after_fraction=0.5)
    path = (tmp_path / f"calls.{suffix}").as_uri()
    answers = lambda: answering(worker_sandbox, "getcalllist")  # noqa: E731
    terminate_when(worker, answers, "AlloincognitoCallListOperator", output_path=path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("interval", [0.05, 600])
@pytest.mark.parametrize("operator", ["AlloincognitoRequestResultOperator", "AlloincognitoRequestResultSensor"])
def test_a_wait_asks_no_more(
    worker: Worker, worker_sandbox: Sandbox, tmp_path: Path, operator: str, interval: float
) -> None:
    worker_sandbox.add_fault("status", method=BY_HASH, status=202, times=None)
    arguments: dict[str, Any] = {"poke_interval": interval}
    if operator == "AlloincognitoRequestResultOperator":
        path = (tmp_path / "calls.jsonl").as_uri()
        arguments = {"poll_interval": interval, "wait_timeout": 3600, "output_path": path}
    polls = 1 if interval > 1 else 3
    moment = lambda: worker_sandbox.count(BY_HASH, status=202) >= polls  # noqa: E731
    terminate_when(worker, moment, operator, request_hash="h==", **arguments)
    worker_sandbox.clear_log()
    time.sleep(0.3)
    assert worker_sandbox.requests == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("concurrency", [1, 4])
def test_recordings_are_whole_or_not_there(
    worker: Worker, worker_sandbox: Sandbox, tmp_path: Path, concurrency: int
) -> None:
    ids = [row["recordFileId"] for row in worker_sandbox.truth(START, END) if row["recordFileId"]][:24]
    arguments = {"output_path": tmp_path.as_uri(), "record_file_ids": ids, "concurrency": concurrency}
    worker_sandbox.configure(latency={"getcallrecordfile": 0.1})
    some = lambda: len(list(tmp_path.glob("*.mp3"))) >= 4  # noqa: E731
    terminate_when(worker, some, "AlloincognitoRecordingOperator", **arguments)
    assert not [name for name in hidden(tmp_path) if name.endswith(".part")]
    there = visible(tmp_path)
    assert 4 <= len(there) < len(ids)
    for name in there:
        assert (tmp_path / name).read_bytes() == worker_sandbox.recording(name.removesuffix(".mp3"))
    assert worker.run("AlloincognitoRecordingOperator", **arguments) == 0
    assert visible(tmp_path) == sorted([*(f"{one}.mp3" for one in ids), "manifest.jsonl"])


def test_a_recording_that_stalls_is_left_at_once(worker: Worker, worker_sandbox: Sandbox, tmp_path: Path) -> None:
    one = next(row["recordFileId"] for row in worker_sandbox.truth(START, END) if row["recordFileId"])
    worker_sandbox.add_fault("stall", method="getcallrecordfile", after_fraction=0.5)
    arguments = {"output_path": tmp_path.as_uri(), "record_file_ids": [one]}
    answers = lambda: answering(worker_sandbox, "getcallrecordfile")  # noqa: E731
    terminate_when(worker, answers, "AlloincognitoRecordingOperator", **arguments)
    assert list(tmp_path.iterdir()) == []
