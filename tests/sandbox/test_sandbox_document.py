"""The document says exactly what the sandbox serves, whatever its settings are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
import requests

from airflow_provider_alloincognito.sandbox import Sandbox, SandboxSettings
from airflow_provider_alloincognito.sandbox.docs.document import describe
from airflow_provider_alloincognito.sandbox.presets import RENAMED

VERSIONS = ("2.0", "3.0", "3.1")
DIALECTS: dict[str, dict[str, Any]] = {
    "assumed": {},
    "renamed": dict(RENAMED),
    "no envelope": {
        "answer_fields": {"rowset": ""},
        "error_status": 400,
        "numbers_field": None,
        "verbs": {"getcalllist": "GET"},
    },
    "no envelope but for errors": {"answer_fields": {"rowset": ""}},
    "form": {
        "parameters_in": {"getcalllist": "form"},
        "verbs": {"getcallrecordfile": "POST", "getrequestresultbyhash": "POST"},
        "list_format": "comma",
        "period_format": "epoch_s",
        "start_format": "epoch_ms",
        "no_error": "ok",
    },
    "texts": {
        "numbers_as_text": True,
        "pair_envelope": "result",
        "period_format": "dotted",
        "start_format": "iso_z",
        "no_error": "zero",
        "awkward_rows": True,
        "null_parameters": False,
    },
    "parts": {
        "answer_fields": {"result": "", "error": "status", "requestHash": {"getcallrecordfile": "audio.id"}},
        "record_file_path": "/calls/{recordFileId}/audio",
        "request_fields": {"recordFileId": "audio_id", "isRead": None},
        "period_format": "iso_offset",
        "error_code": "E1",
        "validation_style": "fastapi",
        "row_fields": {"comment": None},
        "row_values": {"direction": {"1": "OUT", "2": "IN"}},
    },
}
PERIODS = {
    "naive": ("2025-06-02 00:00:00", "2025-06-03 00:00:00"),
    "iso": ("2025-06-02T00:00:00", "2025-06-03T00:00:00"),
    "iso_offset": ("2025-06-02T00:00:00+03:00", "2025-06-03T00:00:00+03:00"),
    "dotted": ("02.06.2025 00:00:00", "03.06.2025 00:00:00"),
    "epoch_s": (1748811600, 1748898000),
}


class DocumentClient:
    """Asks as a document of OpenAPI 3.1 says, and checks the answers against it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.document = describe(sandbox.settings, "3.1")
        self.operations = {
            operation["summary"]: (verb, path, operation)
            for path, operations in self.document["paths"].items()
            for verb, operation in operations.items()
        }
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, title: str, token: str, **given: Any) -> Any:
        """Return the answer of the operation whose summary begins so, with these values in the order of its fields."""
        (found,) = (one for summary, one in self.operations.items() if summary.startswith(title))
        verb, path, operation = found
        arguments: dict[str, Any] = {"params": {}, "json": None, "data": None}
        values = self.fields(operation)
        for (place, name, schema), value in zip(values, given.values(), strict=False):
            jsonschema.validate(value, self.whole(schema), format_checker=jsonschema.FormatChecker())
            if place == "path":
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
            else:
                arguments[place] = {**(arguments[place] or {}), name: value}
        url = self.sandbox.url + self.document["servers"][0]["url"].rstrip("/") + path
        response = self.session.request(
            verb, url, headers={"Authorization": f"Bearer {token}"}, timeout=10, **arguments
        )
        described = operation["responses"][str(response.status_code)]
        answer = response.json()
        if "content" in described:
            jsonschema.validate(answer, self.whole(described["content"]["application/json"]["schema"]))
        return answer

    def fields(self, operation: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
        """The fields that a request must have, in their order: place, name, schema."""
        needed = [
            ("path" if one["in"] == "path" else "params", one["name"], one["schema"])
            for one in operation.get("parameters", ())
            if one["required"]
        ]
        for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
            schema = self.resolved(body["schema"])
            place = "json" if media_type == "application/json" else "data"
            needed += [(place, name, schema["properties"][name]) for name in schema["required"]]
        return needed

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in schema:
            return schema
        found: dict[str, Any] = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found

    def whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {**schema, "components": self.document["components"]}


@pytest.fixture(params=DIALECTS)
def client(request: pytest.FixtureRequest) -> Iterator[DocumentClient]:
    with Sandbox(calls_per_day=40, recording_bytes=300, **DIALECTS[request.param]) as sandbox:
        one = DocumentClient(sandbox)
        with one.session:
            yield one


def find(answer: Any, field: str, method: str, settings: SandboxSettings) -> Any:
    place = settings.place_of(field, method)
    for name in str(place).split(".") if place else ():
        answer = answer[name]
    return answer


def test_the_answers_are_as_described(client: DocumentClient) -> None:
    settings, sandbox = client.sandbox.settings, client.sandbox
    pair = client.ask("Создание пары", sandbox.authorization_token)
    refresh = find(pair, "refreshToken", "create", settings)
    pair = client.ask("Получение свежей пары", refresh)
    access = find(pair, "accessToken", "refresh", settings)
    period = PERIODS[settings.period_format]
    listed = client.ask("Список вызовов", access, start=period[0], end=period[1])
    rows = find(listed, "rowset", "getcalllist", settings)
    assert rows == sandbox.truth("2025-06-02", "2025-06-03")
    record = settings.row_fields.get("recordFileId") or "recordFileId"
    record_file_id = next(row[record] for row in rows if row[record])
    recording = client.ask("Файл записи", access, id=record_file_id)
    assert find(recording, "fileContent", "getcallrecordfile", settings)
    request_hash = find(recording, "requestHash", "getcallrecordfile", settings)
    again = client.ask("Получение результатов", access, hash=request_hash)
    assert find(again, "fileContent", "getcallrecordfile", settings)
    client.ask("Список вызовов", access, start=period[1], end=period[0])  # an error
    client.ask("Список вызовов", "wrong token", start=period[0], end=period[1])


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for one in part.values():
            yield from references(one)
    elif isinstance(part, list):
        for one in part:
            yield from references(one)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_version_has_the_same_methods_and_all_its_references(version: Any, dialect: str) -> None:
    document = describe(SandboxSettings(**DIALECTS[dialect]), version)
    assert document.get("swagger", document.get("openapi", ""))[:3] == version
    assert paths_of(document) == paths_of(describe(SandboxSettings(**DIALECTS[dialect]), "3.1"))
    found = set(references(document))
    schemas = document["definitions"] if version == "2.0" else document["components"]["schemas"]
    root = "#/definitions/" if version == "2.0" else "#/components/schemas/"
    assert found == {f"{root}{name}" for name in schemas}


def paths_of(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(path, verb) for path, operations in document["paths"].items() for verb in operations}


def test_swagger_has_parameters_of_its_own_kind() -> None:
    document = describe(SandboxSettings(**DIALECTS["form"]), "2.0")
    call_list = document["paths"]["/api/v1/request/getcalllist"]["post"]
    assert call_list["consumes"] == ["application/x-www-form-urlencoded"]
    numbers = call_list["parameters"][0]
    assert (numbers["name"], numbers["in"], numbers["collectionFormat"]) == ("numbers", "formData", "csv")
    assert call_list["parameters"][1]["type"] == "integer"
    body = document["paths"]["/api/v1/request/getcallrecordfile"]["post"]["parameters"][0]
    assert (body["in"], list(body["schema"]["properties"])) == ("body", ["recordFileId"])
    assert document["securityDefinitions"]["bearer"]["name"] == "Authorization"


def test_null_is_written_as_each_version_has_it() -> None:
    def comment(version: Any) -> dict[str, Any]:
        document = describe(SandboxSettings(), version)
        schemas = document.get("definitions") or document["components"]["schemas"]
        described: dict[str, Any] = schemas["Call"]["allOf"][1]["properties"]["comment"]
        return described

    assert comment("3.1")["type"] == ["string", "null"]
    assert (comment("3.0")["type"], comment("3.0")["nullable"]) == ("string", True)
    assert (comment("2.0")["type"], comment("2.0")["x-nullable"]) == ("string", True)


def test_a_base_is_written_once_and_methods_can_be_left_out() -> None:
    for version, base in (("2.0", "basePath"), ("3.1", "servers")):
        settings = SandboxSettings(docs={"base": "/api/v1", "left_out": ["getcalllist"]})  # type: ignore[arg-type]
        document = describe(settings, version)  # type: ignore[arg-type]
        assert "/api/v1" in str(document[base])
        assert set(document["paths"]) == {
            "/auth/integrationapi/create",
            "/auth/integrationapi/refresh",
            "/request/getcallrecordfile",
            "/request/getrequestresultbyhash",
        }


def test_the_document_follows_the_settings(sandbox: Sandbox) -> None:
    sandbox.configure(call_list_path="/api/v9/calls", numbers_field="phones")
    document = requests.get(f"{sandbox.url}/docs/openapi.json", timeout=10).json()
    assert document["paths"]["/api/v9/calls"]["post"]["operationId"] == "post_api_v9_calls"
    assert "phones" in document["components"]["schemas"]["CallListRequest"]["properties"]
