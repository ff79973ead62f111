"""Parameters: other verbs, places, names, values and formats, each read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
import requests
from sandbox_client import BY_HASH, CALL_LIST, MONDAY, RECORD_FILE, PlainClient

FORM = "application/x-www-form-urlencoded"
PERIOD = ("periodStart", "periodEnd")


def send(client: PlainClient, verb: str, path: str, **arguments: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {client.access}"} | arguments.pop("headers", {})
    return client.session.request(verb, client.sandbox.url + path, headers=headers, timeout=10, **arguments)


def rows(response: requests.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    document = response.json()
    assert document["error"] is None, document
    found: list[dict[str, Any]] = document["result"]["rowset"]
    return found


def truth(client: PlainClient, **wanted: Any) -> list[dict[str, Any]]:
    every = client.sandbox.truth("2025-06-02", "2025-06-03")
    return [row for row in every if all(row[name] == value for name, value in wanted.items())]


def is_refused(response: requests.Response, *names: str) -> bool:
    error = response.json()["error"]
    assert error is not None
    assert all(name in error["errorMessage"] for name in names), error
    return True


def test_a_call_list_by_query(client: PlainClient) -> None:
    client.sandbox.configure(verbs={"getcalllist": "GET"})
    assert rows(send(client, "GET", CALL_LIST, params={**MONDAY, "direction": "1"})) == truth(client, direction=1)
    assert rows(send(client, "GET", CALL_LIST, params={**MONDAY, "durationFrom": "", "isRead": ""})) == truth(client)
    # As real servers do, a body that nobody expects is not read.
    assert is_refused(send(client, "GET", CALL_LIST, json=MONDAY), "periodStart", "periodEnd")
    assert send(client, "POST", CALL_LIST, json=MONDAY).status_code == 405
    for wrong in ({"direction": "one"}, {"direction": "1.0"}, {"durationFrom": "null"}, {"isCallRecord": "true"}):
        assert is_refused(send(client, "GET", CALL_LIST, params={**MONDAY, **wrong}), *wrong)
    assert is_refused(send(client, "GET", f"{CALL_LIST}?direction=1", params={**MONDAY, "direction": "2"}), "direction")
    assert is_refused(send(client, "GET", CALL_LIST, params={**MONDAY, "phones": "1"}), "phones")


def test_a_call_list_by_form(client: PlainClient) -> None:
    client.sandbox.configure(parameters_in={"getcalllist": "form"})
    assert rows(send(client, "POST", CALL_LIST, data={**MONDAY, "direction": 2})) == truth(client, direction=2)
    assert client.sandbox.requests[-1].body == {name: [text] for name, text in {**MONDAY, "direction": "2"}.items()}
    assert send(client, "POST", CALL_LIST, json=MONDAY).status_code == 415
    assert is_refused(send(client, "POST", CALL_LIST, data={**MONDAY, "phones": "1"}), "phones")
    empty = send(client, "POST", CALL_LIST, params=MONDAY, headers={"Content-Type": FORM})
    assert is_refused(empty, "periodStart", "periodEnd")


def test_json_is_not_read_from_a_query_or_a_form(client: PlainClient) -> None:
    assert send(client, "POST", CALL_LIST, params=MONDAY).status_code == 415
    assert send(client, "POST", CALL_LIST, data=MONDAY).status_code == 415
    assert is_refused(send(client, "POST", CALL_LIST, json=MONDAY, params={"direction": "1"}), "direction")


@pytest.mark.parametrize("where", ["json", "form", "query"])
def test_a_recording_and_a_result_by_post(client: PlainClient, recorded: dict[str, Any], where: str) -> None:
    methods = ("getcallrecordfile", "getrequestresultbyhash")
    client.sandbox.configure(verbs=dict.fromkeys(methods, "POST"), parameters_in=dict.fromkeys(methods, where))
    argument = {"json": "json", "form": "data", "query": "params"}[where]
    found = send(client, "POST", RECORD_FILE, **{argument: {"recordFileId": recorded["recordFileId"]}})
    assert found.json()["result"]["fileContent"]
    request_hash = found.json()["result"]["requestHash"]
    assert send(client, "POST", BY_HASH, **{argument: {"requestHash": request_hash}}).json()["error"] is None
    assert is_refused(send(client, "POST", RECORD_FILE, **{argument: {"recordFileId": "x"}}), "recordFileId")
    assert is_refused(send(client, "POST", RECORD_FILE, **{argument: {"id": "x"}}), "id", "recordFileId")


def test_parameters_in_paths(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.sandbox.configure(
        record_file_path="/v1.0/calls/{recordFileId}/audio",
        request_result_path="/requests/{requestHash}",
        always_awkward_hashes=True,
    )
    found = send(client, "GET", f"/v1.0/calls/{recorded['recordFileId']}/audio").json()
    assert found["result"]["fileContent"]
    written = quote(found["result"]["requestHash"], safe="")
    assert send(client, "GET", f"/requests/{written}").json()["result"]["fileContent"]
    # Encoded exactly once, and nothing else beside it.
    assert is_refused(send(client, "GET", f"/requests/{quote(written)}"), "не найден")
    assert is_refused(send(client, "GET", f"/requests/{written}?requestHash={written}"), "requestHash")
    assert send(client, "GET", f"/requests/{found['result']['requestHash']}").status_code == 404  # it has a slash
    assert is_refused(send(client, "GET", "/v1.0/calls/x/audio"), "recordFileId")
    assert send(client, "GET", "/v1_0/calls/x/audio").status_code == 404
    assert send(client, "GET", "/requests/").status_code == 404


def test_other_names_and_no_name(client: PlainClient) -> None:
    names = {"periodStart": "from", "periodEnd": "to", "direction": "dir", "isRead": None}
    client.sandbox.configure(request_fields=names, numbers_field=None)
    body = {"from": MONDAY["periodStart"], "to": MONDAY["periodEnd"]}
    assert rows(send(client, "POST", CALL_LIST, json={**body, "dir": 1})) == truth(client, direction=1)
    for unknown in ("direction", "isRead", "numbers", "periodStart"):
        assert is_refused(send(client, "POST", CALL_LIST, json={**body, unknown: None}), unknown)
    assert is_refused(send(client, "POST", CALL_LIST, json={"from": body["from"]}), "to")


@pytest.mark.parametrize("where", ["json", "query"])
def test_other_values(client: PlainClient, where: str) -> None:
    verb, argument = ("POST", "json") if where == "json" else ("GET", "params")
    client.sandbox.configure(
        verbs={"getcalllist": verb},
        request_values={"direction": {"1": "OUT", "2": "IN"}, "isCallRecord": {"0": False, "1": True}},
    )

    def ask(**values: Any) -> requests.Response:
        return send(client, verb, CALL_LIST, **{argument: {**MONDAY, **values}})

    yes, no = (True, False) if where == "json" else ("true", "false")
    assert rows(ask(direction="OUT", isCallRecord=no)) == truth(client, direction=1)
    recorded = rows(ask(direction="IN", isCallRecord=yes))
    assert recorded == [row for row in truth(client, direction=2) if row["recordFileId"]]
    assert rows(ask()) == truth(client)
    for wrong in ({"direction": 1}, {"direction": "ALL"}, {"direction": "out"}, {"isCallRecord": 1}):
        assert is_refused(ask(**wrong), *wrong)


FORMATS = {
    "iso": "2025-06-02T00:00:00",
    "iso_offset": "2025-06-02T00:00:00+03:00",
    "iso_z": "2025-06-01T21:00:00Z",
    "dotted": "02.06.2025 00:00:00",
    "epoch_s": 1748811600,
    "epoch_ms": 1748811600000,
}


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("verb", ["POST", "GET"])
def test_another_format_of_the_period(client: PlainClient, style: str, verb: str) -> None:
    client.sandbox.configure(verbs={"getcalllist": verb}, period_format=style)
    argument = "json" if verb == "POST" else "params"
    start = FORMATS[style]
    assert rows(send(client, verb, CALL_LIST, **{argument: dict.fromkeys(PERIOD, start)})) == []
    client.sandbox.configure(period_end="inclusive")
    midnight = [row for row in truth(client) if row["startTime"] == "2025-06-02 00:00:00"]
    assert rows(send(client, verb, CALL_LIST, **{argument: dict.fromkeys(PERIOD, start)})) == midnight
    others = {name: other for name, other in FORMATS.items() if type(other) is not type(start) or type(other) is str}
    for wrong in (*(other for name, other in others.items() if name != style), "2025-06-02 00:00:00", "", None):
        if verb == "GET" and type(wrong) is type(start) is int:
            continue
        assert is_refused(send(client, verb, CALL_LIST, **{argument: dict.fromkeys(PERIOD, wrong)}), *PERIOD)


def test_an_offset_needs_its_colon_and_may_be_another_zone(client: PlainClient) -> None:
    client.sandbox.configure(period_format="iso_offset")
    same = {"periodStart": "2025-06-02T02:00:00+05:00", "periodEnd": "2025-06-02T21:00:00+00:00"}
    assert rows(send(client, "POST", CALL_LIST, json=same)) == truth(client)
    same["periodStart"] = "2025-06-02T02:00:00+0500"
    assert is_refused(send(client, "POST", CALL_LIST, json=same), "periodStart")


@pytest.mark.parametrize(
    ("where", "style", "right", "wrong"),
    [
        ("json", "list", ["{0}", "{1}"], "{0},{1}"),
        ("json", "comma", "{0},{1}", ["{0}", "{1}"]),
        ("form", "list", ["{0}", "{1}"], "{0},{1}"),
        ("form", "comma", "{0},{1}", ["{0}", "{1}"]),
        ("query", "list", ["{0}", "{1}"], "{0},{1}"),
        ("query", "comma", "{0},{1}", ["{0}", "{1}"]),
    ],
)
def test_lists(client: PlainClient, where: str, style: str, right: Any, wrong: Any) -> None:
    client.sandbox.configure(
        verbs={"getcalllist": "GET" if where == "query" else "POST"},
        parameters_in={"getcalllist": where},
        list_format=style,
        numbers_field="phones",
    )
    numbers = [row["callerNumber"] for row in truth(client)[:2]]
    argument = {"json": "json", "form": "data", "query": "params"}[where]

    def ask(written: Any) -> requests.Response:
        filled = written.format(*numbers) if isinstance(written, str) else [one.format(*numbers) for one in written]
        verb = client.sandbox.settings.verb_of("getcalllist")
        return send(client, verb, CALL_LIST, **{argument: {**MONDAY, "phones": filled}})

    expected = [row for row in truth(client) if {row["callerNumber"], row["calledNumber"]} & set(numbers)]
    assert rows(ask(right)) == expected
    assert is_refused(ask(wrong), "phones")
    assert rows(ask("" if style == "comma" or where != "json" else [])) == truth(client)


def test_null_may_be_refused(client: PlainClient) -> None:
    client.sandbox.configure(null_parameters=False)
    assert is_refused(client.call_list(durationFrom=None, numbers=None), "durationFrom", "numbers")
    assert client.rows() == truth(client)


BAD: dict[str, Any] = {"phones": ["79161234567"], "periodEnd": None}


def places(style: str, document: Mapping[str, Any]) -> Any:
    """Where an answer of a framework names the parameters that it is about."""
    match style:
        case "fastapi":
            return [one["loc"] for one in document["detail"]]
        case "spring":
            return [one["field"] for one in document["errors"]]
        case "aspnet":
            return list(document["errors"])
    return [one["pointer"] for one in document["errors"]]


@pytest.mark.parametrize(
    ("style", "status", "media_status", "media_type", "named"),
    [
        ("fastapi", 422, 422, "application/json", [["body", "phones"], ["body", "periodEnd"]]),
        ("spring", 400, 415, "application/json", ["phones", "periodEnd"]),
        ("aspnet", 400, 415, "application/problem+json", ["phones", "periodEnd"]),
        ("problem", 422, 415, "application/problem+json", ["#/phones", "#/periodEnd"]),
    ],
)
def test_wrong_parameters_are_answered_as_frameworks_do(
    client: PlainClient, style: str, status: int, media_status: int, media_type: str, named: list[Any]
) -> None:
    client.sandbox.configure(validation_style=style)
    response = client.call_list(**BAD)
    assert (response.status_code, response.headers["Content-Type"]) == (status, media_type)
    assert places(style, response.json()) == named
    assert client.sandbox.requests[-1].outcome == "error"
    assert send(client, "POST", CALL_LIST, data=MONDAY).status_code == media_status
    assert client.call_list(direction=7).status_code == status
    assert client.rows() == truth(client)
