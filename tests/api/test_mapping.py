"""How a server's API differs from the API's text: the setting, and the requests over both transports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl
from zoneinfo import ZoneInfo

import pytest
from plain_server import CALL_LIST_PATH, CREATE_PATH, PAIR, RECORD_FILE_PATH, RESULT_PATH, PlainServer, Received, Said
from sent_requests import query

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.mapping import ApiMapping
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.settings import PROD_SERVER, Settings, read_settings
from airflow_provider_alloincognito.api.times import to_api
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore
from airflow_provider_alloincognito.api.transport.async_client import AsyncClient
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.errors import AlloincognitoQueryError, AlloincognitoSettingsError

StartPlain = Callable[..., PlainServer]
ROWS = Said(b'{"error": null, "result": {"rowset": []}}')
NUMBERS = ["+79161234567", "89161234568"]
AWKWARD_HASH = "tw/+b==?&%2F ж"


def mapping(**changes: Any) -> ApiMapping:
    return read_settings(PROD_SERVER, {"api_mapping": changes}).api_mapping


def exchange(server: PlainServer, make: Callable[[Settings], ApiRequest], **extra: Any) -> Received:
    """Send a request with both transports, check that they send the same, and return it."""
    quick = {"pair_store": "memory", "retries": 0, "timeout": 5}
    settings = read_settings(server.url, {**quick, **extra})
    request = make(settings)

    def keeper() -> PairKeeper:
        return PairKeeper(settings, "an-authorization-token", locking=True)

    client = Client(settings, MemoryTokenStore(), keeper())
    try:
        client.open(request).close()
    finally:
        client.close()

    async def head() -> None:
        async_client = AsyncClient(settings, MemoryTokenStore(), keeper())
        try:
            await async_client.head(request)
        finally:
            await async_client.close()

    asyncio.run(head())
    by_task, by_trigger = (one for one in server.received if "/auth/" not in one.target)
    assert decoded(by_task) == decoded(by_trigger)
    assert by_task.target.partition("?")[0] == by_trigger.target.partition("?")[0]
    return by_task


def decoded(request: Received) -> tuple[Any, ...]:
    path, _, query_string = request.target.partition("?")
    is_json = request.content_type == "application/json"
    body = json.loads(request.body) if is_json else parse_qsl(request.body.decode(), keep_blank_values=True)
    return request.verb, path, parse_qsl(query_string, keep_blank_values=True), request.content_type, body


def list_calls(**filters: Any) -> Callable[[Settings], ApiRequest]:
    return lambda settings: methods.call_list(settings, query(**filters))


# The setting


def test_the_default_is_the_apis_text_and_is_false() -> None:
    assert not ApiMapping()
    assert not Settings().api_mapping
    assert read_settings(PROD_SERVER, {"api_mapping": "{}"}) == Settings()
    assert mapping(getcalllist={"verb": "POST"}) == ApiMapping()
    assert mapping(getcalllist={"body": "form"}).getcalllist.verb == "POST", "what is not given is as in the text"
    assert mapping(create={"verb": "POST"})
    assert mapping(getcalllist={"names": {"direction": None, "isRead": "direction"}}), "a name that is free again"


def test_an_object_and_the_text_of_the_form_are_the_same() -> None:
    given = {"getcalllist": {"verb": "GET", "names": {"isRead": None}}, "answer": {"rowset": ["", "data.items"]}}
    read = [read_settings(PROD_SERVER, {"api_mapping": value}) for value in (given, f" {json.dumps(given)}\n")]
    assert read[0] == read[1]
    assert read[0].api_mapping.paths("rowset") == ((), ("data", "items"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "it must be a JSON object, and is not valid JSON"),
        ("[" * 100_000, "it must be a JSON object, and is not valid JSON"),
        ([], "it must be a JSON object, such as"),
        ({"getcallist": {}}, "unknown key 'getcallist'; did you mean 'getcalllist'?"),
        ({"getcalllist": []}, "getcalllist must be an object"),
        ({"getcalllist": {"vreb": "GET"}}, "getcalllist has the unknown key 'vreb'; did you mean 'verb'?"),
        ({"getcalllist": {"verb": "PUT"}}, "getcalllist.verb must be 'GET' or 'POST'"),
        ({"getcalllist": {"verb": "GET", "body": "form"}}, "getcalllist.body must be 'query', or left out"),
        ({"create": {"body": "json"}}, "create.body must be 'query'"),
        ({"getcalllist": {"names": {"periodStrat": "a"}}}, "getcalllist.names has the unknown key 'periodStrat'; did"),
        ({"getcalllist": {"names": {"direction": ""}}}, "getcalllist.names.direction must be the name"),
        (
            {"getcalllist": {"names": {"direction": "isRead"}}},
            "getcalllist.names must not have 'isRead' for two",
        ),
        ({"getcalllist": {"names": "dir"}}, "getcalllist.names must be an object"),
        ({"create": {"names": {"a": "b"}}}, "create.names has the unknown key 'a' (it takes none)"),
        ({"getcalllist": {"values": {"periodStart": {}}}}, "getcalllist.values has the unknown key 'periodStart'"),
        ({"getcalllist": {"values": {"direction": {"OUT": 1}}}}, "getcalllist.values.direction has the unknown key"),
        ({"getcalllist": {"values": {"direction": {"1": ["OUT"]}}}}, "getcalllist.values must be an object"),
        ({"getcalllist": {"time_format": "%H:%M"}}, "getcalllist.time_format must be a format"),
        ({"getcalllist": {"list_format": "repeat"}}, "getcalllist.list_format must be 'list' or 'comma'"),
        ({"getcalllist": {"nulls": False}}, "getcalllist.nulls must be 'send' or 'omit'"),
        ({"answer": {"rowsets": "a"}}, "answer has the unknown key 'rowsets'; did you mean 'rowset'?"),
        ({"answer": {"rowset": "a..b"}}, "answer.rowset must be a dotted path"),
        ({"answer": {"rowset": []}}, "answer.rowset must be a dotted path"),
        ({"answer": {"rowset": "a.b.c.d.e.f.g"}}, "answer.rowset must be a dotted path of up to 6 keys"),
        ({"answer": {"requestHash": ""}}, "answer.requestHash must be a dotted path"),
        ({"answer": ["rowset"]}, "answer must be an object"),
    ],
)
def test_what_is_invalid_is_an_error_that_names_the_key(given: Any, said: str) -> None:
    with pytest.raises(AlloincognitoSettingsError) as caught:
        read_settings(PROD_SERVER, {"api_mapping": given})
    assert str(caught.value).startswith(
        "The setting api_mapping ('Calls: Mapping of the API' in the Connection's form)"
    )
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"record_file_path": "/files/{id}"}, "unknown placeholder {id}; known for this method: {recordFileId}"),
        ({"create_path": "/{recordFileId}"}, "known for this method: none"),
        (
            {"api_mapping": {"getrequestresultbyhash": {"names": {"requestHash": None}}}},
            "must have {requestHash}, since api_mapping has null",
        ),
    ],
)
def test_a_path_that_does_not_fit_is_an_error(extra: dict[str, Any], said: str) -> None:
    with pytest.raises(AlloincognitoSettingsError) as caught:
        read_settings(PROD_SERVER, extra)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("time_format", "written"),
    [
        ("%Y-%m-%d %H:%M:%S", "2026-03-01 12:00:00"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-03-01T12:00:00+0300"),
        ("%Y-%m-%dT%H:%M:%S%:z", "2026-03-01T12:00:00+03:00"),
        ("%d.%m.%Y", "01.03.2026"),
        ("%s", "1772355600"),
        ("%s000", "1772355600000"),
        ("%%s%%:z %j", "%s%:z 060"),
    ],
)
def test_times_are_written_in_any_format(time_format: str, written: str) -> None:
    assert to_api(datetime(2026, 3, 1, 9, tzinfo=UTC), ZoneInfo("Europe/Moscow"), time_format) == written


# Requests

RENAMED = {
    "verb": "GET",
    "names": {"periodStart": "from", "periodEnd": "to", "direction": "dir", "isRead": None},
    "values": {"isCallRecord": {"0": False, "1": True}, "direction": {"0": None, "1": "OUT", "2": "IN"}},
    "time_format": "%Y-%m-%dT%H:%M:%S%z",
}


@pytest.mark.parametrize(
    ("rules", "filters", "sent"),
    [
        (
            RENAMED,
            {"direction": "outgoing", "numbers": NUMBERS, "duration_from": 60},
            {
                "from": ["2025-06-02T00:00:00+0300"],
                "to": ["2025-06-03T00:00:00+0300"],
                "dir": ["OUT"],
                "durationFrom": ["60"],
                "isCallRecord": ["false"],
                "numbers": NUMBERS,
            },
        ),
        (
            {"verb": "GET", "list_format": "comma", "time_format": "%s"},
            {"numbers": NUMBERS},
            {
                "periodStart": ["1748811600"],
                "periodEnd": ["1748898000"],
                "direction": ["0"],
                "isCallRecord": ["0"],
                "numbers": [",".join(NUMBERS)],
            },
        ),
    ],
)
@pytest.mark.parametrize("place", ["query", "form"])
def test_fields_of_a_query_string_or_a_form(
    rules: dict[str, Any], filters: dict[str, Any], sent: dict[str, Any], place: str, plain_server: StartPlain
) -> None:
    server = plain_server({CALL_LIST_PATH: ROWS})
    rules = {**rules, "body": place, "verb": "POST" if place == "form" else "GET"}
    request = exchange(server, list_calls(**filters), api_mapping={"getcalllist": rules})
    path, _, query_string = request.target.partition("?")
    assert (request.verb, path) == (rules["verb"], CALL_LIST_PATH)
    if place == "form":
        assert (request.content_type, query_string) == ("application/x-www-form-urlencoded", "")
        assert parse_qs(request.body.decode()) == sent
    else:
        assert (request.content_type, request.body) == (None, b"")
        assert parse_qs(query_string) == sent


@pytest.mark.parametrize(
    ("rules", "filters", "sent"),
    [
        ({}, {}, {"direction": 0, "durationFrom": None, "durationTo": None, "isCallRecord": 0, "isRead": None}),
        ({"nulls": "omit"}, {}, {"direction": 0, "isCallRecord": 0}),
        (
            {"values": {"isRead": {"null": -1}, "direction": {"0": None}}, "nulls": "omit"},
            {},
            {"isCallRecord": 0, "isRead": -1},
        ),
        (
            {"nulls": "omit", "list_format": "comma", "values": {"direction": {"2": "IN"}}},
            {"numbers": NUMBERS, "direction": "incoming", "is_call_record": True},
            {"direction": "IN", "isCallRecord": 1, "phones": ",".join(NUMBERS)},
        ),
        ({"nulls": "omit"}, {"numbers": NUMBERS}, {"direction": 0, "isCallRecord": 0, "phones": NUMBERS}),
    ],
)
def test_fields_of_a_json_body(
    rules: dict[str, Any], filters: dict[str, Any], sent: dict[str, Any], plain_server: StartPlain
) -> None:
    server = plain_server({CALL_LIST_PATH: ROWS})
    rules = {**rules, "time_format": "%s000"}
    request = exchange(server, list_calls(**filters), api_mapping={"getcalllist": rules}, numbers_field="phones")
    assert (request.verb, request.target) == ("POST", CALL_LIST_PATH)
    assert json.loads(request.body) == {"periodStart": 1748811600000, "periodEnd": 1748898000000, **sent}


@pytest.mark.parametrize(
    ("method", "make", "rules", "path", "target"),
    [
        (
            "getcallrecordfile",
            lambda settings: methods.call_record_file(settings, "a/b"),
            {"names": {"recordFileId": "id"}},
            "/files",
            "/files?id=a%2Fb",
        ),
        (
            "getcallrecordfile",
            lambda settings: methods.call_record_file(settings, "../a b?#%"),
            {},
            "/files/{recordFileId}/content",
            "/files/..%2Fa%20b%3F%23%25/content",
        ),
        (
            "getrequestresultbyhash",
            lambda settings: methods.request_result(settings, AWKWARD_HASH),
            {"names": {"requestHash": None}},
            "/results/{requestHash}?full=1",
            "/results/tw%2F%2Bb%3D%3D%3F%26%252F%20%D0%B6?full=1",
        ),
        (
            "getrequestresultbyhash",
            lambda settings: methods.request_result(settings, "a+b=="),
            {"verb": "POST", "body": "query"},
            "/results?full=1",
            "/results?full=1&requestHash=a%2Bb%3D%3D",
        ),
    ],
)
def test_an_id_in_a_path_or_a_parameter_is_encoded_once(
    method: str,
    make: Callable[[Settings], ApiRequest],
    rules: dict[str, Any],
    path: str,
    target: str,
    plain_server: StartPlain,
) -> None:
    setting = {"getcallrecordfile": "record_file_path", "getrequestresultbyhash": "request_result_path"}[method]
    server = plain_server({target.partition("?")[0]: ROWS})
    request = exchange(server, make, api_mapping={method: rules}, **{setting: path})
    assert (request.verb, request.target) == (rules.get("verb", "GET"), target)


@pytest.mark.parametrize("body", ["json", "form"])
def test_an_id_in_a_body(body: str, plain_server: StartPlain) -> None:
    server = plain_server({RECORD_FILE_PATH: ROWS})
    rules = {"verb": "POST", "body": body, "names": {"recordFileId": "id"}}
    request = exchange(
        server, lambda settings: methods.call_record_file(settings, "a b"), api_mapping={"getcallrecordfile": rules}
    )
    assert request.target == RECORD_FILE_PATH
    assert request.body.replace(b" ", b"") == {"json": b'{"id":"ab"}', "form": b"id=a+b"}[body]


def test_a_pair_is_made_by_post_where_the_mapping_says_so(plain_server: StartPlain) -> None:
    server = plain_server(
        {CREATE_PATH: Said(PAIR.replace(b"accessToken", b"access_token").replace(b"refreshToken", b"refresh_token"))}
    )
    exchange(
        server,
        lambda settings: methods.request_result(settings, "h"),
        api_mapping={
            "create": {"verb": "POST"},
            "answer": {"accessToken": "access_token", "refreshToken": ["data.refresh_token", "refresh_token"]},
        },
    )
    assert server.received[0] == Received("POST", CREATE_PATH, None, b"")


@pytest.mark.parametrize("filters", [{"direction": 1}, {"is_read": 0}, {"duration_to": 0}, {"is_call_record": True}])
def test_a_filter_that_the_server_does_not_have_is_an_error_and_is_not_dropped(filters: dict[str, Any]) -> None:
    names = dict.fromkeys(("direction", "durationFrom", "durationTo", "isCallRecord", "isRead"))
    settings = read_settings(PROD_SERVER, {"api_mapping": {"getcalllist": {"names": names}}})
    (argument,) = filters
    with pytest.raises(AlloincognitoQueryError, match=f"^{argument} is set, but the server has no such filter"):
        methods.call_list(settings, query(**filters))
    assert set(methods.call_list(settings, query()).body or {}) == {"periodStart", "periodEnd"}


@pytest.mark.parametrize("dots", [".", ".."])
def test_dots_do_not_become_part_of_a_path(dots: str) -> None:
    with pytest.raises(AlloincognitoQueryError, match="cannot be part of a path"):
        methods.call_record_file(Settings(record_file_path="/files/{recordFileId}"), dots)


def test_the_address_of_a_method_has_neither_id_nor_query() -> None:
    settings = Settings(record_file_path="/files/{recordFileId}?key=secret")
    assert methods.endpoint(settings, "getcallrecordfile") == f"{PROD_SERVER}/files/{{recordFileId}}"
    request = methods.call_record_file(settings, "a")
    assert (request.url, request.params) == (f"{PROD_SERVER}/files/a", {"key": "secret"})
    assert "secret" not in repr(request)


def test_what_is_sent_is_not_in_the_repr() -> None:
    form = mapping(getcalllist={"body": "form"})
    assert NUMBERS[0] not in repr(methods.call_list(Settings(api_mapping=form), query(numbers=NUMBERS)))
    assert RESULT_PATH in repr(methods.request_result(Settings(), "h"))
