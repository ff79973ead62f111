"""Recordings land whole, many at a time and once each, with a manifest; code: landing/recordings.py."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from landing_samples import FakeServer, Mp3

from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoLandingError,
    AlloincognitoRecordingError,
    AlloincognitoTruncatedError,
)
from airflow_provider_alloincognito.landing import recordings
from airflow_provider_alloincognito.landing.manifest import ManifestLine, read_manifest
from airflow_provider_alloincognito.landing.recordings import (
    MOST_TRUNCATED,
    LandedRecordings,
    land_recording,
    land_recordings,
)

CONTENT = {f"id-{n}": bytes([n]) * (1500 + n) for n in range(40)}
IDS = list(CONTENT)
SIZE = sum(map(len, CONTENT.values()))


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_one_recording_lands(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "x.mp3"
    line = land_recording(FakeServer(CONTENT), "id-1", target)
    digest = hashlib.sha256(CONTENT["id-1"]).hexdigest()
    assert line == ManifestLine("id-1", str(target), "79120000001.mp3", 1501, digest, "fetched")
    assert "79120000001" not in repr(line)
    assert target.read_bytes() == CONTENT["id-1"]


def test_an_empty_recording_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AlloincognitoRecordingError, match="empty"):
        land_recording(FakeServer({"a": b""}), "a", tmp_path / "a.mp3")
    assert not list(tmp_path.iterdir())


def test_a_worker_without_memory_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AlloincognitoLandingError, match=r"ran out of memory.* concurrency"):
        land_recording(FakeServer({"a": MemoryError()}), "a", tmp_path / "a.mp3")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_the_manifest_keeps_the_order_of_the_ids(tmp_path: Path, concurrency: int) -> None:
    server = FakeServer(CONTENT)
    landed = land_recordings(server, iter([*IDS, *IDS[:5]]), tmp_path, concurrency=concurrency)
    assert landed == LandedRecordings(str(tmp_path / "manifest.jsonl"), 40, 0, 0, SIZE)
    assert sorted(server.requested) == sorted(IDS)
    lines = lines_of(tmp_path)
    assert [line["id"] for line in lines] == IDS
    assert list(lines[0]) == ["id", "path", "file_name", "bytes", "sha256", "status", "error"]
    for line in lines:
        content = Path(line["path"]).read_bytes()
        assert content == CONTENT[line["id"]]
        assert (line["bytes"], line["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert len(list(tmp_path.iterdir())) == 41


def test_another_run_skips_all_recordings_without_reading_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land_recordings(FakeServer(CONTENT), IDS, tmp_path)
    first = lines_of(tmp_path)
    server = FakeServer({})
    monkeypatch.setattr("airflow_provider_alloincognito.landing.recordings.open_for_reading", None)
    for _ in range(2):
        landed = land_recordings(server, IDS, tmp_path)
        assert landed == LandedRecordings(str(tmp_path / "manifest.jsonl"), 0, 40, 0, SIZE)
        assert lines_of(tmp_path) == [line | {"status": "skipped"} for line in first]
    assert not server.requested


def test_a_file_that_differs_from_the_manifest_is_fetched_again(tmp_path: Path) -> None:
    land_recordings(FakeServer(CONTENT), IDS, tmp_path)
    (tmp_path / "id-1.mp3").write_bytes(b"other")
    (tmp_path / "id-2.mp3").unlink()
    server = FakeServer(CONTENT)
    assert land_recordings(server, IDS, tmp_path).fetched == 2
    assert sorted(server.requested) == ["id-1", "id-2"]
    assert (tmp_path / "id-1.mp3").read_bytes() == CONTENT["id-1"]


def test_all_recordings_are_fetched_again_if_existing_ones_are_not_skipped(tmp_path: Path) -> None:
    land_recordings(FakeServer(CONTENT), IDS, tmp_path)
    assert land_recordings(FakeServer(CONTENT), IDS, tmp_path, skip_existing=False).fetched == 40


def test_a_file_that_is_in_no_manifest_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "id-1.mp3").write_bytes(CONTENT["id-1"])
    (tmp_path / "id-2.mp3").touch()
    land_recordings(FakeServer(CONTENT), ["id-1", "id-2"], tmp_path)
    first, second = lines_of(tmp_path)
    assert (first["status"], first["file_name"], first["bytes"]) == ("skipped", None, 1501)
    assert first["sha256"] == hashlib.sha256(CONTENT["id-1"]).hexdigest()
    assert second["status"] == "fetched"


def test_one_failure_does_not_stop_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    errors: dict[str, bytes | Exception] = {
        "id-3": AlloincognitoApiError("getcallrecordfile", 7, "no such record"),
        "id-5": RuntimeError("canary 79120000001"),
        "id-7": b"",
    }
    manifest = tmp_path / "manifests" / "day.jsonl"
    with caplog.at_level(logging.INFO):
        landed = land_recordings(
            FakeServer(CONTENT | errors), [*IDS, "../up", ".hidden", ""], tmp_path, manifest=manifest
        )
    assert (landed.fetched, landed.failed, landed.manifest) == (37, 6, str(manifest))
    lines = {line.id: line for line in read_manifest(manifest)}
    failed = {name: line for name, line in lines.items() if line.status == "failed"}
    assert list(failed) == ["id-3", "id-5", "id-7", "../up", ".hidden", ""]
    assert (failed["id-3"].error or "").startswith("AlloincognitoApiError: AlloIncognito's getcallrecordfile responded")
    assert failed["id-5"].error == "RuntimeError"
    assert (
        failed["id-7"].error
        == "AlloincognitoRecordingError: The recording is empty, so no file was written. Try again later."
    )
    assert "not a safe file name" in (failed["../up"].error or "")
    assert all(line.path is line.bytes is line.sha256 is None for line in failed.values())
    assert "Recording id-3 failed: AlloincognitoApiError" in caplog.text
    assert "Fetched 37, skipped 0, failed 6" in caplog.text
    assert "79120000001" not in caplog.text
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert land_recordings(FakeServer(CONTENT), ["id-3"], tmp_path, manifest=manifest).fetched == 1


def test_an_id_that_may_be_a_phone_number_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The field with the callers' numbers was named as the one with the ids."""
    plain, uuid = "record-7", "12345678-1234-1234-1234-123456789012"
    ids = ["79120000001", "8-912-000-00-02", "a" * 64, plain, uuid]
    error = AlloincognitoApiError("getcallrecordfile", 404, "no such record")
    for one in ids:
        (tmp_path / f"{one}.mp3").mkdir()
    with caplog.at_level(logging.INFO):
        land_recordings(FakeServer(dict.fromkeys(ids, error)), ids, tmp_path, skip_existing=False)
        land_recordings(FakeServer(dict.fromkeys(ids, b"mp3")), ids, tmp_path, skip_existing=False)
    assert not [one for one in ids[:3] if one in caplog.text]
    assert caplog.text.count("whose id looks like a phone number or a token") == 6
    assert all(caplog.text.count(f"Recording {one} failed") == 2 for one in (plain, uuid))
    assert caplog.text.count("no such record") == len(ids)
    assert caplog.text.count("AlloincognitoTargetError") == len(ids), "the error's text names the file"


