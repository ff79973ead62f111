"""The log of requests."""

from __future__ import annotations

import json

import pytest
from sandbox_client import PlainClient


def test_the_log_has_each_request_and_its_response(client: PlainClient) -> None:
    client.rows(direction=1)
    create, listed = client.sandbox.requests
    assert (create.method, create.http_method, create.status, create.rotation) == ("create", "GET", 200, True)
    assert (create.token_kind, create.token_state) == ("authorization", "living")
    assert listed.method == "getcalllist"
    assert listed.path == "/api/v1/request/getcalllist"
    assert listed.body == {
        "periodStart": "2025-06-02 00:00:00",
        "periodEnd": "2025-06-03 00:00:00",
        "direction": 1,
    }
    assert listed.headers["content-type"] == "application/json"
    assert not listed.rotation
    assert listed.token
    assert listed.token != create.token
    client.call_list("nonsense")
    assert (client.sandbox.requests[-1].token_kind, client.sandbox.requests[-1].token_state) == (None, "unknown")


def test_the_log_holds_no_token(client: PlainClient) -> None:
    client.rows()
    client.refresh()
    client.call_list("nonsense")
    text = json.dumps([one.to_json() for one in client.sandbox.requests]) + repr(client.sandbox.requests)
    assert "Authorization" not in text
    assert "nonsense" not in text
    for token in client.sandbox.tokens_ever_issued:
        assert token not in text


def test_requests_are_counted_by_method_and_status(client: PlainClient) -> None:
    client.rows()
    client.call_list("bad")
    assert client.sandbox.count("create") == 1
    assert client.sandbox.count("getcalllist") == 2
    assert client.sandbox.count("getcalllist", status=401) == 1
    assert client.sandbox.count("refresh") == 0
    client.sandbox.clear_log()
    assert client.sandbox.count("getcalllist") == 0
    assert client.sandbox.requests == []
    assert client.call_list().status_code == 200
    with pytest.raises(ValueError, match="getcalls"):
        client.sandbox.count("getcalls")
