"""The description of the API: where it is, and what leads to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
import yaml

from airflow_provider_alloincognito.sandbox import Sandbox


class Reader:
    """Reads what is under ``/docs`` as a browser would."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, address: str, **arguments: Any) -> requests.Response:
        return self.session.get(urljoin(self.sandbox.url, address), timeout=10, **arguments)

    def configure(self, **docs: Any) -> None:
        self.sandbox.configure(docs=docs)


@pytest.fixture
def reader(sandbox: Sandbox) -> Iterator[Reader]:
    one = Reader(sandbox)
    with one.session:
        yield one


def paths(document: dict[str, Any]) -> set[str]:
    return set(document["paths"])


def named_in(text: str, option: str) -> str:
    (address,) = re.findall(rf'{option}: "([^"]+)"', text)
    return str(address)


def test_the_default_page_names_the_document_and_needs_nothing_from_elsewhere(reader: Reader) -> None:
    page = reader.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "://" not in page.text
    assert "src=" not in page.text
    assert "/api/v1/request/getcalllist" in page.text
    assert "Идентификатор файла записи разговора" in page.text
    assert named_in(page.text, "url") == "/docs/openapi.json"
    document = reader.get("/docs/openapi.json").json()
    assert document["openapi"].startswith("3.0")
    assert paths(document) == set(reader.sandbox.settings.paths.values())


def test_the_page_names_a_configuration(reader: Reader) -> None:
    reader.configure(page="config_url", path="/v3/api-docs")
    configuration = reader.get(named_in(reader.get("/docs").text, "configUrl")).json()
    assert paths(reader.get(configuration["url"]).json()) == set(reader.sandbox.settings.paths.values())


@pytest.mark.parametrize(
    ("page_path", "script"),
    [
        (None, "/docs/swagger-initializer.js"),
        ("/swagger-ui/index.html", "/swagger-ui/swagger-initializer.js"),
        ("/help/", "/help/swagger-initializer.js"),
    ],
)
def test_an_initializer_script_names_the_document(reader: Reader, page_path: str | None, script: str) -> None:
    reader.configure(page="initializer", page_path=page_path, path="/api-docs")
    page = reader.get("/docs")
    assert [one.status_code for one in page.history] == ([302] if page_path else [])
    assert "api-docs" not in page.text
    (source,) = re.findall(r'src="([^"]+)"', page.text)
    assert urljoin(page.url, source) == urljoin(reader.sandbox.url, script)
    address = named_in(reader.get(script).text, "url")
    assert reader.get(address).json()["openapi"]


@pytest.mark.parametrize("page", ["embedded", "initializer_embedded"])
def test_the_document_is_embedded(reader: Reader, page: str) -> None:
    reader.configure(page=page, path=None)
    script = reader.get("/docs" if page == "embedded" else "/docs/swagger-initializer.js").text
    start = script.index("{", script.index("spec:" if page == "embedded" else "swaggerDoc"))
    document, _ = json.JSONDecoder().raw_decode(script, start)
    assert paths(document) == set(reader.sandbox.settings.paths.values())
    assert reader.get("/docs/openapi.json").status_code == 404


def test_the_page_is_the_document_or_nothing(reader: Reader) -> None:
    reader.configure(page="document", path=None)
    assert paths(reader.get("/docs").json()) == set(reader.sandbox.settings.paths.values())
    reader.configure(page="none", path="/swagger/v1/swagger.json")
    assert reader.get("/docs").status_code == 404
    assert reader.get("/swagger/v1/swagger.json").json()["openapi"]
    reader.configure(page="none", path=None)
    assert reader.get("/docs").status_code == 404
    assert reader.sandbox.count("unknown") == 2


@pytest.mark.parametrize("version", ["2.0", "3.0", "3.1"])
def test_the_document_as_yaml(reader: Reader, version: str) -> None:
    reader.configure(version=version, path="/swagger.yaml")
    response = reader.get("/swagger.yaml")
    assert response.headers["Content-Type"] == "application/yaml"
    assert "Список вызовов за период" in response.content.decode()
    written = yaml.safe_load(response.content)
    reader.configure(version=version, path="/swagger.json")
    assert written == reader.get("/swagger.json").json()
    assert written.get("swagger", written.get("openapi", "")).startswith(version)


def test_another_address_and_another_text(reader: Reader) -> None:
    reader.configure(address="openapi.json", page_path="/ui/", path="/ui/openapi.json", text="</script><b>")
    page = reader.get("/docs")
    assert reader.get(urljoin(page.url, named_in(page.text, "url"))).text == "</script><b>"
    reader.configure(page="embedded", text="</script><b>")
    assert "<b>" not in reader.get("/docs").text


def test_a_login_by_name_or_by_token(reader: Reader) -> None:
    token = reader.sandbox.authorization_token
    reader.configure(login="basic", password="geheim:x")
    for address in ("/docs", "/docs/openapi.json"):
        refused = reader.get(address)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="docs"')
        assert reader.get(address, auth=("docs", "wrong")).status_code == 401
        assert reader.get(address, headers={"Authorization": f"Bearer {token}"}).status_code == 401
        assert reader.get(address, auth=("docs", "geheim:x")).status_code == 200
    reader.configure(login="bearer")
    for address in ("/docs", "/docs/openapi.json"):
        refused = reader.get(address)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert reader.get(address, headers={"Authorization": "Bearer x"}).status_code == 401
        assert reader.get(address, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert reader.sandbox.rotations == []


def test_a_login_by_a_form_that_nobody_passes(reader: Reader) -> None:
    reader.configure(login="form")
    for address in ("/docs", "/docs/openapi.json"):
        page = reader.get(address)
        assert (page.status_code, page.history[0].status_code) == (200, 302)
        assert '<form method="post"' in page.text
    answer = reader.session.post(f"{reader.sandbox.url}/login", data={"username": "x"}, timeout=10)
    assert answer.status_code == 401


def test_only_reading_is_allowed(reader: Reader) -> None:
    assert reader.session.head(f"{reader.sandbox.url}/docs", timeout=10).status_code == 200
    response = reader.session.post(f"{reader.sandbox.url}/docs", timeout=10)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
