"""The shapes of an answer that the API's text leaves open."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import pytest
from sandbox_client import CALL_LIST, MONDAY, PlainClient


@pytest.mark.parametrize(
    ("knob", "seen"),
    [
        ("null", {"error": None}),
        ("absent", {}),
        ("zero", {"error": {"errorMessage": "", "errorCode": 0}}),
        ("zero_string", {"error": {"errorMessage": None, "errorCode": "0"}}),
        ("null_code", {"error": {"errorMessage": None, "errorCode": None}}),
    ],
)
def test_no_error(client: PlainClient, recorded: dict[str, Any], knob: str, seen: dict[str, Any]) -> None:
    client.sandbox.configure(no_error=knob)
    for answer in (client.call_list(), client.record_file(recorded["recordFileId"])):
        document = answer.json()
        del document["result"]
        assert document == seen


@pytest.mark.parametrize("order", ["error_first", "result_first", "rowset_first"])
@pytest.mark.parametrize("pretty", [False, True])
def test_order_and_indentation(client: PlainClient, order: str, pretty: bool) -> None:
    client.sandbox.configure(key_order=order, pretty=pretty, awkward_rows=True)
    answer = client.call_list()
    document = answer.json()
    assert document["result"]["rowset"] == client.sandbox.truth("2025-06-02", "2025-06-03")
    assert (list(document) == ["error", "result"]) == (order == "error_first")
    assert list(document["result"]).index("rowset") == (0 if order == "rowset_first" else 6)
    assert ("\n" in answer.text) == pretty
    if pretty:
        client.sandbox.configure(awkward_rows=False)
        answer = client.call_list()
        document = answer.json()
        assert json.dumps(document, indent=2, ensure_ascii=False) == answer.text


@pytest.mark.parametrize("days", [1, 40])
@pytest.mark.parametrize("transfer", ["auto", "chunked", "content_length"])
@pytest.mark.parametrize("gzip", [False, True])
def test_ways_to_travel(client: PlainClient, days: int, transfer: str, gzip: bool) -> None:
    client.sandbox.configure(transfer=transfer, gzip=gzip)
    body = {"periodEnd": "2025-06-03 00:00:00" if days == 1 else "2025-07-12 00:00:00"}
    answer = client.call_list(**body)
    end = body["periodEnd"]
    assert answer.json()["result"]["rowset"] == client.sandbox.truth("2025-06-02 00:00:00", end)
    assert (answer.headers.get("Content-Encoding") == "gzip") == gzip
    chunked = transfer == "chunked" or (transfer == "auto" and days == 40)
    if not (gzip and transfer == "auto"):
        assert ("Content-Length" not in answer.headers) == chunked


def test_a_client_that_takes_no_gzip_gets_none(client: PlainClient) -> None:
    client.sandbox.configure(gzip=True)
    client.session.headers["Accept-Encoding"] = "identity"
    assert "Content-Encoding" not in client.call_list().headers


def test_ascii(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.sandbox.configure(ascii_json=True, awkward_rows=True)
    answer = client.record_file(recorded["recordFileId"])
    assert answer.content.isascii()
    assert "Разговор" in answer.json()["result"]["file_NAME"]
    assert client.call_list().content.isascii()


@pytest.mark.parametrize(("knob", "present"), [("envelope", True), ("null", True), ("absent", False)])
def test_an_error_s_result(client: PlainClient, knob: str, present: bool) -> None:
    client.sandbox.configure(error_result=knob, error_status=400, error_code="E1")
    answer = client.call_list(direction=9)
    assert answer.status_code == 400
    document = answer.json()
    assert document["error"]["errorCode"] == "E1"
    assert ("result" in document) == present
    if knob == "envelope":
        assert document["result"]["requestHash"]


def test_result_code(client: PlainClient) -> None:
    client.sandbox.configure(result_code=200)
    assert client.call_list().json()["result"]["code"] == 200


def test_rate_limit(client: PlainClient) -> None:
    client.create()
    client.sandbox.configure(rate_limit=3, retry_after=7)
    answers = [client.call_list() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["Retry-After"] == "7"
    assert client.sandbox.count("getcalllist", status=429) == 2


def test_latency(client: PlainClient) -> None:
    client.create()
    client.sandbox.configure(latency={"getcalllist": 0.2, "*": [0, 0.001]})
    began = time.monotonic()
    client.call_list()
    assert 0.19 < time.monotonic() - began < 2
    began = time.monotonic()
    client.create()
    assert time.monotonic() - began < 0.15


def test_connections_are_kept(client: PlainClient) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.sandbox.port, timeout=5)
    headers = {"Authorization": f"Bearer {client.access}", "Content-Type": "application/json"}
    try:
        for _ in range(3):
            connection.request("POST", CALL_LIST, json.dumps(MONDAY), headers)
            answer = connection.getresponse()
            assert answer.status == 200
            assert json.loads(answer.read())["result"]["rowset"]
    finally:
        connection.close()
