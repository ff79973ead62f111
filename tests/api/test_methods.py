"""The five methods over HTTP, as the sandbox receives them: ``api/methods.py``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sent_requests import END, START, call_hash, calls, calls_by_hash, query, recording

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.settings import PATHS, Settings
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.errors import AlloincognitoError, AlloincognitoQueryError
from airflow_provider_alloincognito.sandbox import LoggedRequest, Sandbox

Row = dict[str, Any]


def request_for(sandbox: Sandbox, method: str) -> LoggedRequest:
    (request,) = [one for one in sandbox.requests if one.method == method]
    return request


def recorded_call(sandbox: Sandbox) -> Row:
    return next(row for row in sandbox.truth(START, END) if row["recordFileId"])


def test_create_is_sent_with_the_authorization_token(client: Client, sandbox: Sandbox) -> None:
    calls(client)
    request = request_for(sandbox, "create")
    assert (request.http_method, request.path, request.raw_query) == ("GET", "/api/v1/auth/integrationapi/create", "")
    assert (request.token_kind, request.token_state, request.body) == ("authorization", "living", None)


def test_refresh_is_sent_with_the_refresh_token(client: Client, sandbox: Sandbox) -> None:
    calls(client)
    sandbox.expire_access()
    calls(client)
    request = request_for(sandbox, "refresh")
    assert (request.http_method, request.path, request.raw_query) == ("GET", "/api/v1/auth/integrationapi/refresh", "")
    assert (request.token_kind, request.token_state, request.body) == ("refresh", "living", None)


def test_the_call_list_is_posted_with_its_unset_filters(client: Client, sandbox: Sandbox) -> None:
    assert calls(client) == sandbox.truth(START, END)
    request = request_for(sandbox, "getcalllist")
    assert (request.http_method, request.path, request.raw_query) == ("POST", "/api/v1/request/getcalllist", "")
    assert (request.token_kind, request.token_state) == ("access", "living")
    assert request.headers["content-type"] == "application/json"
    assert request.body == {
        "periodStart": "2025-06-02 00:00:00",
        "periodEnd": "2025-06-03 00:00:00",
        "direction": 0,
        "durationFrom": None,
        "durationTo": None,
        "isCallRecord": 0,
        "isRead": None,
    }


def test_a_recording_is_fetched_by_its_id(client: Client, sandbox: Sandbox) -> None:
    row = recorded_call(sandbox)
    assert recording(client, row["recordFileId"]) == sandbox.recording(row["recordFileId"])
    request = request_for(sandbox, "getcallrecordfile")
    assert (request.http_method, request.path) == ("GET", "/api/v1/request/getcallrecordfile")
    assert (request.raw_query, request.body) == (f"recordFileId={row['recordFileId']}", None)
    assert request.token_kind == "access"


def test_a_result_is_fetched_by_its_hash(client: Client, sandbox: Sandbox) -> None:
    assert calls_by_hash(client, call_hash(client)) == sandbox.truth(START, END)
    request = request_for(sandbox, "getrequestresultbyhash")
    assert (request.http_method, request.path) == ("GET", "/api/v1/request/getrequestresultbyhash")
    assert (request.token_kind, request.body) == ("access", None)


def test_a_hash_with_special_characters_is_encoded_once(
    start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    sandbox = start_sandbox(always_awkward_hashes=True)
    client = new_client(sandbox)
    request_hash = call_hash(client)
    assert set("=+/") <= set(request_hash)
    assert calls_by_hash(client, request_hash) == sandbox.truth(START, END)
    request = request_for(sandbox, "getrequestresultbyhash")
    assert request.query == {"requestHash": request_hash}
    assert request.raw_query == f"requestHash={quote(request_hash, safe='')}", "percent-encoded exactly once"


FILTERS: dict[str, tuple[dict[str, Any], dict[str, Any], Callable[[Row], bool]]] = {
    "outgoing": ({"direction": "outgoing"}, {"direction": 1}, lambda row: row["direction"] == 1),
    "incoming": ({"direction": 2}, {"direction": 2}, lambda row: row["direction"] == 2),
    "from": ({"duration_from": 60}, {"durationFrom": 60}, lambda row: row["duration"] >= 60),
    "to": ({"duration_to": 60}, {"durationTo": 60}, lambda row: row["duration"] <= 60),
    "recorded": ({"is_call_record": True}, {"isCallRecord": 1}, lambda row: row["recordFileId"] is not None),
    "unread": ({"is_read": 0}, {"isRead": 0}, lambda row: row["isRead"] == 0),
    "read": ({"is_read": 1}, {"isRead": 1}, lambda row: row["isRead"] == 1),
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_reaches_the_server_and_changes_the_rows(
    name: str, start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    filters, sent, keeps = FILTERS[name]
    sandbox = start_sandbox(calls_per_day=300)
    rows = calls(new_client(sandbox), **filters)
    everything = sandbox.truth(START, END)
    assert rows == [row for row in everything if keeps(row)]
    assert 0 < len(rows) < len(everything)
    unset = query().fields(Settings())
    assert request_for(sandbox, "getcalllist").body == {**unset, **sent}


@pytest.mark.parametrize("name", ["numbers", "phoneNumbers"])
def test_numbers_are_sent_in_the_field_of_the_setting(
    name: str, start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    sandbox = start_sandbox(numbers_field=name)
    everything = sandbox.truth(START, END)
    number = everything[3]["callerNumber"]
    rows = calls(new_client(sandbox, numbers_field=name), numbers=[number])
    assert rows == [row for row in everything if number in (row["callerNumber"], row["calledNumber"])]
    assert 0 < len(rows) < len(everything)
    assert request_for(sandbox, "getcalllist").body[name] == [number]


@pytest.mark.parametrize(
    ("server", "setting", "midnight_calls"),
    [
        ("exclusive", "exclusive", 0),
        ("exclusive", "unknown", 0),
        ("inclusive", "inclusive", 0),
        ("inclusive", "unknown", 2),  # duplicates, rather than lost calls
    ],
)
def test_no_call_is_lost_at_the_end_of_a_period(
    server: str,
    setting: str,
    midnight_calls: int,
    start_sandbox: Callable[..., Sandbox],
    new_client: Callable[..., Client],
) -> None:
    sandbox = start_sandbox(period_end=server)
    client = new_client(sandbox, period_end=setting)
    day = sandbox.truth(START, END)
    rows = calls(client)
    assert rows[: len(day)] == day
    assert len(rows) == len(day) + midnight_calls
    assert (
        calls(client, period_start=END, period_end=END + timedelta(1))[:2] == sandbox.truth(END, END + timedelta(1))[:2]
    )


def test_every_path_is_a_setting(start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]) -> None:
    paths = {name: f"/elsewhere/{name}" for name in PATHS}
    sandbox = start_sandbox(**paths)
    client = new_client(sandbox, **paths)
    calls_by_hash(client, call_hash(client))
    recording(client, recorded_call(sandbox)["recordFileId"])
    sandbox.expire_access()
    calls(client)
    assert {request.path for request in sandbox.requests} == set(paths.values())
    assert sandbox.count("unknown") == 0


@pytest.mark.parametrize("zone", ["Asia/Vladivostok", "UTC"])
def test_times_are_sent_in_the_apis_zone(
    zone: str, start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    sandbox = start_sandbox(timezone=zone)
    assert calls(new_client(sandbox, timezone=zone)) == sandbox.truth(START, END)


@pytest.mark.parametrize("value", ["", "  ", None, "None", 5])
@pytest.mark.parametrize("make", [methods.call_record_file, methods.request_result])
def test_an_empty_id_or_hash_is_an_error_before_any_request(make: Callable[..., Any], value: Any) -> None:
    with pytest.raises(AlloincognitoQueryError, match=r"record_file_id|request_hash"):
        make(Settings(), value)


@pytest.mark.parametrize(
    "arguments",
    [{"period_end": START}, {"duration_from": -1}, {"direction": "up"}, {"numbers": ["none"]}, {"is_read": 7}],
)
def test_an_invalid_query_sends_nothing(client: Client, sandbox: Sandbox, arguments: dict[str, Any]) -> None:
    with pytest.raises(AlloincognitoError):
        calls(client, **arguments)
    assert sandbox.requests == []


def test_the_repr_of_a_request_has_no_numbers() -> None:
    assert "79161234567" not in repr(methods.call_list(Settings(), query(numbers=["79161234567"])))
