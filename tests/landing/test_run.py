"""Which errors end a run of recordings, and its progress; code: landing/run_stop.py, landing/progress.py."""

from __future__ import annotations

import base64
import errno
import itertools
import json
import logging
import os
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from landing_samples import FakeServer, Mp3
from plain_server import RECORD_FILE_PATH, PlainServer, Said

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.results import RecordFile
from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoError,
    AlloincognitoLandingError,
    AlloincognitoPathError,
    AlloincognitoRecordingError,
    AlloincognitoResponseError,
    AlloincognitoStoppedError,
    AlloincognitoTargetError,
    AlloincognitoTruncatedError,
)
from airflow_provider_alloincognito.landing import progress as progress_module
from airflow_provider_alloincognito.landing.progress import Progress
from airflow_provider_alloincognito.landing.recordings import Fetch, land_recordings
from airflow_provider_alloincognito.landing.run_stop import MOST_IN_A_ROW, RECOVERY, RunStop

NewClient = Callable[..., Client]
StartPlain = Callable[..., PlainServer]
IDS = [f"id-{n}" for n in range(200)]
MP3 = Said(json.dumps({"error": None, "result": {"fileContent": "//uQxG1wMw==", "file_NAME": "x.mp3"}}).encode())


WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


def fetching(client: Client) -> Fetch:
    return lambda one: RecordFile(client.open(methods.call_record_file(client.settings, one)))


def requests_to(server: PlainServer) -> int:
    return server.paths.count(RECORD_FILE_PATH)


def test_what_is_no_mp3_fails_and_wav_lands_under_its_own_suffix_by_a_setting(
    tmp_path: Path, plain_server: StartPlain, new_client: NewClient
) -> None:
    body = {"error": None, "result": {"fileContent": base64.b64encode(WAV).decode(), "file_NAME": "x.wav"}}
    server = plain_server({RECORD_FILE_PATH: Said(json.dumps(body).encode())})
    assert land_recordings(fetching(new_client(server.url)), ["a"], tmp_path).failed == 1
    assert not list(tmp_path.glob("a.*"))
    assert "looks like WAV audio" in (tmp_path / "manifest.jsonl").read_text()

    fetch = fetching(new_client(server.url, audio_formats=("mp3", "wav")))
    assert land_recordings(fetch, ["a"], tmp_path).fetched == 1
    assert (tmp_path / "a.wav").read_bytes() == WAV
    assert land_recordings(fetch, ["a"], tmp_path).skipped == 1


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_server_that_asks_for_a_long_pause_ends_the_run(
    tmp_path: Path, plain_server: StartPlain, new_client: NewClient, concurrency: int
) -> None:
    server = plain_server({RECORD_FILE_PATH: Said(b"", 429, {"Retry-After": "3600"})})
    with pytest.raises(AlloincognitoBusyError, match=r"429.* 3600 s.*300 s.*retry") as caught:
        land_recordings(fetching(new_client(server.url, retries=3)), IDS, tmp_path, concurrency=concurrency)
    assert caught.value.retry_after == 3600
    assert 1 <= requests_to(server) <= concurrency + 1
    assert not (tmp_path / "manifest.jsonl").exists()


def test_recordings_that_landed_before_the_pause_are_not_fetched_again(
    tmp_path: Path, plain_server: StartPlain, new_client: NewClient
) -> None:
    server = plain_server({RECORD_FILE_PATH: MP3})
    fetch = fetching(new_client(server.url))

    def ids() -> Any:
        yield from IDS[:3]
        server.answers[RECORD_FILE_PATH] = Said(b"", 503, {"Retry-After": "3600"})
        yield from IDS[3:5]

    with pytest.raises(AlloincognitoBusyError):
        land_recordings(fetch, ids(), tmp_path, concurrency=1)
    server.answers[RECORD_FILE_PATH] = MP3
    landed = land_recordings(fetching(new_client(server.url)), IDS[:5], tmp_path)
    assert (landed.skipped, landed.fetched) == (3, 2)


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_a_server_that_is_down_ends_the_run_after_a_few_recordings(
    tmp_path: Path, plain_server: StartPlain, new_client: NewClient, concurrency: int
) -> None:
    store = MemoryTokenStore()
    up = plain_server({RECORD_FILE_PATH: MP3})
    land_recordings(fetching(new_client(up.url, store=store)), IDS[:1], tmp_path)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        down = new_client(f"http://127.0.0.1:{unused.getsockname()[1]}", store=store)
        tried: list[str] = []

        def fetch(one: str) -> RecordFile:
            tried.append(one)
            return RecordFile(down.open(methods.call_record_file(down.settings, one)))

        with pytest.raises(AlloincognitoConnectionError, match=r"(?i)no (answer|response) from http"):
            land_recordings(fetch, IDS, tmp_path, concurrency=concurrency)
    assert len(tried) == 5
    landed = land_recordings(fetching(new_client(up.url, store=store)), IDS, tmp_path)
    assert (landed.skipped, landed.fetched, landed.failed) == (1, 199, 0)


