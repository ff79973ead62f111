"""Files are whole in a real S3 and a real SFTP server, by Airflow's own paths; code: landing/stores/remote.py."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from cutting_proxy import CuttingProxy
from landing_samples import FakeServer, Place, batches_of
from s3_server import S3

from airflow_provider_alloincognito.errors import AlloincognitoTargetError
from airflow_provider_alloincognito.landing import manifest as manifest_module
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.manifest import read_manifest
from airflow_provider_alloincognito.landing.recordings import land_recordings
from airflow_provider_alloincognito.landing.stores import remote as stores, whole_file
from airflow_provider_alloincognito.landing.stores.targets import size_of, temporary_name
from airflow_provider_alloincognito.landing.tables.schema import read_schema

pytestmark = [
    pytest.mark.system,
    # Airflow 2.11's own way to join a path
    pytest.mark.filterwarnings("ignore:in a future version of UPath:PendingDeprecationWarning"),
]

PARTS = 3 * stores.PART_BYTES
PROTOCOLS = ["s3", "sftp"]


class Store:
    """A folder in a store: Airflow's paths to it, and the files that really are in it."""

    def __init__(self, protocol: str, fs: Any, folder: str) -> None:
        self.protocol, self.fs, self.folder = protocol, fs, folder

    def path(self, name: str = "") -> Any:
        sdk: Any = pytest.importorskip("airflow_provider_alloincognito.compat")
        return sdk.ObjectStoragePath(f"{self.url}/{name}".rstrip("/"))

    @property
    def url(self) -> str:
        return f"s3://{self.folder}" if self.protocol == "s3" else f"sftp://127.0.0.1{self.folder}"

    def files(self) -> dict[str, bytes]:
        self.fs.invalidate_cache()
        found = self.fs.find(self.folder)
        return {path.partition(f"{self.folder}/")[2]: self.fs.cat_file(path) for path in found}

    def unfinished(self) -> list[str]:
        """Uploads in S3 that were neither completed nor aborted."""
        if self.protocol != "s3":
            return []
        return [upload["Key"] for upload in self.fs.list_multipart_uploads(self.folder.partition("/")[0])]


@pytest.fixture(params=PROTOCOLS)
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    if request.param == "s3":
        fs, folder = request.getfixturevalue("s3").file_system(), request.getfixturevalue("bucket")
    else:
        fs, folder = request.getfixturevalue("sftp").file_system(), "/landing"
        fs.makedirs(folder, exist_ok=True)
    try:
        from airflow.sdk.io.store import _STORE_CACHE, attach
    except ImportError:
        from airflow.io.store import _STORE_CACHE, attach
    attach(request.param, fs=fs)
    yield Store(request.param, fs, folder)
    _STORE_CACHE.clear()
    fs.rm(folder, recursive=True)


@pytest.mark.parametrize("size", [0, 5, stores.PART_BYTES, PARTS, PARTS + 5])
def test_a_file_appears_at_the_end(store: Store, size: int) -> None:
    content = random.Random(size).randbytes(size)
    with whole_file(store.path("day/calls")) as file:
        for at in range(0, size, 1_000_003):
            file.write(content[at : at + 1_000_003])
        assert "day/calls" not in store.files()
    assert store.files() == {"day/calls": content}
    assert not store.unfinished()


@pytest.mark.parametrize("size", [5, PARTS])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_earlier_file_and_nothing_else(store: Store, size: int, error: type[BaseException]) -> None:
    store.fs.pipe_file(f"{store.folder}/calls", b"before")
    with pytest.raises(error), whole_file(store.path("calls")) as file:  # noqa: PT012 - while writing
        file.write(bytes(size))
        raise error
    assert store.files() == {"calls": b"before"}
    assert not store.unfinished()


