"""A run that cannot write, read or remove its journal ends as it would without one; code: landing/manifest.py."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from landing_samples import FakeServer, Place
from pytest_mock import MockerFixture
from s3_server import S3

from airflow_provider_alloincognito.errors import AlloincognitoAuthError
from airflow_provider_alloincognito.landing import manifest as manifest_module
from airflow_provider_alloincognito.landing.manifest import ManifestLine, journal_of, read_manifest
from airflow_provider_alloincognito.landing.recordings import land_recordings

CONTENT: dict[str, bytes | Exception] = {f"id-{n}": bytes([n]) * 300 for n in range(20)}
IDS = list(CONTENT)
JOURNAL = ".manifest.jsonl.journal"

StoreWithout = Callable[[str], Any]


@pytest.fixture
def store_without(s3: S3, monkeypatch: pytest.MonkeyPatch) -> StoreWithout:
    """Return an S3 that denies one method for journals, as for a role that lacks the permission."""

    def make(method: str) -> Any:
        fs = s3.file_system()
        real = fs._call_s3

        async def call(requested: str, *arguments: Any, **named: Any) -> Any:
            if requested == method and named.get("Key", "").endswith(JOURNAL):
                raise PermissionError("Access Denied")
            return await real(requested, *arguments, **named)

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
    store_without: StoreWithout, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    fs = store_without("delete_object")
    for fetched, skipped in ((20, 0), (0, 20)):
        landed = land_recordings(FakeServer(CONTENT), IDS, Place(fs, bucket))
        assert (landed.fetched, landed.skipped) == (fetched, skipped)
        assert names(fs, bucket) == landed_names()
    assert journal_warnings(caplog) == []


@pytest.mark.system
def test_a_journal_that_cannot_be_removed_is_a_warning_and_is_ignored_later(
    store_without: StoreWithout, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    fs = store_without("delete_object")
    with pytest.raises(KeyboardInterrupt):
        land_recordings(FakeServer(CONTENT), interrupted("id-1"), Place(fs, bucket), concurrency=1)
    assert land_recordings(FakeServer(CONTENT), IDS, Place(fs, bucket)).skipped == 1
    [warning] = journal_warnings(caplog)
    assert f"Cannot remove {bucket}/{JOURNAL} in the store (PermissionError: Access Denied)" in warning
    assert "the manifest is complete" in warning
    other = dict.fromkeys(IDS, b"x" * 300)
    land_recordings(FakeServer(other), IDS, Place(fs, bucket), skip_existing=False)
    land_recordings(FakeServer({}), IDS, Place(fs, bucket))
    digests = {line.sha256 for line in read_manifest(Place(fs, f"{bucket}/manifest.jsonl"))}  # type: ignore[arg-type]
    assert digests == {hashlib.sha256(b"x" * 300).hexdigest()}
    assert len(journal_warnings(caplog)) == 1


@pytest.mark.system
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_journal_that_cannot_be_written_is_one_warning(
    store_without: StoreWithout,
    bucket: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    concurrency: int,
) -> None:
    monkeypatch.setattr(manifest_module, "CHECKPOINT_SECONDS", 0.0)
    fs = store_without("put_object")
    assert land_recordings(FakeServer(CONTENT), IDS, Place(fs, bucket), concurrency=concurrency).fetched == 20
    assert names(fs, bucket) == landed_names()
    [warning] = journal_warnings(caplog)
    assert f"Cannot write {bucket}/{JOURNAL} in the store (PermissionError: Access Denied)" in warning
    assert "The run continues" in warning


@pytest.mark.system
def test_a_checkpoint_that_failed_is_not_retried_at_once(
    store_without: StoreWithout, bucket: str, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_module, "CHECKPOINT_SECONDS", 0.05)
    fs = store_without("put_object")
    journal = journal_of(Place(fs, f"{bucket}/m.jsonl"), mocker.Mock())  # type: ignore[arg-type]
    tried = mocker.spy(manifest_module, "whole_file")
    time.sleep(0.05)
    monkeypatch.setattr(manifest_module, "CHECKPOINT_SECONDS", 60.0)
    for name in IDS:
        journal.add(ManifestLine(name, None, None, None, None, "failed"))
    assert tried.call_count == 1


@pytest.mark.system
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_journal_that_cannot_be_written_does_not_hide_a_rejected_token(
    store_without: StoreWithout, bucket: str, concurrency: int
) -> None:
    fs = store_without("put_object")
    server = FakeServer({**CONTENT, "id-9": AlloincognitoAuthError("rejected")})
    with pytest.raises(AlloincognitoAuthError, match="rejected"):
        land_recordings(server, IDS, Place(fs, bucket), concurrency=concurrency)


def test_a_folder_in_place_of_the_journal_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / JOURNAL).mkdir()
    server = FakeServer({**CONTENT, "id-9": AlloincognitoAuthError("rejected")})
    with pytest.raises(AlloincognitoAuthError, match="rejected"):
        land_recordings(server, IDS, tmp_path, concurrency=1)
    assert land_recordings(FakeServer(CONTENT), IDS, tmp_path).fetched == 11
    first, second, removal = journal_warnings(caplog)
    assert first == second
    assert f"{tmp_path / JOURNAL}: Is a directory" in first
    assert f"Cannot remove {tmp_path / JOURNAL}" in removal


def _plant_link(journal: Path, victim: Path) -> None:
    journal.symlink_to(victim)


def _plant_dangling_link(journal: Path, victim: Path) -> None:
    journal.symlink_to(victim.parent / "new")


def _plant_hard_link(journal: Path, victim: Path) -> None:
    journal.hardlink_to(victim)


def _plant_readable_file(journal: Path, victim: Path) -> None:
    journal.touch()
    journal.chmod(0o666)


def _plant_pipe(journal: Path, victim: Path) -> None:
    os.mkfifo(journal, 0o666)


@pytest.mark.parametrize(
    "plant", [_plant_link, _plant_dangling_link, _plant_hard_link, _plant_readable_file, _plant_pipe]
)
def test_what_somebody_put_in_place_of_the_journal_is_not_written_to(
    tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    folder, victim = tmp_path / "day", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("not yours")
    plant(folder / JOURNAL, victim)
    with pytest.raises(KeyboardInterrupt):
        land_recordings(FakeServer(CONTENT), interrupted("id-1", "id-2"), folder, concurrency=1)
    assert victim.read_text() == "not yours"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["day", "victim"]
    found = os.lstat(folder / JOURNAL)
    assert (stat.S_ISREG(found.st_mode), stat.S_IMODE(found.st_mode)) == (True, 0o600)
    assert land_recordings(FakeServer(CONTENT), IDS, folder).skipped == 2
    assert {path.name for path in folder.iterdir()} == landed_names()


def test_a_run_that_is_interrupted_twice_keeps_the_lines_of_both(tmp_path: Path) -> None:
    for one in ("id-1", "id-2"):
        with pytest.raises(KeyboardInterrupt):
            land_recordings(FakeServer(CONTENT), interrupted(one), tmp_path, concurrency=1)
    land_recordings(FakeServer(CONTENT), IDS, tmp_path)
    assert all(line.file_name == "79120000001.mp3" for line in read_manifest(tmp_path / "manifest.jsonl"))


def test_fetching_everything_again_removes_an_earlier_journal(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        land_recordings(FakeServer(CONTENT), interrupted("id-1"), tmp_path, concurrency=1)
    assert (tmp_path / JOURNAL).exists()
    land_recordings(FakeServer(CONTENT), IDS, tmp_path, skip_existing=False)
    assert {path.name for path in tmp_path.iterdir()} == landed_names()


@pytest.mark.system
def test_a_folder_is_not_listed_at_each_checkpoint(
    sftp: Any, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_module, "CHECKPOINT_SECONDS", 0.0)
    fs = sftp.file_system()
    place = Place(fs, "/checkpoints")
    monkeypatch.setattr(Place, "protocol", "sftp")
    listed = mocker.spy(fs, "ls")
    assert land_recordings(FakeServer(CONTENT), IDS, place).fetched == 20
    assert listed.call_count <= 3  # for the recordings, the manifest, the journal
    fs.rm("/checkpoints", recursive=True)