@pytest.mark.parametrize(
    "response", [b"mp3", AlloincognitoApiError("getcallrecordfile", 7, "no"), AlloincognitoResponseError("no result")]
)
def test_a_response_now_and_then_shows_that_the_server_is_up(tmp_path: Path, response: bytes | Exception) -> None:
    lost = AlloincognitoConnectionError("no response")
    server = FakeServer({one: lost if number % 5 else response for number, one in enumerate(IDS)})
    landed = land_recordings(server, IDS, tmp_path, concurrency=1)
    assert landed.failed == (200 if isinstance(response, Exception) else 160)


def test_a_recording_that_was_not_requested_does_not_show_that_the_server_is_up(tmp_path: Path) -> None:
    lost = AlloincognitoConnectionError("no response")
    land_recordings(FakeServer({"there": b"mp3"}), ["there"], tmp_path)
    server = FakeServer(dict.fromkeys("abcdefg", lost))
    with pytest.raises(AlloincognitoConnectionError):
        land_recordings(server, ["a", "b", "../up", "there", "c", "d", "e", "f", "g"], tmp_path, concurrency=1)
    assert server.requested == list("abcde")


def test_few_recordings_without_a_response_do_not_end_the_run(tmp_path: Path) -> None:
    server = FakeServer(dict.fromkeys(IDS[:4], AlloincognitoConnectionError("no response")))
    assert land_recordings(server, IDS[:4], tmp_path).failed == 4


@pytest.mark.parametrize("concurrency", [1, 4, 16])
@pytest.mark.parametrize("landed_before", [0, 1])
def test_a_store_that_refuses_every_file_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, concurrency: int, landed_before: int
) -> None:
    replace, landed = os.replace, 0

    def refuse(old: str, new: str) -> None:
        nonlocal landed
        if new.endswith(".mp3") and (landed := landed + 1) > landed_before:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        replace(old, new)

    monkeypatch.setattr(os, "replace", refuse)
    server = FakeServer(dict.fromkeys(IDS, b"mp3"))
    with pytest.raises(AlloincognitoTargetError, match=rf"5 recordings in a row .* {tmp_path}/id-\d+.mp3: Disk quota"):
        land_recordings(server, IDS, tmp_path, concurrency=concurrency)
    assert len(server.requested) <= 5 + (concurrency if landed_before else 0)
    assert len(list(tmp_path.glob("*.mp3"))) == landed_before
    assert not list(tmp_path.glob(".*.part"))
    monkeypatch.setattr(os, "replace", replace)
    assert land_recordings(server, IDS, tmp_path).fetched == 200 - landed_before


def test_a_folder_that_takes_no_files_costs_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = os.open

    def refuse(path: Any, *rest: Any, **named: Any) -> int:
        if "recordings" in str(path):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return create(path, *rest, **named)

    monkeypatch.setattr(os, "open", refuse)
    server = FakeServer(dict.fromkeys(IDS, b"mp3"))
    with pytest.raises(AlloincognitoTargetError, match="Read-only file system"):
        land_recordings(server, IDS, tmp_path / "recordings", manifest=tmp_path / "day.jsonl", concurrency=16)
    assert server.requested == []


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_server_that_cuts_every_recording_ends_the_run(tmp_path: Path, concurrency: int) -> None:
    cut = AlloincognitoTruncatedError("The connection broke.")
    cut.retries_used_up = True
    server = FakeServer(dict.fromkeys(IDS, cut))
    with pytest.raises(AlloincognitoTruncatedError):
        land_recordings(server, IDS, tmp_path, concurrency=concurrency)
    assert len(server.requested) == 5


