"""The shapes of the envelope that the API's text leaves open."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sandbox_client import MONDAY, PlainClient


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("null", {"error": None}),
        ("absent", {}),
        ("zero", {"error": {"errorMessage": "", "errorCode": 0}}),
        ("zero_string", {"error": {"errorMessage": None, "errorCode": "0"}}),
        ("null_code", {"error": {"errorMessage": None, "errorCode": None}}),
        ("ok", {"error": {"errorMessage": "OK", "errorCode": 0}}),
    ],
)
def test_how_no_error_looks(client: PlainClient, recorded: dict[str, Any], value: str, seen: dict[str, Any]) -> None:
    client.sandbox.configure(no_error=value)
    for response in (client.call_list(), client.record_file(recorded["recordFileId"])):
        document = response.json()
        del document["result"]
        assert document == seen


@pytest.mark.parametrize("order", ["error_first", "result_first", "rowset_first"])
@pytest.mark.parametrize("pretty", [False, True])
def test_order_of_keys_and_indentation(client: PlainClient, order: str, pretty: bool) -> None:
    client.sandbox.configure(key_order=order, pretty=pretty, awkward_rows=True)
    response = client.call_list()
    document = response.json()
    assert document["result"]["rowset"] == client.sandbox.truth("2025-06-02", "2025-06-03")
    assert (list(document) == ["error", "result"]) == (order == "error_first")
    assert list(document["result"]).index("rowset") == (0 if order == "rowset_first" else 6)
    assert ("\n" in response.text) == pretty
    if pretty:
        client.sandbox.configure(awkward_rows=False)
        response = client.call_list()
        document = response.json()
        assert json.dumps(document, indent=2, ensure_ascii=False) == response.text


def test_cyrillic_can_be_escaped(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.sandbox.configure(ascii_json=True, awkward_rows=True)
    response = client.record_file(recorded["recordFileId"])
    assert response.content.isascii()
    assert "Разговор" in response.json()["result"]["file_NAME"]
    assert client.call_list().content.isascii()


@pytest.mark.parametrize(("value", "present"), [("envelope", True), ("null", True), ("absent", False)])
def test_the_result_of_an_error(client: PlainClient, value: str, present: bool) -> None:
    client.sandbox.configure(error_result=value, error_status=400, error_code="E1")
    response = client.call_list(direction=9)
    assert response.status_code == 400
    document = response.json()
    assert document["error"]["errorCode"] == "E1"
    assert ("result" in document) == present
    if value == "envelope":
        assert document["result"]["requestHash"]


def test_the_result_code_can_be_set(client: PlainClient) -> None:
    client.sandbox.configure(result_code=200)
    assert client.call_list().json()["result"]["code"] == 200


def test_numbers_can_be_strings(client: PlainClient) -> None:
    client.sandbox.configure(numbers_as_text=True, start_format="epoch_s")
    result = client.call_list().json()["result"]
    assert (result["apiVersion"], result["code"]) == ("1", "0")
    assert result["rowset"] == client.sandbox.truth("2025-06-02", "2025-06-03")
    assert not any(type(value) is int for row in result["rowset"] for value in row.values())
    assert client.call_list(direction=9).json()["error"]["errorCode"] == "1000"


@pytest.mark.parametrize("value", ["text/plain", None])
def test_the_content_type_can_be_set(client: PlainClient, value: str | None) -> None:
    client.sandbox.configure(content_type=value, success_status=201)
    response = client.call_list(client.sandbox.authorization_token)
    assert response.headers.get("Content-Type") == value


def test_fields_in_other_places(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.sandbox.configure(
        answer_fields={
            "rowset": "data.items",
            "requestHash": {"*": "data.request_id", "getcallrecordfile": "file.request_id"},
            "fileContent": "file.content",
            "apiName": None,
            "errorCode": "status.code",
            "errorMessage": "status.text",
            "accessToken": "tokens.access",
            "refreshToken": "tokens.refresh",
        },
    )
    tokens = client.create()["tokens"]
    client.pair = {"accessToken": tokens["access"], "refreshToken": tokens["refresh"]}
    document = client.call_list().json()
    assert document["data"].pop("items") == client.sandbox.truth("2025-06-02", "2025-06-03")
    assert list(document) == ["result", "data", "status"]
    assert list(document["result"]) == ["apiVersion", "callTime", "responseDuration", "code"]
    assert document["status"] == {"text": None, "code": None}
    file = client.record_file(recorded["recordFileId"]).json()["file"]
    assert base64.b64decode(file["content"]) == client.sandbox.recording(recorded["recordFileId"])
    by_hash = client.by_hash(file["request_id"]).json()
    assert by_hash["file"] == file
    error = client.call_list(direction=9).json()
    assert error["status"]["code"] == 1000
    assert error["data"]["request_id"]


@pytest.mark.parametrize(
    ("places", "no_error", "error_result", "seen", "error"),
    [
        ({"result": "data"}, "null", "envelope", ["error", "data"], {"error", "data"}),
        ({"result": "data"}, "zero", "null", ["error", "data"], {"error", "data"}),
        ({"result": ""}, "absent", "null", ["code", "requestHash", "rowset"], {"error"}),
        (
            {"error": ""},
            "zero",
            "null",
            ["errorMessage", "errorCode", "result"],
            {"errorMessage", "errorCode", "result"},
        ),
        ({"error": "data.status", "result": "data"}, "null", "null", ["data"], {"data"}),
        ({"error": "data.status", "result": "data"}, "ok", "envelope", ["data"], {"data"}),
    ],
)
@pytest.mark.parametrize("order", ["error_first", "rowset_first"])
def test_whole_parts_in_other_places(
    client: PlainClient,
    places: dict[str, str],
    no_error: str,
    error_result: str,
    seen: list[str],
    error: set[str],
    order: str,
) -> None:
    names = ("apiName", "apiVersion", "callTime", "responseDuration")
    client.sandbox.configure(
        answer_fields={**dict.fromkeys(names), **places},
        no_error=no_error,
        error_result=error_result,
        key_order=order,
    )
    response = client.call_list()
    assert set(response.json()) == set(seen)
    data = response.json().get(places.get("result", "result"), response.json())
    assert data["rowset"] == client.sandbox.truth("2025-06-02", "2025-06-03")
    refused = client.call_list(direction=9).json()
    assert set(refused) == error
    assert "недопустимое значение" in json.dumps(refused, ensure_ascii=False)


def test_rows_without_an_envelope(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.sandbox.configure(answer_fields={"rowset": ""}, pretty=True)
    assert client.call_list().json() == client.sandbox.truth("2025-06-02", "2025-06-03")
    assert client.call_list(periodEnd=MONDAY["periodStart"]).json() == []
    assert client.call_list(direction=9).json()["error"]["errorCode"] == 1000
    assert client.record_file(recorded["recordFileId"]).json()["result"]["fileContent"]


@pytest.mark.parametrize("style", ["202", "no_rowset"])
def test_a_result_without_rows_is_a_result(client: PlainClient, style: str) -> None:
    client.sandbox.configure(answer_fields={"rowset": "data.items"}, call_list_answer="pending", pending_style=style)
    document = client.call_list().json()
    assert document["data"] == {}
    assert document["result"]["requestHash"]