@pytest.mark.parametrize("suffix", ["parquet", "jsonl.gz", "csv"])
def test_rows_land(store: Store, suffix: str, tmp_path: Path) -> None:
    rows = [{"id": n, "number": f"7912{n:07}"} for n in range(1000)]
    landed = land_calls(batches_of(rows), store.path(f"calls.{suffix}"))
    local = land_calls(batches_of(rows), tmp_path / f"calls.{suffix}")
    assert store.files() == {f"calls.{suffix}": Path(local.path).read_bytes()}
    assert (landed.rows, landed.bytes) == (1000, local.bytes)
    assert landed.path == str(store.path(f"calls.{suffix}"))


def test_recordings_land_and_are_skipped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_module, "CHECKPOINT_SECONDS", 0.0)
    content: dict[str, bytes | Exception] = {f"id-{n}": bytes([n]) * 30_000 for n in range(20)}
    content["long"] = bytes(PARTS)
    ids = [*content, "missing"]
    landed = land_recordings(FakeServer(content), ids, store.path("records"), concurrency=4)
    assert (landed.fetched, landed.failed) == (21, 1)
    files = store.files()
    lines = [json.loads(line) for line in files.pop("records/manifest.jsonl").splitlines()]
    assert files == {f"records/{name}.mp3": mp3 for name, mp3 in content.items()}
    assert [line["id"] for line in lines] == ids
    assert lines[20]["sha256"] == hashlib.sha256(bytes(PARTS)).hexdigest()
    server = FakeServer(content)
    assert land_recordings(server, ids, store.path("records")).skipped == 21
    store.fs.rm_file(f"{store.folder}/records/manifest.jsonl")
    assert land_recordings(server, ids, store.path("records")).skipped == 21
    assert server.requested == ["missing"] * 2
    assert [json.loads(line) for line in store.files()["records/manifest.jsonl"].splitlines()] == [
        line | {"status": line["status"].replace("fetched", "skipped"), "file_name": None} for line in lines
    ]


def test_a_journal_in_a_store_saves_reading_the_files(store: Store) -> None:
    def interrupted(*ids: str) -> Iterator[str]:
        yield from ids
        raise KeyboardInterrupt

    server = FakeServer({"a": b"mp3", "b": b"mp3"})
    with pytest.raises(KeyboardInterrupt):
        land_recordings(server, interrupted(), store.path(), concurrency=1)
    assert ".manifest.jsonl.journal" not in store.files()  # nothing has landed
    with pytest.raises(KeyboardInterrupt):
        land_recordings(server, interrupted("a", "b"), store.path(), concurrency=1)
    assert len(store.files()[".manifest.jsonl.journal"].splitlines()) == 2
    land_recordings(FakeServer({}), ["a", "b"], store.path())
    assert list(store.files()) == ["a.mp3", "b.mp3", "manifest.jsonl"]


KILLED = """
    import json, os, signal, sys, threading
    import fsspec
    from airflow_provider_alloincognito.landing.stores import whole_file
    protocol, path, options, seconds = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), float(sys.argv[4])
    class Place:
        fs = fsspec.filesystem(protocol, **options)
    Place.protocol, Place.path = protocol, path
    Place.fs.ls(path.rpartition("/")[0])
    threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    while True:
        with whole_file(Place) as file:
            for _ in range(50):
                file.write(bytes(500_000))
"""


@pytest.mark.parametrize("round_", [0, pytest.param(1, marks=[pytest.mark.long, pytest.mark.stores])])
def test_the_next_run_removes_what_a_killed_one_left(store: Store, round_: int, request: pytest.FixtureRequest) -> None:
    path = f"{store.folder}/day/calls"
    store.fs.makedirs(f"{store.folder}/day", exist_ok=True)
    store.fs.pipe_file(path, bytes(25_000_000))
    options = request.getfixturevalue(store.protocol).options()
    for _ in range(int(os.environ.get("ALLOINCOGNITO_KILLS", 2))):
        seconds = random.uniform(0, 0.6)
        command = [
            sys.executable,
            "-c",
            textwrap.dedent(KILLED),
            store.protocol,
            path,
            json.dumps(options),
            str(seconds),
        ]
        assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
        assert store.files()["day/calls"] == bytes(25_000_000)
    with whole_file(store.path("day/calls")) as file:
        file.write(b"after")
    assert store.files() == {"day/calls": b"after"}
    assert not store.unfinished()