LOGIN_PAGE = AlloincognitoApiError("getcallrecordfile", 302, "an HTTP status without a message")
NOT_JSON = AlloincognitoResponseError("Unexpected response: it is not JSON.")
UNKNOWN = AlloincognitoApiError("getcallrecordfile", 404, "unknown")


@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize("wrong", [LOGIN_PAGE, NOT_JSON])
def test_responses_that_are_all_wrong_in_the_same_way_end_the_run(
    tmp_path: Path, wrong: AlloincognitoError, concurrency: int
) -> None:
    server = FakeServer(dict.fromkeys(IDS, wrong))
    with pytest.raises(type(wrong), match=str(wrong)):
        land_recordings(server, IDS, tmp_path, concurrency=concurrency)
    assert 20 <= len(server.requested) < 20 + concurrency


def test_a_path_that_the_server_lacks_ends_the_run_for_good(tmp_path: Path) -> None:
    bare = AlloincognitoApiError("getcallrecordfile", 404, "an HTTP status without a message")
    bare.path_may_be_wrong = True
    server = FakeServer(dict.fromkeys(IDS, bare))
    with pytest.raises(AlloincognitoPathError, match=str(bare)):
        land_recordings(server, IDS, tmp_path, concurrency=1)
    assert len(server.requested) == 20


@pytest.mark.parametrize("others", [UNKNOWN, b"mp3", AlloincognitoRecordingError("The recording is empty.")])
def test_responses_that_are_wrong_for_some_recordings_do_not_end_the_run(
    tmp_path: Path, others: bytes | Exception
) -> None:
    server = FakeServer({one: NOT_JSON if number % 20 else others for number, one in enumerate(IDS)})
    land_recordings(server, IDS, tmp_path, concurrency=1)
    assert len(server.requested) == 200
    land_recordings(FakeServer(dict.fromkeys(IDS, UNKNOWN)), IDS, tmp_path / "other", concurrency=1)


def test_a_later_run_tries_all_that_the_earlier_one_could_not_land(tmp_path: Path) -> None:
    land_recordings(FakeServer({"there": b"mp3"}), ["there"], tmp_path)
    server = FakeServer(dict.fromkeys(IDS, NOT_JSON))
    assert land_recordings(server, ["there", *IDS], tmp_path).failed == 200


def test_recordings_that_the_api_does_not_know_are_requested_many_at_a_time(tmp_path: Path) -> None:
    together = threading.Barrier(16)

    @contextmanager
    def fetch(one: str) -> Iterator[Mp3]:
        if one != "first":
            together.wait(5)
        raise AlloincognitoApiError("getcallrecordfile", 404, "unknown")
        yield

    assert land_recordings(fetch, ["first", *IDS[:16]], tmp_path, concurrency=16).failed == 17


def test_files_refused_now_and_then_do_not_end_the_run(tmp_path: Path) -> None:
    for one in IDS[::2]:
        (tmp_path / f"{one}.mp3").mkdir()
    landed = land_recordings(FakeServer(dict.fromkeys(IDS, b"mp3")), IDS, tmp_path, concurrency=4)
    assert (landed.fetched, landed.failed) == (100, 100)


def test_a_refused_id_that_looks_like_a_phone_number_is_not_shown(tmp_path: Path) -> None:
    ids = [f"7912000000{number}" for number in range(5)]
    (tmp_path / "file").touch()
    with pytest.raises(AlloincognitoTargetError, match=r"<id>\.mp3: Not a directory") as raised:
        land_recordings(FakeServer({}), ids, tmp_path / "file", manifest=tmp_path / "day.jsonl")
    assert "7912000000" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_run_that_is_stopped_from_outside_requests_nothing_more(tmp_path: Path, concurrency: int) -> None:
    stop = threading.Event()
    requested: list[str] = []

    @contextmanager
    def fetch(one: str) -> Iterator[Mp3]:
        requested.append(one)
        if len(requested) == 20:
            stop.set()
        yield Mp3([b"mp3"])

    with pytest.raises(AlloincognitoStoppedError, match="stopped"):
        land_recordings(fetch, IDS, tmp_path, concurrency=concurrency, stop=stop)
    assert 20 <= len(requested) < 20 + concurrency
    assert not list(tmp_path.glob(".*.part"))
    assert not (tmp_path / "manifest.jsonl").exists()
    landed = land_recordings(FakeServer(dict.fromkeys(IDS, b"mp3")), IDS, tmp_path)
    assert landed.failed == 0
    assert landed.skipped >= 20 - concurrency


