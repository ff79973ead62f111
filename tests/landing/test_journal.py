"""The journal is a help: a run that cannot write, read or remove it ends as it would without one."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from landing_samples import Place, Stand
from pytest_mock import MockerFixture
from s3_server import S3

from airflow_provider_alloincognito.errors import AlloincognitoAuthError
from airflow_provider_alloincognito.landing import manifest as journal_module
from airflow_provider_alloincognito.landing.manifest import read_manifest
from airflow_provider_alloincognito.landing.recordings import land_recordings

CONTENT: dict[str, bytes | Exception] = {f"id-{n}": bytes([n]) * 300 for n in range(20)}
IDS = list(CONTENT)
JOURNAL = ".manifest.jsonl.journal"

Refuse = Callable[[str], Any]


@pytest.fixture
def refusing(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Give an S3 that does one thing with no journal, as with a role that lacks the right."""

    def make(method: str) -> Any:
        fs = s3.file_system()
        real = fs._call_s3

        async def call(asked: str, *arguments: Any, **named: Any) -> Any:
            if asked == method and named.get("Key", "").endswith(JOURNAL):
                raise PermissionError("Access Denied")
            return await real(asked, *arguments, **named)

        monkeypatch.setattr(fs, "_call_s3", call)
        return fs

    return make


def names(fs: Any, folder: str) -> set[str]:
    fs.invalidate_cache()
    return {path.removeprefix(f"{folder}/") for path in fs.find(folder)}


def landed_names() -> set[str]:
    return {f"{name}.mp3" for name in IDS} | {"manifest.jsonl"}


def interrupted(*ids: str) -> Iterator[str]:
    yield from ids
    raise KeyboardInterrupt


def journal_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]


@pytest.mark.system
def test_a_role_that_may_not_delete_lands_recordings(
    refusing: Refuse, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    fs = refusing("delete_object")
    for fetched, skipped in ((20, 0), (0, 20)):
        landed = land_recordings(Stand(CONTENT), IDS, Place(fs, bucket))
        assert (landed.fetched, landed.skipped) == (fetched, skipped)
        assert names(fs, bucket) == landed_names()
    assert journal_warnings(caplog) == []


@pytest.mark.system
def test_a_journal_that_cannot_be_removed_is_a_warning_and_is_not_believed_later(
    refusing: Refuse, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    fs = refusing("delete_object")
    with pytest.raises(KeyboardInterrupt):
        land_recordings(Stand(CONTENT), interrupted("id-1"), Place(fs, bucket), concurrency=1)
    assert land_recordings(Stand(CONTENT), IDS, Place(fs, bucket)).skipped == 1
    [said] = journal_warnings(caplog)
    assert f"does not remove {bucket}/{JOURNAL} (PermissionError: Access Denied)" in said
    assert "All the same, the manifest is complete" in said
    other = dict.fromkeys(IDS, b"x" * 300)
    land_recordings(Stand(other), IDS, Place(fs, bucket), skip_existing=False)
    land_recordings(Stand({}), IDS, Place(fs, bucket))
    digests = {line.sha256 for line in read_manifest(Place(fs, f"{bucket}/manifest.jsonl"))}  # type: ignore[arg-type]
    assert digests == {hashlib.sha256(b"x" * 300).hexdigest()}
    assert len(journal_warnings(caplog)) == 1


@pytest.mark.system
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_journal_that_a_store_refuses_is_one_warning(
    refusing: Refuse,
    bucket: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    concurrency: int,
) -> None:
    monkeypatch.setattr(journal_module, "CHECKPOINT_SECONDS", 0.0)
    fs = refusing("put_object")
    assert land_recordings(Stand(CONTENT), IDS, Place(fs, bucket), concurrency=concurrency).fetched == 20
    assert names(fs, bucket) == landed_names()
    [said] = journal_warnings(caplog)
    assert f"does not take {bucket}/{JOURNAL} (PermissionError: Access Denied)" in said
    assert "The run goes on" in said


@pytest.mark.system
def test_a_refused_checkpoint_is_not_tried_again_at_once(
    refusing: Refuse, bucket: str, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "CHECKPOINT_SECONDS", 0.5)
    fs = refusing("put_object")
    journal = journal_module.journal_of(Place(fs, f"{bucket}/m.jsonl"), mocker.Mock())  # type: ignore[arg-type]
    tried = mocker.spy(journal_module, "whole_file")
    time.sleep(0.5)
    for name in IDS:
        journal.add(journal_module.ManifestLine(name, None, None, None, None, "failed"))
    assert tried.call_count == 1


@pytest.mark.system
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_refused_journal_does_not_hide_a_rejected_token(refusing: Refuse, bucket: str, concurrency: int) -> None:
    fs = refusing("put_object")
    stand = Stand({**CONTENT, "id-9": AlloincognitoAuthError("rejected")})
    with pytest.raises(AlloincognitoAuthError, match="rejected"):
        land_recordings(stand, IDS, Place(fs, bucket), concurrency=concurrency)


def test_a_place_without_room_for_a_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / JOURNAL).mkdir()
    stand = Stand({**CONTENT, "id-9": AlloincognitoAuthError("rejected")})
    with pytest.raises(AlloincognitoAuthError, match="rejected"):
        land_recordings(stand, IDS, tmp_path, concurrency=1)
    assert land_recordings(Stand(CONTENT), IDS, tmp_path).fetched == 11
    first, second, removal = journal_warnings(caplog)
    assert first == second
    assert f"{tmp_path / JOURNAL}: Is a directory" in first
    assert f"Cannot remove {tmp_path / JOURNAL}" in removal


def test_all_anew_ends_with_an_earlier_journal_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        land_recordings(Stand(CONTENT), interrupted("id-1"), tmp_path, concurrency=1)
    assert (tmp_path / JOURNAL).exists()
    land_recordings(Stand(CONTENT), IDS, tmp_path, skip_existing=False)
    assert {path.name for path in tmp_path.iterdir()} == landed_names()


@pytest.mark.system
def test_a_folder_is_not_listed_at_each_checkpoint(
    sftp: Any, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "CHECKPOINT_SECONDS", 0.0)
    fs = sftp.file_system()
    place = Place(fs, "/checkpoints")
    monkeypatch.setattr(Place, "protocol", "sftp")
    listed = mocker.spy(fs, "ls")
    assert land_recordings(Stand(CONTENT), IDS, place).fetched == 20
    assert listed.call_count <= 3  # for the recordings, the manifest, the journal
    fs.rm("/checkpoints", recursive=True)