def test_a_signal_while_an_upload_begins_leaves_no_upload(
    s3: S3, bucket: str, monkeypatch: pytest.MonkeyPatch, signals: Callable[[type[BaseException]], None]
) -> None:
    fs = s3.file_system()
    call_s3 = fs.call_s3

    def interrupted(method: str, *args: Any, **kwargs: Any) -> Any:
        response = call_s3(method, *args, **kwargs)
        if method == "create_multipart_upload":
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.2)
        return response

    monkeypatch.setattr(fs, "call_s3", interrupted)
    signals(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt), whole_file(cast(Any, Place(fs, f"{bucket}/calls"))) as file:
        file.write(bytes(PARTS))
    assert fs.list_multipart_uploads(bucket) == []


@pytest.fixture
def signals() -> Iterator[Callable[[type[BaseException]], None]]:
    """Raise an error of this class in the main thread whenever SIGUSR1 comes."""

    def let_raise(error: type[BaseException]) -> None:
        def handler(*_: object) -> None:
            raise error

        signal.signal(signal.SIGUSR1, handler)

    before = signal.getsignal(signal.SIGUSR1)
    yield let_raise
    signal.signal(signal.SIGUSR1, before)


def test_uploads_of_other_files_are_not_removed(s3: Any, bucket: str) -> None:
    fs = s3.file_system()
    for key in ("day/calls", "day/calls.jsonl", "calls"):
        fs.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    leftovers = stores.RemoteLeftovers(fs, f"{bucket}/day", "s3")
    leftovers.remove("calls")
    assert sorted(upload["Key"] for upload in fs.list_multipart_uploads(bucket)) == ["calls", "day/calls.jsonl"]


@pytest.mark.parametrize("size", [5, PARTS])
def test_a_wrong_secret_is_a_clear_error(s3: Any, bucket: str, size: int) -> None:
    class Place:
        fs = s3.file_system("wrong")
        protocol = "s3"
        path = f"{bucket}/calls"

    place: Any = Place
    with (
        pytest.raises(
            AlloincognitoTargetError,
            match=r"Cannot write .*/calls in the store \(PermissionError: .*signature.*credentials",
        ),
        whole_file(place) as file,
    ):
        file.write(bytes(size))
    assert s3.file_system().ls(bucket) == []


def test_an_upload_that_was_begun_twice_is_aborted_although_its_recording_exists(s3: S3, bucket: str) -> None:
    fs = s3.file_system()
    fs.call_s3("create_multipart_upload", Bucket=bucket, Key="a.mp3")
    fs.pipe_file(f"{bucket}/a.mp3", b"mp3")
    land_recordings(FakeServer({}), ["a"], Place(fs, bucket))
    assert fs.list_multipart_uploads(bucket) == []


def test_a_run_that_skips_a_recording_does_not_abort_another_that_fetches_it(store: Store) -> None:
    store.fs.pipe_file(f"{store.folder}/a.mp3", b"before")
    with whole_file(store.path("a.mp3")) as file:
        file.write(bytes(PARTS))
        assert land_recordings(FakeServer({}), ["a"], store.path()).skipped == 1
    assert store.files()["a.mp3"] == bytes(PARTS)
    assert not store.unfinished()


def test_leftovers_older_than_a_recording_are_removed(store: Store) -> None:
    if store.protocol == "s3":
        upload = {"Bucket": store.folder, "Key": "a.mp3"}
        upload |= {"UploadId": store.fs.call_s3("create_multipart_upload", **upload)["UploadId"]}
        store.fs.call_s3("upload_part", **upload, PartNumber=1, Body=b"half")
    else:
        store.fs.pipe_file(f"{store.folder}/{temporary_name('a.mp3')}", b"half")
    time.sleep(1.1)  # both servers return times in whole seconds
    store.fs.pipe_file(f"{store.folder}/a.mp3", b"mp3")
    assert land_recordings(FakeServer({}), ["a"], store.path()).skipped == 1
    assert list(store.files()) == ["a.mp3", "manifest.jsonl"]
    assert not store.unfinished()


