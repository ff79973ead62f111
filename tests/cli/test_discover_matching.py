"""Which operation is which method, and what is proposed: by meaning, not by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_documents import API_DOCUMENTS
from canary import assert_no_leak
from command_runs import Ran
from hypothesis import given, settings
from random_documents import RandomDocument, documents

from airflow_provider_alloincognito.api.mapping import read_mapping
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.cli.discover.documents import Located
from airflow_provider_alloincognito.cli.discover.methods import Choice, Method, match
from airflow_provider_alloincognito.cli.discover.openapi import Document, Operation, Parameter
from airflow_provider_alloincognito.cli.discover.parameters import assign
from airflow_provider_alloincognito.cli.discover.proposing import propose
from airflow_provider_alloincognito.cli.discover.request_values import direction_values
from airflow_provider_alloincognito.cli.discover.schemas import MOST_FIELDS, Schema, walk
from airflow_provider_alloincognito.cli.discover.time_formats import time_format
from airflow_provider_alloincognito.sandbox import Sandbox

EXAMPLES = 30


@given(documents())
@settings(max_examples=EXAMPLES)
def test_methods_and_names_are_found_by_meaning(made: RandomDocument) -> None:
    document = Document(Located(made.content, "somewhere", "https://webapi.alloincognito.ru:4431/docs"))
    choices = match(document.operations)
    found = {method: str(choice.best.operation) for method, choice in choices.items() if choice.best is not None}
    assert found == made.operations, {
        m: [(str(x.operation), x.points) for x in c.candidates] for m, c in choices.items()
    }
    roles = {
        ours: parameter.name
        for choice in choices.values()
        if choice.best is not None
        for ours, parameter in choice.best.roles.items()
    }
    assert roles == made.parameters
    outcome = propose(choices, Settings())
    mapping = read_mapping(outcome.proposal.extra.get("api_mapping", {}))
    for name, path in made.places.items():
        assert path in [".".join(one) for one in mapping.paths(name)], name
    assert outcome.proposal.fields["started_at"] == made.row["started_at"]
    assert outcome.proposal.fields["record_file_id"] == made.row["record_file_id"]
    assert not outcome.missing


def changed(change: Callable[[dict[str, Any]], None]) -> dict[Method, Choice]:
    """Match a document with a change."""
    content = json.loads(API_DOCUMENTS["fastapi"].text)
    change(content)
    return match(operations_of(content))


def operations_of(content: dict[str, Any]) -> list[Operation]:
    return Document(Located(content, "somewhere", "https://webapi.alloincognito.ru:4431/docs")).operations


def test_two_that_are_alike_are_not_chosen_from() -> None:
    def add(content: dict[str, Any]) -> None:
        content["paths"]["/cdr/search"] = content["paths"]["/cdr/query"]

    choice = changed(add)["getcalllist"]
    assert choice.best is None
    assert [str(one.operation) for one in choice.candidates[:2]] == [
        "POST /telephony/cdr/query",
        "POST /telephony/cdr/search",
    ]


def test_what_is_deprecated_gives_way() -> None:
    def add(content: dict[str, Any]) -> None:
        content["paths"]["/cdr/search"] = {"post": {**content["paths"]["/cdr/query"]["post"], "deprecated": True}}

    choice = changed(add)["getcalllist"]
    assert choice.best is not None
    assert str(choice.best.operation) == "POST /telephony/cdr/query"
    assert choice.confidence == "likely"


def test_the_user_is_asked_and_chooses(cli: Callable[..., Ran], tmp_path: Path) -> None:
    content = json.loads(API_DOCUMENTS["fastapi"].text)
    content["paths"]["/cdr/search"] = content["paths"]["/cdr/query"]
    path = tmp_path / "api.json"
    path.write_text(json.dumps(content))
    asked = ("discover", "--host", "http://127.0.0.1:1", "--file", path)
    ran = cli(*asked)
    assert ran.code == 3
    assert 'Choose one: --choose getcalllist="POST /telephony/cdr/query"' in ran.out
    ran = cli(*asked, "--choose", "getcalllist=POST /telephony/cdr/search", "--output", "json")
    assert ran.code == 0
    assert ran.document["proposal"]["extra"]["call_list_path"] == "/telephony/cdr/search"
    assert ran.document["methods"]["getcalllist"]["chosen"] is True
    ran = cli(*asked, "--choose", "getcalllist=POST /gone")
    assert ran.code == 2
    assert "no GET or POST of the document is meant" in ran.err
    assert cli(*asked, "--choose", "calls=POST /gone").code == 2


def test_an_undescribed_answer_is_found_where_the_text_has_it() -> None:
    defaults = Settings()
    places = {
        defaults.create_path: ("get", ""),
        defaults.refresh_path: ("get", ""),
        defaults.call_list_path: ("post", ""),
        defaults.record_file_path: ("get", "recordFileId"),
        defaults.request_result_path: ("get", "requestHash"),
    }
    paths = {
        path: {verb: {"parameters": [{"name": name, "in": "query"}] if name else [], "responses": {"200": {}}}}
        for path, (verb, name) in places.items()
    }
    choices = match(operations_of({"openapi": "3.0.0", "paths": paths}))
    assert {choice.best.operation.path for choice in choices.values() if choice.best is not None} == set(places)


@pytest.mark.parametrize(
    ("parameter", "text", "expected"),
    [
        ({"type": "integer"}, "0 - все, 1 - входящие, 2 - исходящие", {"0": 0, "1": 2, "2": 1}),
        ({"type": "integer"}, "<ul><li>1 — исходящий</li><li>2 — входящий</li></ul>", {"0": None, "1": 1, "2": 2}),
        ({"type": "integer"}, "1 исходящие, 2 входящие", {"0": None, "1": 1, "2": 2}),
        ({"type": "string"}, "in: входящие, out: исходящие, all: все", {"0": "all", "1": "out", "2": "in"}),
        ({"type": "string"}, "исходящие (O), входящие (I)", {"0": None, "1": "O", "2": "I"}),
        ({"type": "string", "enum": ["INBOUND", "OUTBOUND"]}, "", {"0": None, "1": "OUTBOUND", "2": "INBOUND"}),
        ({"enum": [1, 2], "x-enum-varnames": ["Incoming", "Outgoing"]}, "", {"0": None, "1": 2, "2": 1}),
        (
            {"oneOf": [{"const": 5, "title": "Outgoing"}, {"const": 6, "title": "Incoming"}]},
            "",
            {"0": None, "1": 5, "2": 6},
        ),
        ({"type": "array", "items": {"enum": ["in", "out"]}}, "", {"0": None, "1": "out", "2": "in"}),
        ({"type": "integer"}, "Направление вызова", None),
    ],
)
def test_values_of_the_direction(parameter: dict[str, Any], text: str, expected: dict[str, Any] | None) -> None:
    schema = Schema([(parameter, None)])
    assert direction_values(Parameter("direction", "query", schema, description=text)) == expected


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        ({"example": "2024-01-31 00:00:00"}, "", "%Y-%m-%d %H:%M:%S"),
        ({"format": "date-time"}, "", "%Y-%m-%dT%H:%M:%S%:z"),
        ({"format": "date-time", "example": "2024-01-31T00:00:00"}, "", "%Y-%m-%dT%H:%M:%S"),
        ({"format": "date-time", "example": "2024-01-31T10:00:00.000Z"}, "", "%Y-%m-%dT%H:%M:%S.000%:z"),
        ({"pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"}, "", "%Y-%m-%dT%H:%M:%SZ"),
        ({"format": "date"}, "", "%Y-%m-%d"),
        ({"type": "integer", "example": 1631923200}, "", "%s"),
        ({"type": "integer", "format": "int64", "example": 1631923200000}, "", "%s000"),
        ({"type": "integer"}, "Unix timestamp in milliseconds", "%s000"),
        ({}, "в формате дд.мм.гггг чч:мм", "%d.%m.%Y %H:%M"),
        ({}, "yyyy-MM-dd'T'HH:mm:ssXXX", "%Y-%m-%dT%H:%M:%S%:z"),
        ({}, "например, 31.01.2024 23:59:59", "%d.%m.%Y %H:%M:%S"),
        ({}, "Начало периода", None),
    ],
)
def test_formats_of_times(schema: dict[str, Any], text: str, expected: str | None) -> None:
    found = time_format(Schema([({"type": "string", **schema}, None)]), text)
    assert (found.text if found is not None else None) == expected


def notes_of(change: Callable[[dict[str, Any]], None]) -> str:
    """What is said that the package cannot do."""
    outcome = propose(changed(change), Settings())
    return " ".join(note.text for note in outcome.notes if note.kind in ("unsupported", "prevents"))


def test_what_the_package_cannot_do_is_said() -> None:
    def pages(content: dict[str, Any]) -> None:
        fields = content["components"]["schemas"]["CdrQuery"]["properties"]
        fields |= {"page": {"type": "integer"}, "account_id": {"type": "string"}}
        content["components"]["schemas"]["CdrQuery"]["required"].append("account_id")

    assert "page by page (page)" in notes_of(pages)
    assert "wants account_id" in notes_of(pages)

    def sound(content: dict[str, Any]) -> None:
        answer = content["paths"]["/recordings"]["get"]["responses"]["200"]
        answer["content"] = {"audio/mpeg": {"schema": {"type": "string", "format": "binary"}}}

    assert "come as audio/mpeg, not as base64 in JSON" in notes_of(sound)
    assert propose(changed(sound), Settings()).is_prevented

    def key(content: dict[str, Any]) -> None:
        content["components"]["securitySchemes"]["HTTPBearer"] = {"type": "apiKey", "in": "query", "name": "api_key"}

    assert "It wants the key api_key in the query (apiKey)" in notes_of(key)

    def nested(content: dict[str, Any]) -> None:
        body = content["paths"]["/cdr/query"]["post"]["requestBody"]["content"]["application/json"]
        body["schema"] = {"type": "object", "properties": {"filter": body["schema"]}}

    assert "Fields within another field of the body cannot be sent: filter.direction" in notes_of(nested)


def test_a_document_of_another_host_is_said() -> None:
    outcome = propose(changed(lambda content: content.update(servers=[{"url": "https://pbx.example/api"}])), Settings())
    assert "https://pbx.example" in " ".join(note.text for note in outcome.notes if note.subject == "host")
    assert outcome.proposal.extra["call_list_path"] == "/api/cdr/query"


def test_what_the_connection_had_and_the_document_denies_is_removed() -> None:
    choices = changed(lambda content: None)
    settings = Settings(
        timezone="Asia/Omsk", record_file_id_field="zapis", api_mapping=read_mapping({"create": {"verb": "POST"}})
    )
    assert propose(choices, settings).proposal.extra["record_file_id_field"] == "recording_id"
    plain = match(operations_of({"openapi": "3.0.0", "paths": {}}))
    assert propose(plain, settings).proposal.extra == {"api_mapping": None}


def test_no_output_has_a_token_or_a_number(
    cli: Callable[..., Ran], start_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    document = API_DOCUMENTS["fastapi"]
    token = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE2MzE5ODE4MDN9.c2lnbmF0dXJl"
    text = document.text.replace("Start Time", f"{token} +7 (916) 123-45-67 \\u001b[31m")
    sandbox = start_sandbox(**{**document.settings, "docs": {**document.docs, "text": text, "login": "bearer"}})
    monkeypatch.setenv("ALLOINCOGNITO_TOKEN", sandbox.authorization_token)
    for how in (("-v",), ("--output", "json"), ("--connection", "json"), ("--connection", "add")):
        ran = cli("discover", "--host", sandbox.url, "--dag", tmp_path / "calls.py", *how)
        assert ran.code == 0, ran.err
        assert_no_leak(sandbox, "2026-03-03", "2026-03-04", ran.out, ran.err)
        assert token not in ran.out + ran.err
        assert "\x1b" not in ran.out + ran.err
    assert not (tmp_path / "calls.py").exists()


def parameter(text: str, **schema: Any) -> Parameter:
    return Parameter("d", "query", Schema([(schema, None)]), description=text)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("* `inbound` - Входящий * `outbound` - Исходящий", ["inbound", "outbound"], (None, "outbound", "inbound")),
        (
            "<ul><li><i>All</i> - 0</li><li><i>Outgoing</i> - 1</li><li><i>Incoming</i> - 2</li></ul>",
            [0, 1, 2],
            (0, 1, 2),
        ),
        ("1 - incoming 2 - outgoing 0 - incoming and outgoing", [0, 1, 2], (0, 2, 1)),
        (
            "FROM_CLIENT: incoming, TO_CLIENT: outgoing",
            ["FROM_CLIENT", "TO_CLIENT"],
            (None, "TO_CLIENT", "FROM_CLIENT"),
        ),
    ],
)
def test_values_of_a_direction_are_told_apart(text: str, values: list[Any], expected: tuple[Any, ...]) -> None:
    assert direction_values(parameter(text, enum=values)) == dict(zip("012", expected, strict=True))


def test_the_bound_in_a_name_decides() -> None:
    names = ("started_at__gte", "started_at__lt", "duration__gte", "duration__lte")
    found = assign([Parameter(name, "query", Schema([({"type": "string"}, None)])) for name in names])
    assert {role: one.name for role, one in found.items()} == {
        "periodStart": "started_at__gte",
        "periodEnd": "started_at__lt",
        "durationFrom": "duration__gte",
        "durationTo": "duration__lte",
    }


def test_a_flag_in_words() -> None:
    found = assign([Parameter("recorded", "json", Schema([({"type": "string", "enum": ["ANY", "YES"]}, None)]))])
    assert found["isCallRecord"].name == "recorded"


def test_a_field_of_an_answer_has_one_meaning() -> None:
    def rename(content: dict[str, Any]) -> None:
        schema = content["paths"]["/recordings"]["get"]["responses"]["200"]["content"]["application/json"]
        fields = {"fail": {"type": "string", "description": "mp3 в base64"}, "tekst_oshibki": {"type": "string"}}
        schema["schema"] = {"type": "object", "properties": fields}

    answer = propose(changed(rename), Settings()).proposal.extra["api_mapping"]["answer"]
    assert "fail" in answer["fileContent"]
    assert "fail" not in answer["errorMessage"]


def test_the_api_of_a_shop_has_none_of_the_methods() -> None:
    order = {"type": "object", "properties": {"id": {"type": "integer"}, "shipDate": {"type": "string"}}}
    answer = {"200": {"content": {"application/json": {"schema": order}}}}
    key = {"name": "orderId", "in": "path", "required": True, "schema": {"type": "integer"}}
    order_requests = {"get": {"parameters": [key], "responses": answer}}
    found = match(operations_of({"openapi": "3.0.0", "paths": {"/store/order-requests/{orderId}": order_requests}}))
    assert not any(choice.candidates for choice in found.values())


def test_a_report_that_is_asked_for_first() -> None:
    """Its answer has no rows, but a handle by which another operation answers with them."""

    def split(content: dict[str, Any]) -> None:
        listed = content["paths"]["/cdr/query"]["post"]["responses"]
        key = {"name": "report_id", "in": "path", "required": True, "schema": {"type": "string"}}
        content["paths"] = {
            "/reports/calls": content["paths"]["/cdr/query"],
            "/reports/{report_id}": {"get": {"parameters": [key], "responses": dict(listed)}},
        }
        handle = {"type": "object", "properties": {"report_id": {"type": "string"}}}
        content["paths"]["/reports/calls"]["post"]["responses"] = {
            "202": {"content": {"application/json": {"schema": handle}}}
        }

    found = changed(split)
    assert str(found["getcalllist"].best.operation).endswith("/reports/calls")  # type: ignore[union-attr]
    assert str(found["getrequestresultbyhash"].best.operation).endswith("/reports/{report_id}")  # type: ignore[union-attr]


def test_a_list_with_commas_in_a_form() -> None:
    schema = {"type": "object", "properties": {"numbers": {"type": "array", "items": {"type": "string"}}}}
    form = {"schema": schema, "encoding": {"numbers": {"style": "form", "explode": False}}}
    body = {"content": {"application/x-www-form-urlencoded": form}}
    (operation,) = operations_of({"openapi": "3.0.0", "paths": {"/calls": {"post": {"requestBody": body}}}})
    assert [one.list_format for one in operation.parameters] == ["comma"]


def test_what_refers_to_everything_is_read_in_bounded_time() -> None:
    schemas = {
        f"N{i}": {"properties": {f"p{j}": {"$ref": f"#/components/schemas/N{(7 * i + j) % 60}"} for j in range(30)}}
        for i in range(60)
    }
    (operation,) = operations_of(
        {
            "openapi": "3.0.0",
            "components": {"schemas": schemas},
            "paths": {"/n": {"get": {"responses": {"200": {"content": {"a/json": {"schema": schemas["N0"]}}}}}}},
        }
    )
    assert len(list(walk(operation.answer))) < MOST_FIELDS + 30
