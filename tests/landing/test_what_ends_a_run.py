"""What all recordings would meet ends their run, not one after the other of them: a stand that is down, or rests."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from landing_samples import Stand
from plain_server import RECORD_FILE_PATH, PlainServer, Said

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.results import RecordFile
from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoTruncatedError,
)
from airflow_provider_alloincognito.landing.recordings import Fetch, land_recordings

NewClient = Callable[..., Client]
StartPlain = Callable[..., PlainServer]
IDS = [f"id-{n}" for n in range(200)]
MP3 = Said(json.dumps({"error": None, "result": {"fileContent": "bXAz", "file_NAME": "x.mp3"}}).encode())


def fetching(client: Client) -> Fetch:
    return lambda one: RecordFile(client.open(methods.call_record_file(client.settings, one)))


def asked(server: PlainServer) -> int:
    return server.paths.count(RECORD_FILE_PATH)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_stand_that_wants_a_long_rest_is_left_alone(
    tmp_path: Path, plain_server: StartPlain, new_client: NewClient, concurrency: int
) -> None:
    server = plain_server({RECORD_FILE_PATH: Said(b"", 429, {"Retry-After": "3600"})})
    with pytest.raises(AlloincognitoBusyError, match=r"429.* 3600 s.*300 s.*retry") as caught:
        land_recordings(fetching(new_client(server.url, retries=3)), IDS, tmp_path, concurrency=concurrency)
    assert caught.value.retry_after == 3600
    assert 1 <= asked(server) <= concurrency + 1
    assert not (tmp_path / "manifest.jsonl").exists()


def test_what_landed_before_the_rest_is_not_fetched_again(
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
    landed = land_recordings(fetch, IDS[:5], tmp_path)
    assert (landed.skipped, landed.fetched) == (3, 2)


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_a_stand_that_is_down_is_found_out_once(
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

        with pytest.raises(AlloincognitoConnectionError, match="no answer from http"):
            land_recordings(fetch, IDS, tmp_path, concurrency=concurrency)
    most = max(concurrency, 5)
    assert most <= len(tried) < most + concurrency
    landed = land_recordings(fetching(new_client(up.url, store=store)), IDS, tmp_path)
    assert (landed.skipped, landed.fetched, landed.failed) == (1, 199, 0)


@pytest.mark.parametrize(
    "answer", [b"mp3", AlloincognitoApiError("getcallrecordfile", 7, "no"), AlloincognitoTruncatedError("cut")]
)
def test_an_answer_now_and_then_says_that_the_stand_is_up(tmp_path: Path, answer: bytes | Exception) -> None:
    lost = AlloincognitoConnectionError("no answer")
    stand = Stand({one: lost if number % 5 else answer for number, one in enumerate(IDS)})
    landed = land_recordings(stand, IDS, tmp_path, concurrency=1)
    assert landed.failed == (200 if isinstance(answer, Exception) else 160)


def test_what_was_never_asked_of_the_stand_says_nothing_of_it(tmp_path: Path) -> None:
    lost = AlloincognitoConnectionError("no answer")
    land_recordings(Stand({"there": b"mp3"}), ["there"], tmp_path)
    stand = Stand(dict.fromkeys("abcdefg", lost))
    with pytest.raises(AlloincognitoConnectionError):
        land_recordings(stand, ["a", "b", "../up", "there", "c", "d", "e", "f", "g"], tmp_path, concurrency=1)
    assert stand.asked == list("abcde")


def test_the_last_of_a_few_is_no_reason_to_fail_the_run(tmp_path: Path) -> None:
    stand = Stand(dict.fromkeys(IDS[:4], AlloincognitoConnectionError("no answer")))
    assert land_recordings(stand, IDS[:4], tmp_path).failed == 4
