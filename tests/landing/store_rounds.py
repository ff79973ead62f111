"""Rounds of landing through a proxy: one run that is killed or cut off at some point, then one that is not."""

from __future__ import annotations

import base64
import hashlib
import json
import multiprocessing
import os
import random
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import s3fs
from cutting_proxy import CuttingProxy
from landing_samples import FakeServer, Place, raw_batches
from s3_server import S3, SECRET_KEY

from airflow_provider_alloincognito.errors import AlloincognitoTargetError
from airflow_provider_alloincognito.landing import manifest as journal_module
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.recordings import land_recordings
from airflow_provider_alloincognito.landing.stores import remote as stores

KINDS = ["calls.jsonl", "calls.parquet", "records"]
SUCCEEDED = "succeeded"
MANIFEST = "records/manifest.jsonl"
ROWS = 3_500
SHORT, LONG = 60_000, 6 << 20
CONTROL_BYTES = 3_000
"""About what the first and the last requests of a landing take."""

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["s3fs", "pyarrow.parquet", "airflow_provider_alloincognito.landing.recordings"])


def land(kind: str, place: Any) -> int:
    """Land, and return how many recordings failed."""
    stores.PART_BYTES = 5 << 20  # the least that S3 takes
    if kind == "records":
        journal_module.CHECKPOINT_SECONDS = 0.0
        return land_recordings(FakeServer(recordings()), recordings(), place).failed
    land_calls(raw_batches(rows(), 100), place)
    return 0


@cache
def rows() -> list[bytes]:
    content = random.Random(0)
    return [b'{"id":%d,"text":"%b"}' % (n, base64.b64encode(content.randbytes(1800))) for n in range(ROWS)]


@cache
def recordings() -> dict[str, bytes]:
    content = random.Random(0)
    return {f"id-{n}": content.randbytes(LONG if n == 3 else SHORT + n) for n in range(10)}


def run(kind: str, path: str, options: dict[str, Any], retries: int, result: Any) -> None:
    """Land in a process that may be killed, and send the outcome."""
    fs = s3fs.S3FileSystem(**options)
    fs.retries = retries
    try:
        result.send({"failed": land(kind, Place(fs, path))})
    except Exception as error:  # noqa: BLE001 - sent
        clear = isinstance(error, AlloincognitoTargetError)
        result.send({"error": str(error), "clear": clear, "log": "".join(traceback.format_exception(error))})


@dataclass(frozen=True)
class Outcome:
    """The outcome of a landing: killed, or what its process sent."""

    killed: bool
    passed: int
    failed: int = 0
    error: str | None = None
    clear: bool = False
    log: str = ""

    @property
    def summary(self) -> str:
        """The outcome in a few words."""
        if self.killed:
            return "killed"
        if self.error is not None:
            return "AlloincognitoTargetError" if self.clear else self.error
        return "some recordings failed" if self.failed else SUCCEEDED