@pytest.mark.parametrize("cuts", [1, MOST_TRUNCATED + 1])
def test_a_truncated_recording_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cuts: int) -> None:
    pauses: list[int] = []
    monkeypatch.setattr(recordings, "backoff", lambda failures, rng: pauses.append(failures) or 0.01)
    requested: list[str] = []

    @contextmanager
    def fetch(record_file_id: str) -> Iterator[Mp3]:
        def chunks() -> Iterator[bytes]:
            yield CONTENT[record_file_id][:1000]
            if record_file_id == "id-3" and requested.count("id-3") <= cuts:
                raise AlloincognitoTruncatedError("cut off")
            yield CONTENT[record_file_id][1000:]

        requested.append(record_file_id)
        yield Mp3(chunks())

    landed = land_recordings(fetch, IDS, tmp_path)
    again = min(cuts, MOST_TRUNCATED)
    assert sorted(requested) == sorted([*IDS, *["id-3"] * again])
    assert pauses == list(range(1, again + 1))
    assert landed.failed == (cuts > MOST_TRUNCATED)
    line = next(line for line in lines_of(tmp_path) if line["id"] == "id-3")
    if cuts == 1:
        assert (tmp_path / "id-3.mp3").read_bytes() == CONTENT["id-3"]
        assert line["sha256"] == hashlib.sha256(CONTENT["id-3"]).hexdigest()
    else:
        assert line["error"] == "AlloincognitoTruncatedError: cut off"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_rejected_token_stops_the_run_at_once(tmp_path: Path, concurrency: int) -> None:
    requested: list[str] = []

    @contextmanager
    def fetch(record_file_id: str) -> Iterator[Mp3]:
        requested.append(record_file_id)
        if record_file_id == "id-9":
            raise AlloincognitoAuthError("rejected")
        if len(requested) > 9:
            time.sleep(0.5)
        yield Mp3([b"mp3"])

    with pytest.raises(AlloincognitoAuthError, match="rejected"):
        land_recordings(fetch, IDS, tmp_path, concurrency=concurrency)
    assert len(requested) <= 10 + 2 * concurrency
    assert not (tmp_path / "manifest.jsonl").exists()
    server = FakeServer(CONTENT)
    landed = land_recordings(server, IDS, tmp_path)
    assert landed.skipped >= 10 - concurrency
    assert landed.fetched == len(server.requested) == 40 - landed.skipped