def test_old_leftovers_of_files_that_nobody_writes_again_are_removed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave() -> None:
        if store.protocol == "s3":
            for key in ("forgotten.mp3", "below/forgotten.mp3"):
                store.fs.call_s3("create_multipart_upload", Bucket=store.folder, Key=key)
        else:
            store.fs.pipe_file(f"{store.folder}/{temporary_name('forgotten.mp3')}", b"half")

    leave()
    land_recordings(FakeServer({"a": b"mp3"}), ["a"], store.path())
    assert len(store.files()) + len(store.unfinished()) in (3, 4)
    time.sleep(1.1)  # both servers return times in whole seconds
    monkeypatch.setattr(stores, "ABANDONED", timedelta())
    land_recordings(FakeServer({}), ["a"], store.path())
    assert list(store.files()) == ["a.mp3", "manifest.jsonl"]
    assert store.unfinished() in ([], ["below/forgotten.mp3"])


@pytest.mark.parametrize("refused", ["open", "write", "close", "mv"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the closing of a file that refuses it
def test_a_store_that_refuses_every_write_ends_a_run(
    sftp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: str
) -> None:
    fs = sftp.file_system()
    fs.makedirs("/refusing", exist_ok=True)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    class Refusing:
        def __init__(self, file: Any) -> None:
            self._file = file

        def __getattr__(self, name: str) -> Any:
            return refuse if name == refused else getattr(self._file, name)

    real = fs.open
    monkeypatch.setattr(fs, "mv" if refused == "mv" else "open", refuse)
    if refused in ("write", "close"):
        monkeypatch.setattr(fs, "open", lambda path, mode, **given: Refusing(real(path, mode, **given)))
    monkeypatch.setattr(Place, "protocol", "sftp")
    server = FakeServer({f"id-{number}": b"mp3" for number in range(100)})
    with pytest.raises(AlloincognitoTargetError, match=r"5 recordings in a row .*/id-\d+\.mp3 .*Access Denied"):
        land_recordings(
            server, list(server.recordings), Place(fs, "/refusing"), manifest=tmp_path / "m", concurrency=16
        )
    assert len(server.requested) == (0 if refused == "open" else 5)
    monkeypatch.undo()
    assert fs.ls("/refusing", detail=False) == []


def test_files_that_another_worker_wrote_after_a_folder_was_listed_are_read(s3: S3, bucket: str) -> None:
    here, elsewhere = s3.file_system(), s3.file_system()
    elsewhere.pipe_file(f"{bucket}/x", b"")
    for ids in (["a"], ["a", "b"]):
        assert here.ls(bucket)
        land_recordings(FakeServer({"a": b"mp3", "b": b"mp3"}), ids, Place(elsewhere, bucket))
        assert land_recordings(FakeServer({}), ids, Place(here, bucket)).skipped == len(ids)
        lines = [json.loads(line) for line in elsewhere.cat_file(f"{bucket}/manifest.jsonl").splitlines()]
        assert [line["file_name"] for line in lines] == ["79120000001.mp3"] * len(ids)


def test_a_store_that_cannot_be_reached_is_a_clear_error(s3: S3, bucket: str) -> None:
    with CuttingProxy(s3.port) as proxy:
        fs = S3(proxy.port).file_system()
        fs.retries = 1
        fs.pipe_file(f"{bucket}/manifest.jsonl", b"\n" * stores.PART_BYTES)
        lines = read_manifest(Place(fs, f"{bucket}/manifest.jsonl"))
        proxy.after(5_000_000, proxy.down)
        with pytest.raises(
            AlloincognitoTargetError, match=r"Cannot read .*/manifest.jsonl in the store \(.*can be reached"
        ):
            list(lines)
        place = Place(fs, f"{bucket}/schema.json")
        for step in (lambda: size_of(place), lambda: read_schema(place)):
            with pytest.raises(AlloincognitoTargetError, match=r"Cannot read .*can be reached"):
                step()
