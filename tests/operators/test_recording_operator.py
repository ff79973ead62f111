"""Recordings of a day in tasks: files, manifest, and the task's result; code: operators/recording.py."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet
import pytest
from dag_runs import Run, StartSandbox, one_task_dag, run_dag

from airflow_provider_alloincognito.errors import (
    AlloincognitoQueryError,
    AlloincognitoRecordingsFailedError,
    AlloincognitoSettingsError,
)
from airflow_provider_alloincognito.landing import recordings
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
)
from airflow_provider_alloincognito.sandbox import Sandbox

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))
NEXT_DAY = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Moscow"))


def ids_of(sandbox: Sandbox) -> list[str]:
    return [row["recordFileId"] for row in sandbox.truth(DAY, NEXT_DAY) if row["recordFileId"]]


def land(tmp_path: Path, *, suffix: str = "parquet", **arguments: Any) -> Run:
    def make() -> None:
        calls = AlloincognitoCallListOperator(task_id="calls", output_path=f"{tmp_path.as_uri()}/calls.{suffix}")
        calls >> AlloincognitoRecordingOperator(
            task_id="recordings",
            output_path=f"{tmp_path.as_uri()}/mp3",
            **({} if "record_file_ids" in arguments else {"calls": "{{ ti.xcom_pull('calls')['path'] }}"}),
            **arguments,
        )

    return run_dag(one_task_dag("recordings", make), NEXT_DAY)


def manifest(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "mp3" / "manifest.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv.gz"])
def test_all_recordings_of_a_day(sandbox: Sandbox, tmp_path: Path, suffix: str) -> None:
    run = land(tmp_path, suffix=suffix)
    assert run.state == "success", run.errors
    wanted = {f"{one}.mp3": sandbox.recording(one) for one in ids_of(sandbox)}
    assert len(wanted) > 10
    assert {file.name: file.read_bytes() for file in (tmp_path / "mp3").glob("*.mp3")} == wanted
    lines = manifest(tmp_path)
    assert [line["id"] for line in lines] == ids_of(sandbox)
    for line in lines:
        content = wanted[f"{line['id']}.mp3"]
        assert (line["bytes"], line["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert line["status"] == "fetched"
        assert line["file_name"], "file_NAME belongs in the manifest"
    assert run.xcoms["recordings"] == {
        "manifest": f"{tmp_path.as_uri()}/mp3/manifest.jsonl",
        "fetched": len(wanted),
        "skipped": 0,
        "failed": 0,
        "bytes": sum(map(len, wanted.values())),
    }


def test_a_second_run_gives_the_same_files_and_fetches_no_recording_again(sandbox: Sandbox, tmp_path: Path) -> None:
    def files() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    land(tmp_path, suffix="jsonl")
    before = files()
    sandbox.clear_log()
    run = land(tmp_path, suffix="jsonl")
    assert run.state == "success", run.errors
    assert sandbox.count("getcalllist") == 1
    assert sandbox.count("getcallrecordfile") == 0
    # The manifest says what this run did with each recording; all else is the same, byte by byte.
    before["manifest.jsonl"] = before["manifest.jsonl"].replace(b'"fetched"', b'"skipped"')
    assert files() == before


def test_a_second_run_gives_the_same_parquet_except_for_the_request_hash(sandbox: Sandbox, tmp_path: Path) -> None:
    land(tmp_path)
    first = pyarrow.parquet.ParquetFile(tmp_path / "calls.parquet", memory_map=False)
    rows, metadata = first.read(), dict(first.metadata.metadata)
    run = land(tmp_path)
    second = pyarrow.parquet.ParquetFile(tmp_path / "calls.parquet", memory_map=False)
    assert second.read().equals(rows)
    again = dict(second.metadata.metadata)
    assert again.pop(b"alloincognito.request_hashes").decode() == run.xcoms["calls"]["request_hashes"][0]
    del metadata[b"alloincognito.request_hashes"]
    assert again == metadata


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_a_recording_that_fails_does_not_stop_the_others(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_error: str
) -> None:
    monkeypatch.setattr(recordings, "backoff", lambda *_: 0.01)
    ids = ids_of(sandbox)
    sandbox.add_fault("error", method="getcallrecordfile", code=1742, skip=2)
    sandbox.add_fault("cut", method="getcallrecordfile", skip=4, times=1 + recordings.MOST_TRUNCATED)
    run = land(tmp_path, on_error=on_error, concurrency=1)
    lines = {line["id"]: line for line in manifest(tmp_path)}
    failed = [one for one in ids if lines[one]["status"] == "failed"]
    assert len(failed) == 2
    assert "AlloincognitoApiError" in lines[failed[0]]["error"]
    assert "1742" in lines[failed[0]]["error"]
    assert "AlloincognitoTruncatedError" in lines[failed[1]]["error"]
    assert "916" not in lines[failed[0]]["error"], "a phone number of the error's text"
    landed = {file.stem for file in (tmp_path / "mp3").glob("*.mp3")}
    assert landed == set(ids) - set(failed)
    if on_error == "skip":
        assert run.state == "success", run.errors
        assert run.xcoms["recordings"]["failed"] == 2
        return
    assert isinstance(run.error, AlloincognitoRecordingsFailedError)
    for part in ("2 of 24 recordings could not be fetched", "manifest.jsonl", "on_error='skip'"):
        assert part in str(run.error)
    sandbox.clear_log()
    again = land(tmp_path, on_error=on_error)
    assert again.state == "success", again.errors
    assert sandbox.count("getcallrecordfile") == 2, "only those that were missing"
    assert {file.stem for file in (tmp_path / "mp3").glob("*.mp3")} == set(ids)


def test_a_recording_that_is_truncated_once_lands(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_fault("cut", method="getcallrecordfile", skip=4)
    run = land(tmp_path, concurrency=1)
    assert run.state == "success", run.errors
    assert sandbox.count("getcallrecordfile") == len(ids_of(sandbox)) + 1
    assert all((tmp_path / "mp3" / f"{one}.mp3").read_bytes() == sandbox.recording(one) for one in ids_of(sandbox))


def test_a_rejected_authorization_token_ends_the_task(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_fault("reject", method="getcallrecordfile", times=None)
    sandbox.add_fault("reject", method="create", skip=1, times=None)
    sandbox.add_fault("reject", method="refresh", times=None)
    run = land(tmp_path, concurrency=2)
    assert run.state == "failed"
    assert "does not accept the authorization token" in str(run.error)
    assert run.tries["recordings"] == 1
    assert not list((tmp_path / "mp3").glob("*"))


def test_given_ids(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox(calls_per_day=20)
    some = ids_of(sandbox)[:2]
    run = land(tmp_path, record_file_ids=some)
    assert run.state == "success", run.errors
    assert {file.stem for file in (tmp_path / "mp3").glob("*.mp3")} == set(some)
    assert sandbox.count("getcallrecordfile") == 2


def test_empty_ids_are_ignored_and_numbers_are_ids(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox(calls_per_day=20)
    some = ids_of(sandbox)[:1]
    run = land(tmp_path, record_file_ids=[None, *some, "", 17], on_error="skip")
    assert run.state == "success", run.errors
    assert [(line["id"], line["status"]) for line in manifest(tmp_path)] == [(some[0], "fetched"), ("17", "failed")]


def test_a_string_instead_of_a_list_of_ids_is_an_error(sandbox: Sandbox, tmp_path: Path) -> None:
    run = land(tmp_path, record_file_ids="{{ ['ab', 'cd'] }}", on_error="skip")
    assert isinstance(run.error, AlloincognitoQueryError)
    assert "render_template_as_native_obj" in str(run.error)
    assert sandbox.count("getcallrecordfile") == 0


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_an_invalid_connection_fails_the_task(connected_sandbox: StartSandbox, tmp_path: Path, on_error: str) -> None:
    connected_sandbox({"timezone": "Europe/Nowhere"})
    operator = AlloincognitoRecordingOperator(
        task_id="recordings", output_path=tmp_path.as_uri(), record_file_ids=["a"], on_error=on_error
    )
    with pytest.raises(AlloincognitoSettingsError, match="timezone"):
        operator.execute({})
    assert not list(tmp_path.iterdir())


def test_neither_ids_nor_calls_is_an_error(sandbox: Sandbox, tmp_path: Path) -> None:
    run = land(tmp_path, record_file_ids=None)
    assert isinstance(run.error, AlloincognitoQueryError)
    assert "record_file_ids" in str(run.error)
    assert sandbox.count("getcallrecordfile") == 0


def test_the_error_names_the_setting_for_a_renamed_id_field(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    connected_sandbox(row_fields={"recordFileId": "zapis"})
    run = land(tmp_path)
    assert run.states == {"calls": "success", "recordings": "failed"}
    for part in ("'recordFileId'", "record_file_id_field", "FIELDS"):
        assert part in str(run.error)
    run = land(tmp_path, record_file_id_field="zapis")
    assert run.state == "success", run.errors
    assert run.xcoms["recordings"]["fetched"] > 10


@pytest.mark.parametrize("style", ["hostile", "empty", "absent"])
def test_no_file_name_of_the_api_becomes_a_path(connected_sandbox: StartSandbox, tmp_path: Path, style: str) -> None:
    sandbox = connected_sandbox(file_name=style, calls_per_day=20)
    run = land(tmp_path)
    assert run.state == "success", run.errors
    names = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert names == {"calls.parquet", "mp3/manifest.jsonl", *(f"mp3/{one}.mp3" for one in ids_of(sandbox))}
