"""The five methods: paths, verbs, parameters, envelope, errors, rate limit and latency."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sandbox_client import CALL_LIST, MONDAY, PlainClient


def test_the_envelope_of_a_call_list(client: PlainClient) -> None:
    document = client.call_list().json()
    assert list(document) == ["error", "result"]
    result = document["result"]
    assert list(result) == [
        "apiName",
        "apiVersion",
        "callTime",
        "responseDuration",
        "code",
        "requestHash",
        "rowset",
    ]
    assert result["apiName"] == "getcalllist"
    assert isinstance(result["apiVersion"], int)
    assert isinstance(result["responseDuration"], str)


def test_the_envelope_of_a_recording(client: PlainClient, recorded: dict[str, Any]) -> None:
    result = client.record_file(recorded["recordFileId"]).json()["result"]
    assert list(result) == [
        "file_NAME",
        "apiName",
        "apiVersion",
        "callTime",
        "responseDuration",
        "code",
        "requestHash",
        "fileContent",
    ]
    assert recorded["callerNumber"] in result["file_NAME"]
    assert recorded["calledNumber"] in result["file_NAME"]
    assert result["file_NAME"].startswith("Разговор")


def test_the_call_list_is_post_and_the_others_are_get(client: PlainClient) -> None:
    assert client.get(CALL_LIST, client.access).status_code == 405
    for path in client.sandbox.settings.paths.values():
        if path != CALL_LIST:
            response = client.session.post(client.sandbox.url + path, json={}, timeout=5)
            assert response.status_code == 405
            assert response.headers["Allow"] == "GET"


def test_a_form_is_not_json(client: PlainClient) -> None:
    headers = {"Authorization": f"Bearer {client.access}"}
    response = client.session.post(client.sandbox.url + CALL_LIST, data=MONDAY, headers=headers, timeout=5)
    assert response.status_code == 415


def test_parameters_are_read_strictly(client: PlainClient, recorded: dict[str, Any]) -> None:
    url = client.sandbox.url + client.sandbox.settings.record_file_path
    headers = {"Authorization": f"Bearer {client.access}"}
    one = recorded["recordFileId"]
    for query in ("", f"recordFileId={one}&recordFileId={one}", f"recordFileId={one}&x=1", f"recordfileid={one}"):
        response = client.session.get(f"{url}?{query}", headers=headers, timeout=5)
        assert response.json()["error"]["errorCode"] == 1000


def test_errors_quote_a_phone_number_in_many_forms(client: PlainClient) -> None:
    texts = {client.call_list(direction=9).json()["error"]["errorMessage"] for _ in range(6)}
    assert len(texts) == 6
    for text in texts:
        assert "".join(filter(str.isdigit, text))[-10:] == "9161234567"


def test_paths_and_the_name_of_the_numbers_can_change(client: PlainClient) -> None:
    client.sandbox.configure(call_list_path="/api/v2/calls", numbers_field="phones")
    assert client.call_list().status_code == 404
    response = client.session.post(
        client.sandbox.url + "/api/v2/calls",
        json={**MONDAY, "phones": ["70000000000"]},
        headers={"Authorization": f"Bearer {client.access}"},
        timeout=5,
    )
    assert response.json()["result"]["rowset"] == []


def test_a_path_without_its_prefix_is_not_found(client: PlainClient) -> None:
    assert client.get("/auth/integrationapi/refresh", client.access).status_code == 404
    assert client.sandbox.count("unknown", status=404) == 1


def test_requests_over_the_rate_limit_get_429(client: PlainClient) -> None:
    client.create()
    client.sandbox.configure(rate_limit=3, retry_after=7)
    responses = [client.call_list() for _ in range(5)]
    assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
    assert responses[-1].headers["Retry-After"] == "7"
    assert client.sandbox.count("getcalllist", status=429) == 2


def test_too_many_requests_can_be_503_and_a_date(client: PlainClient) -> None:
    client.create()
    client.sandbox.configure(rate_limit=0, rate_limit_status=503, retry_after=60, retry_after_date=True)
    response = client.call_list()
    assert response.status_code == 503
    pause = parsedate_to_datetime(response.headers["Retry-After"]) - datetime.now(UTC)
    assert 58 < pause.total_seconds() <= 60


def test_other_verbs_and_another_status_of_success(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.create()
    client.sandbox.configure(
        verbs={"getcalllist": "GET", "getcallrecordfile": "POST"},
        parameters_in={"getcalllist": "json"},
        success_status=201,
    )
    assert client.call_list().headers["Allow"] == "GET"
    assert client.record_file(recorded["recordFileId"]).status_code == 405
    response = client.session.get(
        client.sandbox.url + CALL_LIST, json=MONDAY, headers={"Authorization": f"Bearer {client.access}"}, timeout=5
    )
    assert response.status_code == 201
    assert response.json()["result"]["rowset"] == client.sandbox.truth("2025-06-02", "2025-06-03")


def test_latency_by_method(client: PlainClient) -> None:
    client.create()
    client.sandbox.configure(latency={"getcalllist": 0.8, "*": [0, 0.001]})
    began = time.monotonic()
    client.call_list()
    assert time.monotonic() - began > 0.79
    began = time.monotonic()
    client.create()
    assert time.monotonic() - began < 0.79
