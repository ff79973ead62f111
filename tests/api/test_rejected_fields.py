"""Errors that say which setting is wrong, and lead to ``discover``: ``answer/rejected_fields.py``, ``verdict.py``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st
from plain_server import CALL_LIST_PATH, CREATE_PATH, RECORD_FILE_PATH, RESULT_PATH, PlainServer, Said
from sent_requests import calls, calls_by_hash, recording

from airflow_provider_alloincognito.api.answer.rejected_fields import LONGEST_FAULT, MOST_FAULTS, rejected_fields
from airflow_provider_alloincognito.api.mapping import ApiMapping, RequestMapping
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoBadRequestError,
    AlloincognitoPathError,
)

StartPlain = Callable[..., PlainServer]
NewClient = Callable[..., Client]
DISCOVER = "`airflow alloincognito discover` (Airflow 2: `python -m airflow_provider_alloincognito discover`)"
FASTAPI = {
    "detail": [{"loc": ["body", "numbers"], "msg": "Field required", "type": "missing", "input": {"x": "79161234567"}}]
}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (FASTAPI, "body.numbers: Field required"),
        ({"detail": "Invalid period"}, "Invalid period"),
        (  # Spring
            {
                "timestamp": "2026-03-01T00:00:00",
                "status": 400,
                "error": "Bad Request",
                "errors": [{"field": "periodStart", "defaultMessage": "must not be null", "rejectedValue": "7"}],
                "path": "/api/v1/request/getcalllist",
            },
            "periodStart: must not be null",
        ),
        ({"status": 400, "error": "Bad Request", "path": "/api"}, "Bad Request"),
        (  # RFC 7807
            {"title": "Not valid", "detail": "See below", "invalid-params": [{"name": "to", "reason": "no date"}]},
            "to: no date",
        ),
        (  # RFC 9457
            {"title": "Not valid", "errors": [{"detail": "must be a number", "pointer": "#/body/isRead"}]},
            "body.isRead: must be a number",
        ),
        ({"type": "about:blank", "title": "Bad Request"}, "Bad Request"),
        (
            {"title": "One or more", "errors": {"Numbers": ["It is required."]}},
            "Numbers: It is required",
        ),
        ({"numbers": ["This field is required."], "to": ["A.", "B."]}, "numbers: This field is required; to: A; to: B"),
        ({"message": ["numbers must be an array"], "error": "Bad Request"}, "numbers must be an array"),
        ({"errors": [{"field": "from"}]}, "from: is not accepted"),
        ("bad numbers", "bad numbers"),
        ({}, ""),
        ([], ""),
        (5, ""),
        ({"accessToken": "SECRET"}, ""),
        ({"errors": [[[[[["deep"]]]]]]}, ""),
    ],
)
def test_what_a_body_says_of_the_fields(body: Any, said: str) -> None:
    assert rejected_fields(json.dumps(body).encode()) == said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("неверное поле numbers", "неверное поле numbers"),
        ("абонент 79161234567, eyJhbGciOi.x.y", "абонент <number>, <token>"),
        ("<html><body>numbers</body></html>", ""),
        ('{"detail": "cut o', ""),
        ("", ""),
    ],
)
def test_a_text_is_said_and_a_page_is_not(body: str, said: str) -> None:
    assert rejected_fields(body.encode()) == said


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["errors", "detail", "loc", "msg", "x"]), inner),
)


@given(st.binary() | st.text().map(str.encode) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_said_on_one_short_line(body: bytes) -> None:
    said = rejected_fields(body)
    assert said.isprintable()
    assert len(said) <= MOST_FAULTS * (LONGEST_FAULT + 2)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"errors": [{"field": "a" * 1000, "message": "b" * 1000}] * 100}),
        json.dumps({"errors": [""] * 50_000}),
        '{"errors":' + "[" * 100_000,
        '"' + "7 " * 100_000 + '"',
    ],
)
def test_a_large_body_takes_little_time(body: str) -> None:
    start = time.monotonic()
    rejected_fields(body.encode())
    assert time.monotonic() - start < 1  # a few ms


# Over HTTP


def failure(server: PlainServer, new_client: NewClient, **settings: Any) -> AlloincognitoApiError:
    with pytest.raises(AlloincognitoApiError) as caught:
        calls(new_client(server.url, **settings), numbers=["79161234567"])
    return caught.value


@pytest.mark.parametrize("status", [400, 422])
def test_a_rejected_field_is_named_and_final(status: int, plain_server: StartPlain, new_client: NewClient) -> None:
    server = plain_server({CALL_LIST_PATH: Said(json.dumps(FASTAPI).encode(), status)})
    error = failure(server, new_client, retries=3)
    assert type(error) is AlloincognitoBadRequestError
    assert not error.retryable
    assert server.paths.count(CALL_LIST_PATH) == 1
    assert str(error) == (
        f"AlloIncognito's getcalllist responded with error {status}: body.numbers: Field required. The request was "
        f"POST {server.url}{CALL_LIST_PATH}. Check that numbers_field and api_mapping in the Connection have the names "
        "and values of the method's fields on the server's /docs page, and that call_list_path is its path. "
        f"{DISCOVER} reads the right values from the server's documentation."
    )


@pytest.mark.parametrize("body", [b"", b"<html>Bad Request</html>", b'{"error":"Bad Request","status":400}'])
def test_a_bad_request_without_details_is_final_too(
    body: bytes, plain_server: StartPlain, new_client: NewClient
) -> None:
    error = failure(plain_server({CALL_LIST_PATH: Said(body, 400)}), new_client)
    assert isinstance(error, AlloincognitoBadRequestError)
    assert "numbers_field" in str(error)


def test_the_apis_own_error_is_as_with_any_status(plain_server: StartPlain, new_client: NewClient) -> None:
    server = plain_server({CALL_LIST_PATH: Said(b'{"error": {"errorCode": 5, "errorMessage": "no"}}', 400)})
    error = failure(server, new_client)
    assert type(error) is AlloincognitoApiError
    assert error.retryable
    assert (error.code, error.message) == (5, "no")
    assert "numbers_field and api_mapping" in str(error)


@pytest.mark.parametrize("status", [301, 404, 405, 410])
def test_a_wrong_path_or_verb_names_what_was_requested(
    status: int, plain_server: StartPlain, new_client: NewClient
) -> None:
    server = plain_server({"/list": Said(b"", status, {"Allow": "POST, OPTIONS"})})
    get = ApiMapping(getcalllist=RequestMapping(verb="GET"))
    error = failure(server, new_client, call_list_path="/list?key=secret", api_mapping=get)
    assert type(error) is AlloincognitoPathError
    assert str(error) == (
        f"AlloIncognito's getcalllist responded with error {status}: an HTTP status without a message. The request was "
        f"GET {server.url}/list, where the server allows POST, OPTIONS. Check that call_list_path in the Connection is "
        "the method's path on the server's /docs page. Another verb is a matter of api_mapping. "
        f"{DISCOVER} reads the right values from the server's documentation."
    )


@pytest.mark.parametrize("allow", ["no such verb 79161234567", "GET\tPOST", "A" * 1000])
def test_only_verbs_of_a_header_are_shown(allow: str, plain_server: StartPlain, new_client: NewClient) -> None:
    error = failure(plain_server({CALL_LIST_PATH: Said(b"", 405, {"Allow": allow})}), new_client)
    assert "allows" not in str(error)


@pytest.mark.parametrize(("status", "kind"), [(404, AlloincognitoApiError), (405, AlloincognitoPathError)])
def test_a_recording_or_a_result_may_be_gone(
    status: int, kind: type[AlloincognitoApiError], plain_server: StartPlain, new_client: NewClient
) -> None:
    path = "/files/{recordFileId}"
    server = plain_server({"/files/a%2Fb": Said(b"", status), RESULT_PATH: Said(b"", status)})
    client = new_client(server.url, record_file_path=path)
    with pytest.raises(AlloincognitoApiError) as file:
        recording(client, "a/b")
    with pytest.raises(AlloincognitoApiError) as result:
        calls_by_hash(client, "secret-hash")
    assert type(file.value) is type(result.value) is kind
    assert f"The request was GET {server.url}{path}. Check that record_file_path" in str(file.value)
    assert f"The request was GET {server.url}{RESULT_PATH}. Check that request_result_path" in str(result.value)
    assert "and that the hash is known and has not expired" in str(result.value)
    for error in (file.value, result.value):
        assert DISCOVER in str(error)
        assert "secret-hash" not in str(error)


def test_the_id_of_a_recording_may_have_another_name(plain_server: StartPlain, new_client: NewClient) -> None:
    said = b'{"detail":[{"loc":["query","id"],"msg":"Field required"}]}'
    server = plain_server({RECORD_FILE_PATH: Said(said, 422)})
    with pytest.raises(AlloincognitoBadRequestError, match=r"query\.id: Field required.*Check that api_mapping"):
        recording(new_client(server.url), "a")


def test_a_token_call_leads_there_too(plain_server: StartPlain, new_client: NewClient) -> None:
    server = plain_server({CREATE_PATH: Said(b"", 405, {"Allow": "POST"})})
    with pytest.raises(AlloincognitoPathError) as caught:
        calls(new_client(server.url))
    assert f"The request was GET {server.url}{CREATE_PATH}, where the server allows POST." in str(caught.value)
    assert "create_path" in str(caught.value)