def test_an_interrupt_ends_the_recordings_that_are_being_fetched(tmp_path: Path) -> None:
    started = threading.Event()

    @contextmanager
    def endless(record_file_id: str) -> Iterator[Mp3]:
        def chunks() -> Iterator[bytes]:
            while True:
                started.set()
                yield b"mp3"

        yield Mp3(chunks())

    def ids() -> Iterator[str]:
        yield "id-1"
        started.wait()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land_recordings(endless, ids(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_ids_are_read_only_as_far_as_they_are_needed(tmp_path: Path) -> None:
    taken = landed = 0

    def ids() -> Iterator[str]:
        nonlocal taken
        for n in range(1000):
            taken += 1
            yield f"id-{n}"

    @contextmanager
    def fetch(record_file_id: str) -> Iterator[Mp3]:
        nonlocal landed
        assert taken - landed < 100
        yield Mp3([b"mp3"])
        landed += 1

    assert land_recordings(fetch, ids(), tmp_path, concurrency=1).fetched == 1000


def test_a_concurrency_of_0_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 or more, not 0"):
        land_recordings(FakeServer(CONTENT), IDS, tmp_path, concurrency=0)


KILLED = """
    import os, signal, sys
    sys.path.insert(0, sys.argv[3])
    from contextlib import contextmanager
    from landing_samples import Mp3
    from airflow_provider_alloincognito.landing.stores import local as local_files
    from airflow_provider_alloincognito.landing.recordings import land_recordings
    def kill(*_):
        os.kill(os.getpid(), signal.SIGKILL)
    moment, requested = sys.argv[2], []
    @contextmanager
    def fetch(record_file_id):
        requested.append(record_file_id)
        def chunks():
            yield b"x" * 100_000
            if moment == "within a recording" and len(requested) == 20:
                kill()
            yield b"y"
        if moment == "between recordings" and len(requested) == 20:
            kill()
        yield Mp3(chunks())
    if moment == "before the manifest":
        replace = os.replace
        local_files.os.replace = lambda old, new: kill() if new.endswith(".jsonl") else replace(old, new)
    land_recordings(fetch, [f"id-{n}" for n in range(40)], sys.argv[1], concurrency=1)
"""


@pytest.mark.parametrize("moment", ["within a recording", "between recordings", "before the manifest"])
def test_a_killed_run_is_resumed(tmp_path: Path, moment: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), moment, os.path.dirname(__file__)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    whole = {path.name for path in tmp_path.glob("*.mp3") if not path.name.startswith(".")}
    assert len(whole) == (40 if moment == "before the manifest" else 19)
    assert all((tmp_path / name).stat().st_size == 100_001 for name in whole)
    with (tmp_path / ".manifest.jsonl.journal").open("ab") as journal:
        journal.write(b'{"id":"id-39","path":')  # half a line
    server = FakeServer(dict.fromkeys(IDS, b"x" * 100_000 + b"y"))
    landed = land_recordings(server, IDS, tmp_path)
    assert (landed.skipped, landed.fetched) == (len(whole), 40 - len(whole))
    assert len(server.requested) == landed.fetched
    assert sum(line["file_name"] is not None for line in lines_of(tmp_path)) >= 38
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.mp3" for name in IDS} | {"manifest.jsonl"}
