"""Faults: what goes wrong on purpose."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from sandbox_client import PlainClient

from airflow_provider_alloincognito.sandbox import Fault


def test_a_status_happens_once(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault("status", method="getcalllist", status=503, retry_after=2)
    client.create()
    response = client.call_list()
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert client.call_list().status_code == 200
    assert client.sandbox.faults == []
    assert [one.fault for one in client.sandbox.requests[-2:]] == ["status", None]


def test_faults_can_be_skipped_repeated_and_cleared(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault(Fault(kind="status", status=502, skip=1, times=2))
    assert [client.call_list().status_code for _ in range(4)] == [200, 502, 502, 200]
    client.sandbox.add_fault("status", times=None)
    assert client.call_list().status_code == 503
    client.sandbox.clear_faults()
    assert client.call_list().status_code == 200


def test_a_fault_can_happen_with_a_probability(client: PlainClient) -> None:
    client.create()
    client.sandbox.configure(faults=[{"kind": "status", "probability": 0.5, "times": None}])
    statuses = [client.call_list().status_code for _ in range(60)]
    assert 10 < statuses.count(503) < 50


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("kind", ["status", "reset"])
def test_a_new_pair_can_fail_or_be_lost(client: PlainClient, kind: str, executed: bool) -> None:
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
def test_a_body_can_be_cut(client: PlainClient, transfer: str, gzip: bool, where: dict[str, Any]) -> None:
    client.create()
    client.sandbox.configure(transfer=transfer, gzip=gzip)
    client.sandbox.add_fault("cut", **where)
    with pytest.raises(requests.RequestException):
        client.call_list()
    assert client.rows()


def test_a_connection_can_be_reset_during_the_body(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault("reset", after_fraction=0.5)
    with pytest.raises(requests.RequestException):
        client.call_list()
    assert client.rows()


def test_a_body_can_stall(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault("stall", after_bytes=50, seconds=0.3)
    began = time.monotonic()
    with pytest.raises(requests.RequestException):
        client.call_list()
    assert 0.25 < time.monotonic() - began < 5


@pytest.mark.parametrize("kind", ["malformed_json", "short_json", "trailing_junk", "html", "empty_body"])
def test_a_body_can_be_invalid_json(client: PlainClient, recorded: dict[str, Any], kind: str) -> None:
    client.create()
    client.sandbox.add_fault(kind, times=2)
    for response in (client.call_list(), client.record_file(recorded["recordFileId"])):
        assert response.status_code == 200
        with pytest.raises(requests.JSONDecodeError):
            response.json()


def test_a_missing_result_and_a_wrong_content_type(client: PlainClient) -> None:
    client.create()
    client.sandbox.configure(faults=[{"kind": "no_result"}, {"kind": "content_type"}])
    assert client.call_list().json() == {"error": None}
    response = client.call_list()
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.json()["result"]["rowset"]


def test_the_apis_own_error(client: PlainClient) -> None:
    client.create()
    client.sandbox.add_fault("error", code=77, message="абонент +79161234567 занят")
    response = client.call_list()
    assert response.status_code == 200
    error = response.json()["error"]
    assert error["errorCode"] == 77
    assert error["errorMessage"].startswith("абонент +79161234567 занят")


def test_a_valid_token_can_be_rejected(client: PlainClient) -> None:
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
def test_an_invalid_fault_is_an_error(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Fault"):
        Fault.of(bad)
