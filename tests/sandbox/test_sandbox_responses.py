"""How responses are sent."""

from __future__ import annotations

import http.client
import json

import pytest
from sandbox_client import CALL_LIST, MONDAY, PlainClient


@pytest.mark.parametrize("days", [1, 40])
@pytest.mark.parametrize("transfer", ["auto", "chunked", "content_length"])
@pytest.mark.parametrize("gzip", [False, True])
def test_transfer_encoding_and_compression(client: PlainClient, days: int, transfer: str, gzip: bool) -> None:
    client.sandbox.configure(transfer=transfer, gzip=gzip)
    body = {"periodEnd": "2025-06-03 00:00:00" if days == 1 else "2025-07-12 00:00:00"}
    response = client.call_list(**body)
    end = body["periodEnd"]
    assert response.json()["result"]["rowset"] == client.sandbox.truth("2025-06-02 00:00:00", end)
    assert (response.headers.get("Content-Encoding") == "gzip") == gzip
    chunked = transfer == "chunked" or (transfer == "auto" and days == 40)
    if not (gzip and transfer == "auto"):
        assert ("Content-Length" not in response.headers) == chunked


def test_a_client_that_does_not_accept_gzip_gets_none(client: PlainClient) -> None:
    client.sandbox.configure(gzip=True)
    client.session.headers["Accept-Encoding"] = "identity"
    assert "Content-Encoding" not in client.call_list().headers


def test_connections_are_kept_alive(client: PlainClient) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.sandbox.port, timeout=5)
    headers = {"Authorization": f"Bearer {client.access}", "Content-Type": "application/json"}
    try:
        for _ in range(3):
            connection.request("POST", CALL_LIST, json.dumps(MONDAY), headers)
            response = connection.getresponse()
            assert response.status == 200
            assert json.loads(response.read())["result"]["rowset"]
    finally:
        connection.close()
