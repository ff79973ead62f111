"""What a client has sent and received, and how long it waited; code: api/transport/tally.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.api.transport.tally import Tally
from airflow_provider_alloincognito.errors import AlloincognitoConnectionError
from airflow_provider_alloincognito.sandbox import Sandbox

NewClient = Callable[..., Client]


def fetch(client: Client, request_hash: str = "unknown") -> None:
    request = methods.request_result(client.settings, request_hash)
    client.open(request).close()


@pytest.fixture
def request_hash(sandbox: Sandbox, new_client: NewClient) -> str:
    client = new_client(sandbox)
    body: dict[str, Any] = {"periodStart": "2026-03-03 00:00:00", "periodEnd": "2026-03-04 00:00:00"}
    path = client.settings.server + client.settings.call_list_path
    answer = client.open(methods.ApiRequest("getcalllist", "POST", path, body=body))
    list(answer.stream())
    assert answer.envelope is not None
    assert answer.envelope.request_hash is not None
    return answer.envelope.request_hash


def test_time_in_which_several_threads_wait_counts_once() -> None:
    now = 0.0
    tally = Tally(clock=lambda: now)
    with tally.waiting("pauses"):
        now = 1.0
        with tally.waiting("pauses"), tally.waiting("responses"):
            now = 3.0
        now = 4.0
    with tally.waiting("pauses"):
        now = 4.5
    assert tally.waited == {"token pair": 0.0, "responses": 2.0, "pauses": 4.5, "polls": 0.0}


def test_a_wait_that_ends_by_an_error_counts() -> None:
    now = 0.0
    tally = Tally(clock=lambda: now)

    def fail() -> None:
        nonlocal now
        with tally.waiting("polls"):
            now = 2.0
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert tally.waited["polls"] == 2.0


def test_all_requests_and_bytes_count(sandbox: Sandbox, new_client: NewClient, request_hash: str) -> None:
    client = new_client(sandbox)
    sandbox.clear_log()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: fetch(client, request_hash), range(24)))
    assert client.tally.requests == len(sandbox.requests) == 25, "the one for the token pair as well"
    assert client.tally.bytes > 24 * 100
    assert client.tally.retried == 0
    assert 0 < client.tally.waited["responses"] < 10


def test_retries_and_pauses_count(sandbox: Sandbox, new_client: NewClient, request_hash: str) -> None:
    client = new_client(sandbox, retries=2)
    sandbox.add_fault("status", method="getrequestresultbyhash", status=502)
    sandbox.add_fault("status", method="getrequestresultbyhash", status=503)
    began = time.monotonic()
    fetch(client, request_hash)
    seconds = time.monotonic() - began
    assert client.tally.retried == 2
    assert client.tally.requests == 4
    assert 1.0 < client.tally.waited["pauses"] <= seconds


def test_a_failed_request_counts(new_client: NewClient) -> None:
    client = new_client("http://127.0.0.1:9")
    with pytest.raises(AlloincognitoConnectionError):
        fetch(client)
    assert (client.tally.requests, client.tally.bytes) == (1, 0)
