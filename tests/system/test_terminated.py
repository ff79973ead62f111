"""SIGTERM, as when a user marks a running task failed, stops the task at once and leaves no partial file."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forking import END, START, Worker, hidden, is_responding, until, visible

from airflow_provider_alloincognito.sandbox import Sandbox

BY_HASH = "getrequestresultbyhash"
# Airflow sends SIGKILL after 5 seconds.
AT_ONCE = 4.0

pytestmark = pytest.mark.system


def terminate_when(worker: Worker, moment: Callable[[], bool], operator: str, **arguments: Any) -> None:
    pid = worker.start(operator, **arguments)
    until(moment)
    os.kill(pid, signal.SIGTERM)
    sent = time.monotonic()
    assert worker.end() == 1, "the task succeeded, or the signal killed it"
    assert time.monotonic() - sent < AT_ONCE


@pytest.mark.parametrize("suffix", ["jsonl", "csv.gz", "parquet"])
def test_a_call_list_leaves_no_file(worker: Worker, worker_sandbox: Sandbox, tmp_path: Path, suffix: str) -> None:
    worker_sandbox.add_fault("stall", method="getcalllist", after_fraction=0.5)
    path = (tmp_path / f"calls.{suffix}").as_uri()
    responds = lambda: is_responding(worker_sandbox, "getcalllist")  # noqa: E731
    terminate_when(worker, responds, "AlloincognitoCallListOperator", output_path=path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("interval", [0.05, 600])
@pytest.mark.parametrize("operator", ["AlloincognitoRequestResultOperator", "AlloincognitoRequestResultSensor"])
def test_waiting_ends_and_no_request_follows(
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
def test_recordings_are_complete_or_absent(
    worker: Worker, worker_sandbox: Sandbox, tmp_path: Path, concurrency: int
) -> None:
    ids = [row["recordFileId"] for row in worker_sandbox.truth(START, END) if row["recordFileId"]][:24]
    arguments = {"output_path": tmp_path.as_uri(), "record_file_ids": ids, "concurrency": concurrency}
    worker_sandbox.configure(latency={"getcallrecordfile": 0.3})
    some = lambda: len(list(tmp_path.glob("*.mp3"))) >= 4  # noqa: E731
    terminate_when(worker, some, "AlloincognitoRecordingOperator", **arguments)
    assert not [name for name in hidden(tmp_path) if name.endswith(".part")]
    there = visible(tmp_path)
    assert 4 <= len(there) < len(ids)
    for name in there:
        assert (tmp_path / name).read_bytes() == worker_sandbox.recording(name.removesuffix(".mp3"))
    worker_sandbox.configure(latency=0.0)
    assert worker.run("AlloincognitoRecordingOperator", **arguments) == 0
    assert visible(tmp_path) == sorted([*(f"{one}.mp3" for one in ids), "manifest.jsonl"])


def test_sixteen_at_a_time_end_at_once(worker: Worker, worker_sandbox: Sandbox, tmp_path: Path) -> None:
    ids = [row["recordFileId"] for row in worker_sandbox.truth(START, END) if row["recordFileId"]][:48]
    worker_sandbox.add_fault("stall", after_fraction=0.5, method="getcallrecordfile", times=None, skip=24)

    def are_there() -> bool:
        times = [one.time for one in worker_sandbox.requests if one.fault == "stall"]
        return len(times) >= 16 and time.time() - times[-1] > 0.5

    arguments = {"output_path": tmp_path.as_uri(), "record_file_ids": ids, "concurrency": 16}
    terminate_when(worker, are_there, "AlloincognitoRecordingOperator", **arguments)
    worker_sandbox.clear_log()
    time.sleep(0.3)
    assert worker_sandbox.requests == []
    assert not [name for name in hidden(tmp_path) if name.endswith(".part")]
    assert len(visible(tmp_path)) == 24
    for name in visible(tmp_path):
        assert (tmp_path / name).read_bytes() == worker_sandbox.recording(name.removesuffix(".mp3"))


def test_a_recording_that_stalls_does_not_delay_the_end(
    worker: Worker, worker_sandbox: Sandbox, tmp_path: Path
) -> None:
    one = next(row["recordFileId"] for row in worker_sandbox.truth(START, END) if row["recordFileId"])
    worker_sandbox.add_fault("stall", method="getcallrecordfile", after_fraction=0.5)
    arguments = {"output_path": tmp_path.as_uri(), "record_file_ids": [one]}
    responds = lambda: is_responding(worker_sandbox, "getcallrecordfile")  # noqa: E731
    terminate_when(worker, responds, "AlloincognitoRecordingOperator", **arguments)
    assert list(tmp_path.iterdir()) == []
