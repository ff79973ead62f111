"""Faults."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
import requests
from sandbox_client import PlainClient

from airflow_provider_alloincognito.sandbox import Fault, Sandbox


def test_a_status_once(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault("status", method="getcalllist", status=503, retry_after=2)
    client.create()
    answer = client.call_list()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert client.call_list().status_code == 200
    assert client.sandbox.faults == []
    assert [one.fault for one in client.sandbox.requests[-2:]] == ["status", None]


def test_skipping_repeating_and_forgetting(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault(Fault(kind="status", status=502, skip=1, times=2))
    assert [client.call_list().status_code for _ in range(4)] == [200, 502, 502, 200]
    client.sandbox.add_fault("status", times=None)
    assert client.call_list().status_code == 503
    client.sandbox.clear_faults()
    assert client.call_list().status_code == 200


def test_probability(client: PlainClient) -> None:
    client.create()
    client.sandbox.configure(faults=[{"kind": "status", "probability": 0.5, "times": None}])
    statuses = [client.call_list().status_code for _ in range(60)]
    assert 10 < statuses.count(503) < 50


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("kind", ["status", "reset"])
def test_a_rotation_that_failed_or_was_lost(client: PlainClient, kind: str, executed: bool) -> None:
    old = client.create()
    client.sandbox.add_fault(kind, method="create", executed=executed)
    if kind == "reset":
        with pytest.raises(requests.ConnectionError, match="reset"):
            client.create()
    else:
        with pytest.raises(AssertionError):
            client.create()
    assert client.call_list(old["accessToken"]).status_code == (401 if executed else 200)
    assert client.sandbox.requests[1].rotation == executed
    assert client.sandbox.requests[1].status == (None if kind == "reset" else 503)


@pytest.mark.parametrize("transfer", ["chunked", "content_length"])
@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("where", [{"after_bytes": 100}, {"after_fraction": 0.7}, {"after_bytes": 0}])
def test_a_body_that_is_cut(client: PlainClient, transfer: str, gzip: bool, where: dict[str, Any]) -> None:
    client.create()
    client.sandbox.configure(transfer=transfer, gzip=gzip)
    client.sandbox.add_fault("cut", **where)
    with pytest.raises(requests.RequestException):
        client.call_list()
    assert client.rows()


def test_a_reset_in_the_middle(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault("reset", after_fraction=0.5)
    with pytest.raises(requests.RequestException):
        client.call_list()
    assert client.rows()


def test_a_stall(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault("stall", after_bytes=50, seconds=0.3)
    began = time.monotonic()
    with pytest.raises(requests.RequestException):
        client.call_list()
    assert 0.25 < time.monotonic() - began < 2


@pytest.mark.parametrize("kind", ["malformed_json", "short_json", "trailing_junk", "html", "empty_body"])
def test_what_is_no_json(client: PlainClient, recorded: dict[str, Any], kind: str) -> None:
    client.create()
    client.sandbox.add_fault(kind, times=2)
    for answer in (client.call_list(), client.record_file(recorded["recordFileId"])):
        assert answer.status_code == 200
        with pytest.raises(requests.JSONDecodeError):
            answer.json()


def test_a_missing_result_and_a_wrong_content_type(client: PlainClient) -> None:
    client.create()
    client.sandbox.configure(faults=[{"kind": "no_result"}, {"kind": "content_type"}])
    assert client.call_list().json() == {"error": None}
    answer = client.call_list()
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.json()["result"]["rowset"]


def test_the_api_s_own_error(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault("error", code=77, message="абонент +79161234567 занят")
    answer = client.call_list()
    assert answer.status_code == 200
    error = answer.json()["error"]
    assert error["errorCode"] == 77
    assert error["errorMessage"].startswith("абонент +79161234567 занят")


def test_a_living_token_that_is_rejected(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault("reject")
    assert client.call_list().status_code == 401
    assert client.call_list().status_code == 200


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "earthquake"},
        {"kind": "status", "method": "getcalls"},
        {"kind": "status", "probability": 2},
        {"kind": "status", "times": 0},
        {"kind": "status", "when": 1},
        {},
    ],
)
def test_faults_that_are_none(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fault"):
        Fault.of(bad)


def test_stopping_in_the_middle_of_a_stall_is_quick_and_quiet(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(calls_per_day=5) as sandbox:
        sandbox.configure(latency={"refresh": 60})
        sandbox.add_fault("stall", method="create")
        waiting = []
        for name in ("create", "refresh"):
            connection = socket.create_connection(("127.0.0.1", sandbox.port), timeout=5)
            connection.sendall(f"GET {sandbox.settings.paths[name]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            waiting.append(connection)
        while sandbox.count("create") + sandbox.count("refresh") < 2:
            time.sleep(0.005)
        began = time.monotonic()
    assert time.monotonic() - began < 1
    for connection in waiting:
        connection.close()
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