class Rounds:
    """
    Landings into a bucket.

    :param outages: for how many seconds the store may be down.
    """

    @classmethod
    @contextmanager
    def over(cls, s3: S3, bucket: str, outages: Sequence[float]) -> Iterator[Rounds]:
        """Start rounds; ``ALLOINCOGNITO_SEED`` repeats earlier ones, as far as their timing allows."""
        seed = int(os.environ.get("ALLOINCOGNITO_SEED") or random.randrange(1 << 32))
        print(f"\nALLOINCOGNITO_SEED={seed}")
        with CuttingProxy(s3.port) as proxy:
            yield cls(s3.file_system(), bucket, proxy, random.Random(seed), outages)

    def __init__(
        self, fs: Any, bucket: str, proxy: CuttingProxy, chance: random.Random, outages: Sequence[float]
    ) -> None:
        self._fs, self._bucket, self._proxy, self._chance, self._outages = fs, bucket, proxy, chance, outages
        self.left_behind = 0
        self._timer: threading.Timer | None = None
        self._sizes: dict[str, int] = {}
        self._whole: dict[str, dict[str, bytes]] = {}
        for kind in KINDS:
            self._sizes[kind] = self._without_fault(kind).passed
            self._whole[kind] = self.files()
            self.clear()
        assert self._whole["calls.jsonl"] == {"calls.jsonl": b"".join(row + b"\n" for row in rows())}
        assert_nothing_partial(self._whole["records"].copy())

    def play(self, kind: str, fault: str) -> Outcome:
        """Interrupt a landing over earlier files, or over none; then land without a fault."""
        before = self._chance.choice([{}, earlier(self._whole[kind])])
        for name, content in before.items():
            self._fs.pipe_file(f"{self._bucket}/{name}", content)
        outcome = self._land(kind, fault)
        assert_error_is_clear(outcome)
        self.left_behind += len(self._uploads())
        after = self.files()
        if kind == "records":
            assert_nothing_partial(after)
        else:
            assert after in (before, self._whole[kind])
        self._without_fault(kind)
        self._assert_whole(kind)
        self.clear()
        return outcome

    def _without_fault(self, kind: str) -> Outcome:
        outcome = self._land(kind)
        assert outcome.summary == SUCCEEDED, outcome
        return outcome

    def _assert_whole(self, kind: str) -> None:
        after, whole = self.files(), self._whole[kind]
        if kind == "records":
            lines = [json.loads(line) for line in after.pop(MANIFEST).splitlines()]
            assert [line["id"] for line in lines] == list(recordings())
            assert {line["status"] for line in lines} <= {"fetched", "skipped"}
            whole = {name: content for name, content in whole.items() if name != MANIFEST}
        assert after == whole
        assert self._uploads() == []

    def _uploads(self) -> list[Any]:
        found: list[Any] = self._fs.list_multipart_uploads(self._bucket)
        return found

    def clear(self) -> None:
        for name in self._names():
            self._fs.rm_file(name)

    def files(self) -> dict[str, bytes]:
        return {name.removeprefix(f"{self._bucket}/"): self._fs.cat_file(name) for name in self._names()}

    def _names(self) -> list[str]:
        self._fs.invalidate_cache()
        found: list[str] = self._fs.find(self._bucket)
        return found

    def _land(self, kind: str, fault: str | None = None) -> Outcome:
        chance, proxy = self._chance, self._proxy
        receiving, result = PROCESSES.Pipe(duplex=False)
        options = S3(proxy.port).options()
        arguments = (kind, f"{self._bucket}/{kind}", options, chance.choice([1, 5]) if fault else 5, result)
        process = PROCESSES.Process(target=run, args=arguments)
        if fault is None:
            proxy.after(None, proxy.cut)
        else:
            act: Callable[[], object] = process.kill if fault == "kill" else self._outage
            proxy.after(self._point(self._sizes[kind]), act)
        process.start()
        result.close()
        process.join(60)
        assert process.exitcode is not None, "the landing hangs"
        passed = proxy.after(None, proxy.cut)
        if self._timer is not None:
            self._timer.join()
        with receiving:
            killed = process.exitcode == -9
            outcome = Outcome(killed, passed) if killed else Outcome(False, passed, **receiving.recv())
        process.close()
        return outcome

    def _outage(self) -> None:
        self._proxy.down()
        self._timer = threading.Timer(self._chance.choice(self._outages), self._proxy.up)
        self._timer.start()

    def _point(self, size: int) -> int:
        """Return a random point; often one within the first or the last requests, which are small."""
        first, last = self._chance.choice([(1, CONTROL_BYTES), (1, size), (1, size), (size - CONTROL_BYTES, size)])
        return self._chance.randint(first, last)


def earlier(whole: dict[str, bytes]) -> dict[str, bytes]:
    """Return what an earlier run may have landed: another call list, or some of the recordings."""
    if MANIFEST not in whole:
        return {name: content[::-1] for name, content in whole.items()}
    some = {f"records/{name}.mp3" for name in list(recordings())[::2]}
    lines = whole[MANIFEST].splitlines(keepends=True)
    return {MANIFEST: b"".join(lines[::2]), **{name: whole[name] for name in some}}


def assert_error_is_clear(outcome: Outcome) -> None:
    """An error is one of the provider's own, and no traceback holds a secret."""
    assert outcome.error is None or outcome.clear, outcome.log
    for secret in (SECRET_KEY, "Signature=", "X-Amz-Credential"):
        assert secret not in outcome.log


def assert_nothing_partial(after: dict[str, bytes]) -> None:
    """Each recording is complete, and so is each one that the manifest or the journal lists."""
    for name in (MANIFEST, "records/.manifest.jsonl.journal"):
        for line in map(json.loads, after.pop(name, b"").splitlines()):
            if line["status"] != "failed":
                assert line["sha256"] == hashlib.sha256(after[f"records/{line['id']}.mp3"]).hexdigest()
    whole = {f"records/{name}.mp3": content for name, content in recordings().items()}
    assert after.items() <= whole.items()