def test_a_run_that_ends_tells_all_its_threads_at_once(tmp_path: Path) -> None:
    """As the client waits for the event, wherever it waits."""
    stop = threading.Event()
    waiting = threading.Barrier(4)

    @contextmanager
    def fetch(one: str) -> Iterator[Mp3]:
        if one == "first":
            yield Mp3([b"mp3"])
            return
        waiting.wait(10)
        if one == "id-0":
            raise AlloincognitoBusyError("Come back later.", 3600)
        assert stop.wait(10)
        raise AlloincognitoConnectionError("The connection was closed.")

    began = time.monotonic()
    with pytest.raises(AlloincognitoBusyError):
        land_recordings(fetch, ["first", *IDS], tmp_path, concurrency=4, stop=stop)
    assert time.monotonic() - began < 5


def test_a_worker_that_can_start_no_more_threads_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("recording"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(AlloincognitoLandingError, match=r"cannot start another thread.* concurrency"):
        land_recordings(FakeServer(dict.fromkeys(IDS, b"mp3")), IDS, tmp_path, concurrency=4)


def test_recordings_are_fetched_again_with_fewer_at_a_time_where_descriptors_are_few(tmp_path: Path) -> None:
    lock, fetching, begun, ran_out, ids = threading.Lock(), 0, 0, threading.Event(), IDS[:100]

    @contextmanager
    def fetch(one: str) -> Iterator[Mp3]:
        nonlocal fetching, begun
        with lock:
            fetching += 1
            begun += 1
            is_one_too_many, is_first = fetching > 12, begun <= MOST_IN_A_ROW
        try:
            if is_one_too_many:
                ran_out.set()
                raise AlloincognitoConnectionError("No response.") from OSError(errno.EMFILE, "Too many open files")
            if not is_first:  # the first have to land before more begin
                ran_out.wait(10)
            time.sleep(0.005)
            yield Mp3([b"mp3"])
        finally:
            with lock:
                fetching -= 1

    landed = land_recordings(fetch, ids, tmp_path, concurrency=32)
    assert (landed.fetched, landed.failed) == (100, 0)
    assert ran_out.is_set()


def test_one_at_a_time_is_fetched_again_as_well_but_not_for_ever(tmp_path: Path) -> None:
    error = AlloincognitoConnectionError("No response.")
    error.errno = errno.EMFILE
    tried: list[str] = []

    @contextmanager
    def fetch(one: str) -> Iterator[Mp3]:
        tried.append(one)
        if one != "lost" and tried.count(one) > 1:
            yield Mp3([b"mp3"])
            return
        raise error

    landed = land_recordings(fetch, ["a", "b", "lost"], tmp_path, concurrency=1)
    assert (landed.fetched, landed.failed) == (2, 1)
    assert tried.count("lost") < 10


def test_after_file_descriptors_ran_out_the_number_at_a_time_recovers() -> None:
    stop = RunStop(4)
    stop.landed()
    with stop.turn(), stop.turn():
        assert stop.fewer_at_a_time(OSError(errno.EMFILE, "Too many open files"))
    for _ in range(round(3 / RECOVERY) + 1):
        stop.landed()
    with stop.turn(), stop.turn(), stop.turn(), stop.turn():
        pass


class Hook:
    """As much of a hook as a run needs: its requests wait for its event."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.error: Exception | None = None

    @contextmanager
    def fetch(self, one: str) -> Iterator[Mp3]:
        if self.stopped.is_set():
            raise AlloincognitoStoppedError("stopped")
        if one == "id-0" and self.error is not None:
            raise self.error
        assert self.error is None or self.stopped.wait(5)
        yield Mp3([b"mp3"])


def test_a_run_that_ends_stops_its_hook_and_leaves_it_usable(tmp_path: Path) -> None:
    hook = Hook()
    hook.error = AlloincognitoBusyError("Come back later.", 3600)
    began = time.monotonic()
    with pytest.raises(AlloincognitoBusyError):
        land_recordings(hook.fetch, IDS, tmp_path, concurrency=4)
    assert time.monotonic() - began < 3
    hook.error = None
    assert land_recordings(hook.fetch, IDS, tmp_path).failed == 0
    hook.stopped.set()
    with pytest.raises(AlloincognitoStoppedError):
        land_recordings(hook.fetch, ["another"], tmp_path)
    assert hook.stopped.is_set(), "who has stopped the hook may still mean it"


def test_the_progress_has_rates_and_time_left() -> None:
    now = 100.0
    log = logging.getLogger(__name__)
    progress = Progress(log, 1764, clock=lambda: now)
    progress.add_bytes(9_000_000)
    for _ in range(794):
        progress.add_recording()
    now += 10
    assert progress.text() == "Recordings: 794 of 1,764 (45 %), 9.0 MB, 900.0 kB/s, 79 a second, 12 s left"
    progress.add_bytes(3_100_000)
    for _ in range(410):
        progress.add_recording()
    now += 10
    assert progress.text() == "Recordings: 1,204 of 1,764 (68 %), 12.1 MB, 310.0 kB/s, 41 a second, 14 s left"
    now += 60
    assert progress.text() == "Recordings: 1,204 of 1,764 (68 %), 12.1 MB, 0 bytes/s, 0.0 a second"
    assert progress.so_far == "1,204 of 1,764 (68 %), 12.1 MB, 1 min 20 s"


@pytest.mark.parametrize("total", [None, 0])
def test_the_progress_of_an_unknown_number_or_none(total: int | None) -> None:
    progress = Progress(logging.getLogger(__name__), total, clock=lambda: 5.0)
    assert progress.text() == "Recordings: 0, 0 bytes, 0 bytes/s, 0.0 a second"


def test_progress_is_logged_often_at_first_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    lines_at: list[float] = []

    def wait(seconds: float) -> bool:
        nonlocal now
        if now:
            lines_at.append(now)
        now += seconds
        return now > 3600

    with Progress(logging.getLogger(__name__), 10, clock=lambda: now, wait=wait):
        pass
    assert len(caplog.messages) == len(lines_at) < 70
    assert lines_at[:3] == [5.0, 12.5, 23.75]
    assert [after - before for before, after in itertools.pairwise(lines_at)][-1] == 60.0


def test_the_end_names_counts_time_and_manifest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    land_recordings(Hook().fetch, IDS, tmp_path)
    expected = rf"Fetched {len(IDS):,}, skipped 0, failed 0: [\d.]+ \w+ in [\d.]+ s\. Manifest: "
    assert re.fullmatch(expected + re.escape(f"{tmp_path}/manifest.jsonl"), caplog.messages[-1])


def test_a_run_that_ends_early_says_how_far_it_came(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    hook = Hook()
    hook.error = AlloincognitoBusyError("Come back later.", 3600)
    with pytest.raises(AlloincognitoBusyError):
        land_recordings(hook.fetch, IDS, tmp_path)
    assert re.fullmatch(rf"The run of recordings ended early: \d+ of {len(IDS)} .*, [\d.]+ s", caplog.messages[-1])


@pytest.mark.parametrize("ids", [["a"], ["a", "b"]])
def test_progress_is_logged_during_a_long_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ids: list[str]
) -> None:
    monkeypatch.setattr(progress_module, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(progress_module, "MOST_SECONDS", 0.05)

    @contextmanager
    def slow(record_file_id: str) -> Iterator[Mp3]:
        give_up = time.monotonic() + 20
        while caplog.text.count(f"Recordings: 0 of {len(ids)}") < 3 and time.monotonic() < give_up:
            time.sleep(0.01)
        yield Mp3([b"mp3"])

    before = set(threading.enumerate())
    with caplog.at_level(logging.INFO):
        land_recordings(slow, ids, tmp_path)
    assert caplog.text.count(f"Recordings: 0 of {len(ids)}") >= 3
    assert "progress" not in {thread.name for thread in set(threading.enumerate()) - before}
