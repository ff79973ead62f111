"""A local file is whole: after errors, after SIGKILL, with several writers; code: landing/stores/local.py."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from landing_samples import FakeServer

from airflow_provider_alloincognito.errors import AlloincognitoTargetError
from airflow_provider_alloincognito.landing.formats import read_record_file_ids
from airflow_provider_alloincognito.landing.manifest import read_manifest
from airflow_provider_alloincognito.landing.recordings import land_recordings
from airflow_provider_alloincognito.landing.stores import leftovers_in, whole_file
from airflow_provider_alloincognito.landing.stores.targets import target_of, temporary_name


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_at_the_end_with_its_parent_folders(tmp_path: Path) -> None:
    target = tmp_path / "day=2026-01-01" / "calls.jsonl"
    with whole_file(target) as file:
        file.write(b"rows")
        assert not target.exists()
    assert target.read_bytes() == b"rows"
    assert names(target.parent) == ["calls.jsonl"]


@pytest.mark.parametrize("umask", [0o022, 0o277])
def test_only_the_owner_may_read_and_write_a_file(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        with whole_file(str(tmp_path / "calls")) as file:
            file.write(b"rows")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "calls").stat().st_mode) == 0o600


def test_a_signal_while_a_file_is_created_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fcntl, "flock", interrupt)
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "calls"):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_an_error_leaves_the_earlier_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "calls"
    target.write_bytes(b"before")
    with pytest.raises(error), whole_file(target) as file:  # noqa: PT012 - the error must occur while writing
        file.write(b"half")
        raise error
    assert target.read_bytes() == b"before"
    assert names(tmp_path) == ["calls"]


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(AlloincognitoTargetError, match=r"Cannot write .*file/calls: "),
        whole_file(tmp_path / "file" / "calls"),
    ):
        pass


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Limit the size of every file: has the effect of a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [1, 384 << 10])  # buffered until the end; written at once
def test_a_full_disk_is_named(tmp_path: Path, size: int) -> None:
    target = tmp_path / "calls"
    with (
        room_for(0),
        pytest.raises(AlloincognitoTargetError, match=rf"^Cannot write {target}: File too large\.$"),
        whole_file(target) as file,
    ):
        file.write(bytes(size))
    assert names(tmp_path) == []


ON_A_FULL_DISK = """
    import os, sys
    from airflow_provider_alloincognito.landing.recordings import land_recordings
    folder = sys.argv[1]
    with open(f"{folder}/filler", "wb", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)):
                pass
        except OSError:
            pass
    def fetch(record_file_id):
        print("REQUESTED")
        raise SystemExit
    land_recordings(fetch, ["a", "b", "c", "d", "e", "f"], folder + "/day", manifest=sys.argv[2])
"""


def test_a_full_disk_is_noticed_before_anything_is_requested(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(ON_A_FULL_DISK))
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=64k disk {disk}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a disk")
    run = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mount} && {sys.executable} {program} {disk} {tmp_path}/manifest"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "REQUESTED" not in run.stdout
    assert "AlloincognitoTargetError: 5 recordings in a row could not be written" in run.stderr
    assert "No space left on device" in run.stderr


def test_room_that_a_share_refuses_at_the_close_is_noticed_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> int:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    target = tmp_path / "calls"
    monkeypatch.setattr(os, "dup", refuse)
    with (
        pytest.raises(AlloincognitoTargetError, match=rf"Cannot write {target}: Disk quota exceeded"),
        whole_file(target) as file,
    ):
        file.write(b"rows")
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EROFS, errno.ENOSYS])
@pytest.mark.parametrize("calls", [["fchmod"], ["fchmod", "flock", "fstatvfs", "scandir"]])
def test_a_mount_that_refuses_all_but_writing_takes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, calls: list[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    for call in calls:
        monkeypatch.setattr(fcntl if call == "flock" else os, call, refuse)
    assert land_recordings(FakeServer({"a": b"mp3", "b": b"mp3"}), ["a", "b"], tmp_path / "day").fetched == 2
    monkeypatch.undo()
    assert names(tmp_path / "day") == ["a.mp3", "b.mp3", "manifest.jsonl"]


def _plant_pipe(path: Path) -> None:
    os.mkfifo(path)


def _plant_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("plant", [_plant_pipe, _plant_device])
def test_what_is_no_regular_file_is_not_read_but_named(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    """Nobody may write to a pipe, and a device may have no end."""
    for name in ("manifest.jsonl", "calls.jsonl"):
        plant(tmp_path / name)
    with pytest.raises(AlloincognitoTargetError, match=r"Cannot read .*/manifest\.jsonl: Not a regular file"):
        land_recordings(FakeServer({"a": b"mp3"}), ["a"], tmp_path)
    with pytest.raises(AlloincognitoTargetError, match=r"Cannot read .*/calls\.jsonl: Not a regular file"):
        list(read_record_file_ids(tmp_path / "calls.jsonl", "recordFileId"))


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    with (
        pytest.raises(AlloincognitoTargetError, match=r"Cannot write .*/calls: Is a directory"),
        whole_file(tmp_path / "calls"),
    ):
        pass
    assert names(tmp_path) == ["calls"]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("rows"),
        AlloincognitoTargetError("Cannot read it"),
        OSError("without an errno"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        OSError(errno.ENOSPC, "No space left on device", "another file"),
    ],
)
def test_an_error_of_the_rows_is_raised_as_it_is(tmp_path: Path, error: Exception) -> None:
    with room_for(0), pytest.raises(type(error)) as raised, whole_file(tmp_path / "calls") as file:  # noqa: PT012
        file.write(b"not on the disk yet")
        raise error
    assert raised.value is error
    assert names(tmp_path) == []


def test_the_manifest_says_why_recordings_could_not_be_written(tmp_path: Path) -> None:
    manifest = tmp_path / "manifests" / "day.jsonl"
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "records" / "a.mp3").mkdir(parents=True)
    server = FakeServer({"a": b"mp3", "b": bytes(90_000)})
    with room_for(50_000):
        land_recordings(server, ["a", "b"], tmp_path / "records", manifest=manifest)
    assert [line.error for line in read_manifest(manifest)] == [
        f"AlloincognitoTargetError: Cannot read {tmp_path}/records/a.mp3: Is a directory.",
        f"AlloincognitoTargetError: Cannot write {tmp_path}/records/b.mp3: File too large.",
    ]
    land_recordings(server, ["b"], file, manifest=manifest)
    [line] = read_manifest(manifest)
    assert line.error == f"AlloincognitoTargetError: Cannot read {file}/b.mp3: Not a directory."
    with pytest.raises(AlloincognitoTargetError, match=rf"^Cannot read {file}/manifest.jsonl: Not a directory\.$"):
        land_recordings(server, ["b"], file)
    with pytest.raises(AlloincognitoTargetError, match=rf"^Cannot read {manifest.parent}: Is a directory\.$"):
        land_recordings(server, ["b"], tmp_path / "records", manifest=manifest.parent)


def test_a_text_with_a_scheme_is_not_a_local_path() -> None:
    with pytest.raises(TypeError, match="ObjectStoragePath"), whole_file("s3://bucket/key"):
        pass


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from airflow_provider_alloincognito.landing.stores import local as local_files
    from airflow_provider_alloincognito.landing.stores import whole_file
    def kill(*_):
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[2] == "before the rename":
        local_files.os.replace = kill
    with whole_file(sys.argv[1]) as file:
        file.write(b"x" * 3_000_000)
        if sys.argv[2] == "while writing":
            kill()
"""


@pytest.mark.parametrize("moment", ["while writing", "before the rename"])
def test_the_next_run_removes_the_temporary_file_of_a_killed_one(tmp_path: Path, moment: str) -> None:
    target = tmp_path / "calls"
    target.write_bytes(b"before")
    (tmp_path / ".other.1-0123456789abcdef.part").touch()
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(target), moment], check=False)
    assert run.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"before"
    assert len(names(tmp_path)) == 3
    with whole_file(target) as file:
        file.write(b"after")
    assert target.read_bytes() == b"after"
    assert names(tmp_path) == [".other.1-0123456789abcdef.part", "calls"]


def test_the_temporary_file_of_a_living_writer_is_not_removed(tmp_path: Path) -> None:
    target = tmp_path / "calls"
    with whole_file(target) as first:
        first.write(b"first")
        with whole_file(target) as second:
            second.write(b"second")
        assert target.read_bytes() == b"second"
    assert target.read_bytes() == b"first"
    assert names(tmp_path) == ["calls"]


def test_a_temporary_file_removed_before_its_lock_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, removals = fcntl.flock, iter([True])

    def remove_first(descriptor: int, operation: int) -> None:
        if next(removals, False):
            for path in tmp_path.iterdir():
                path.unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with whole_file(tmp_path / "calls") as file:
        file.write(b"rows")
    assert (tmp_path / "calls").read_bytes() == b"rows"


def test_a_folder_is_searched_once_for_leftovers(tmp_path: Path) -> None:
    for name in ("a.mp3", "b.mp3"):
        (tmp_path / temporary_name(name)).touch()
    leftovers = leftovers_in(tmp_path)
    with whole_file(tmp_path / "a.mp3", leftovers=leftovers) as file:
        file.write(b"a")
    left = names(tmp_path)
    assert [target_of(name) for name in left] == ["b.mp3", None]


@pytest.mark.parametrize("locks", [True, False])
def test_old_leftovers_of_files_that_nobody_writes_again_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    old, new, link = (tmp_path / temporary_name(name) for name in ("old.mp3", "new.mp3", "link.mp3"))
    for path in (old, new, tmp_path / "not-ours.part"):
        path.touch()
        os.utime(path, (0, 0) if path != new else None)
    link.symlink_to(tmp_path / "not-ours.part")
    os.utime(link, (0, 0), follow_symlinks=False)
    if not locks:
        monkeypatch.setattr(fcntl, "flock", refuse)
    land_recordings(FakeServer({"a": b"mp3"}), ["a"], tmp_path)
    assert names(tmp_path) == sorted([new.name, "a.mp3", "manifest.jsonl", "not-ours.part"])


def test_an_old_leftover_with_a_living_writer_stays(tmp_path: Path) -> None:
    with whole_file(tmp_path / "slow.mp3") as file:
        file.write(b"slow")
        [temporary] = tmp_path.iterdir()
        os.utime(temporary, (0, 0))
        land_recordings(FakeServer({"a": b"mp3"}), ["a"], tmp_path)
    assert (tmp_path / "slow.mp3").read_bytes() == b"slow"


def test_an_object_storage_path_to_a_local_file(tmp_path: Path) -> None:
    sdk: Any = pytest.importorskip("airflow_provider_alloincognito.compat")
    target = sdk.ObjectStoragePath(f"file://{tmp_path}/day/calls")
    with whole_file(target) as file:
        file.write(b"rows")
    assert (tmp_path / "day" / "calls").read_bytes() == b"rows"
    assert names(tmp_path / "day") == ["calls"]
