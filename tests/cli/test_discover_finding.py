"""Where the API's document is found, what is asked of the server on the way, and what is said if there is none."""

from __future__ import annotations

import base64
import gzip
import json
import os
import pty
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from api_documents import API_DOCUMENTS
from command_runs import Ran
from plain_server import PlainServer, Said

from airflow_provider_alloincognito.sandbox import Sandbox

Cli = Callable[..., Ran]
Start = Callable[[dict[str, Said]], PlainServer]

DOCUMENT = API_DOCUMENTS["fastapi"].text
COMPACT = json.dumps(json.loads(DOCUMENT))
JAVASCRIPT = re.sub(r'"(openapi|type|paths|in)": ', r"\1:", re.sub("}}}(?=})", "}}}, // more\n", COMPACT))
ESCAPED = json.dumps(COMPACT)
TOKEN = "an-authorization-token"


def html(text: str) -> Said:
    return Said(f"<!DOCTYPE html><html><head><title>API</title></head><body>{text}</body></html>".encode())


def attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;")


@pytest.fixture
def discover(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run the command against a plain server; the token comes from the environment."""
    monkeypatch.setenv("ALLOINCOGNITO_TOKEN", TOKEN)

    def run(server: PlainServer, *arguments: object) -> Ran:
        return cli("discover", "--host", server.url, "--output", "json", *arguments)

    return run


HERE = {"/somewhere/api.json": Said(DOCUMENT.encode())}
PAGES: dict[str, dict[str, Said]] = {
    "the document itself": {"/docs": Said(DOCUMENT.encode())},
    "as UTF-16": {"/docs": Said(DOCUMENT.encode("utf-16"))},
    "with a byte order mark": {"/docs": Said(b"\xef\xbb\xbf" + DOCUMENT.encode())},
    "url": {"/docs": html("<script>SwaggerUIBundle({url: '/somewhere/api.json', dom_id: '#x'})</script>"), **HERE},
    "a relative url": {"/docs": html('<script>ui({"url":"somewhere/api.json"})</script>'), **HERE},
    "the url after the origin": {
        "/docs": html('<script>ui({url: window.location.origin + "/somewhere/api.json"})</script>'),
        **HERE,
    },
    "urls": {
        "/docs": html('<script>ui({urls: [{"name": "a", "url": "/gone"}, {url: "/somewhere/api.json"}]})</script>'),
        **HERE,
    },
    "configUrl": {
        "/docs": html('<script>ui({configUrl: "/conf"})</script>'),
        "/conf": Said(b'{"urls": [{"url": "/somewhere/api.json", "name": "all"}], "validatorUrl": ""}'),
        **HERE,
    },
    "an initializer": {
        "/docs": html(
            '<script src="./swagger-ui-bundle.js"></script><script src="init/swagger-initializer.js"></script>'
        ),
        "/init/swagger-initializer.js": Said(b'window.ui = SwaggerUIBundle({\n  url: "somewhere/api.json",\n})'),
        **HERE,
    },
    "a document in an initializer": {
        "/docs": html('<script src="/docs/swagger-ui-init.js"></script>'),
        "/docs/swagger-ui-init.js": Said(
            f'window.onload = () => {{ let options = {{"swaggerDoc": {COMPACT}, "a": 1}}'.encode()
        ),
    },
    "a document in JavaScript": {"/docs": html(f"<script>ui({{spec: {JAVASCRIPT}, dom_id: '#x'}})</script>")},
    "a document as a text": {"/docs": html(f"<script>ui({{spec: JSON.parse({ESCAPED})}})</script>")},
    "a script with data": {"/docs": html(f'<script type="application/json" id="spec">{COMPACT}</script>')},
    "the state of ReDoc": {"/docs": html(f'<script>const __redoc_state = {{"spec": {{"data": {COMPACT}}}}};</script>')},
    "redoc": {"/docs": html('<redoc spec-url="/somewhere/api.json"></redoc>'), **HERE},
    "Redoc.init": {"/docs": html("<script>Redoc.init('/somewhere/api.json', {})</script>"), **HERE},
    "rapidoc": {"/docs": html('<rapi-doc spec-url = "/somewhere/api.json"> </rapi-doc>'), **HERE},
    "scalar": {"/docs": html('<script id="api-reference" data-url="/somewhere/api.json"></script>'), **HERE},
    "scalar with the document": {"/docs": html(f'<div data-configuration="{attribute(COMPACT)}"></div>')},
    "scalar with a configuration": {
        "/docs": html(f'<div data-configuration="{attribute(json.dumps({"spec": {"url": "/somewhere/api.json"}}))}">'),
        **HERE,
    },
    "elements": {"/docs": html('<elements-api apiDescriptionUrl="/somewhere/api.json" router="hash" />'), **HERE},
    "a link tag": {"/docs": html('<link rel="service-desc" href="/somewhere/api.json">'), **HERE},
    "a header": {
        "/docs": Said(b"<html></html>", headers={"Link": '</somewhere/api.json>; rel="service-desc"'}),
        **HERE,
    },
    "an anchor": {"/docs": html('<a href="/files/swagger?v=2">скачать</a>'), "/files/swagger": Said(DOCUMENT.encode())},
    "a base tag": {"/docs": html('<base href="/somewhere/"><script>ui({url: "api.json"})</script>'), **HERE},
    "a frame": {
        "/docs": html('<iframe src="/ui/"></iframe>'),
        "/ui/": html('<redoc spec-url="/somewhere/api.json">'),
        **HERE,
    },
    "a refresh": {
        "/docs": html('<meta http-equiv="refresh" content="0; url=/ui/index.html">'),
        "/ui/index.html": html('<redoc spec-url="../somewhere/api.json">'),
        **HERE,
    },
    "redirects": {
        "/docs": Said(b"", 301, {"Location": "/docs/"}),
        "/docs/": Said(b"", 302, {"Location": "index.html"}),
        "/docs/index.html": html('<redoc spec-url="/somewhere/api.json">'),
        **HERE,
    },
    "springfox's list": {
        "/swagger-resources": Said(b'[{"name": "default", "url": "/somewhere/api.json", "swaggerVersion": "2.0"}]'),
        **HERE,
    },
    "compressed": {"/docs": Said(gzip.compress(DOCUMENT.encode()), headers={"Content-Encoding": "gzip"})},
    **{
        place: {place: Said(DOCUMENT.encode())}
        for place in (
            "/docs-json", "/docs/swagger.json", "/docs/openapi.json", "/swagger.json", "/openapi.json",
            "/swagger/v1/swagger.json", "/swagger/docs/v1", "/v3/api-docs", "/v2/api-docs", "/api-docs",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("answers", PAGES.values(), ids=PAGES.keys())
def test_the_document_is_found(discover: Callable[..., Ran], plain_server: Any, answers: dict[str, Said]) -> None:
    server = plain_server(answers)
    ran = discover(server)
    assert ran.code == 0, ran.document
    assert ran.document["methods"]["getcalllist"]["operation"] == "POST /telephony/cdr/query"
    assert not [headers for _, headers in server.asked if "authorization" in {name.lower() for name in headers}]


BOMB = "openapi: 3.0.0\npaths: {}\na0: &a0 [x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
)
MERGES = "openapi: 3.0.0\npaths: {}\na0: &a0 {x: 1}\n" + "".join(
    f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}\n" for level in range(1, 12)
)
LOGIN = html('<form action="/login"><input name="user"><input type="password" name="p"></form>')
NOTHING: dict[str, tuple[dict[str, Said], str]] = {
    "nothing": ({}, "HTTP 404"),
    "an empty page": ({"/docs": Said(b"")}, "empty"),
    "a page without an address": ({"/docs": html("<h1>Добро пожаловать</h1>")}, "a page in HTML"),
    "a login page": ({"/docs": LOGIN}, "a login page"),
    "a redirect to a login page": (
        {"/docs": Said(b"", 302, {"Location": "/account/login"}), "/account/login": html("<div id=app></div>")},
        "a login page",
    ),
    "a text": ({"/docs": Said("Документация временно недоступна".encode())}, "neither JSON nor YAML nor HTML"),
    "another JSON": ({"/docs": Said(b'{"ok": true}')}, "JSON or YAML, but not an API's document"),
    "broken JSON": ({"/docs": Said(DOCUMENT.encode()[:3000])}, "its JSON or YAML is broken"),
    "an old version": ({"/docs": Said(b'{"swaggerVersion": "1.2", "apis": []}')}, "Swagger 1.2, which is too old"),
    "50 MB": ({"/docs": Said(b"<html>" + b" " * 50_000_000)}, "larger than 20 MB"),
    "50 MB, compressed": (
        {"/docs": Said(gzip.compress(b"<html>" + b" " * 50_000_000), headers={"Content-Encoding": "gzip"})},
        "larger than 20 MB",
    ),
    "a loop": ({"/docs": Said(b"", 302, {"Location": "/docs"})}, "redirects without end"),
    "pages that lead to each other": (
        {"/docs": html('<iframe src="/b">'), "/b": html('<iframe src="/docs"><redoc spec-url="/docs">')},
        "a page in HTML",
    ),
    "another host": ({"/docs": Said(b"", 302, {"Location": "https://sso.example/"})}, "leads to another server"),
    "another scheme": ({"/docs": Said(b"", 302, {"Location": "https://127.0.0.1/docs"})}, "leads to another server"),
    "another port": ({"/docs": html('<redoc spec-url="http://127.0.0.1:1/api.json">')}, "it is on another server"),
    "deep JSON": ({"/docs": Said(b'{"openapi":' * 100_000)}, "neither JSON nor YAML nor HTML"),
    "deep YAML": ({"/docs": Said(b"openapi: 3\npaths: " + b"[" * 100_000)}, "its JSON or YAML is broken"),
    "forbidden": ({"/docs": Said(b"", 403)}, "HTTP 403"),
    "broken": ({"/docs": Said(b"Traceback", 500)}, "HTTP 500"),
}


@pytest.mark.parametrize(("answers", "outcome"), NOTHING.values(), ids=NOTHING.keys())
def test_it_says_what_was_tried_and_what_came(
    discover: Callable[..., Ran], plain_server: Any, answers: dict[str, Said], outcome: str
) -> None:
    server = plain_server(answers)
    began = time.monotonic()
    ran = discover(server)
    assert ran.code == 1
    assert time.monotonic() - began < 15
    found = ran.document
    assert outcome in found["tried"][0]["outcome"] or outcome in found["tried"][1]["outcome"], found["tried"][:3]
    assert len(found["tried"]) >= 10, "the usual places as well"
    assert "--file" in found["error"]["fix"]
    assert "sample" in found["error"]["fix"]
    assert len(server.asked) <= 70


@pytest.mark.parametrize("text", [BOMB, MERGES], ids=["aliases", "merges"])
def test_yaml_bombs_are_harmless(discover: Callable[..., Ran], plain_server: Any, text: str) -> None:
    began = time.monotonic()
    assert discover(plain_server({"/docs": Said(text.encode())})).code == 1
    assert time.monotonic() - began < 15


def test_a_page_that_answers_everything_is_read_once(discover: Callable[..., Ran], plain_server: Any) -> None:
    page = html("<div id=root></div>")
    places = ("/docs", "/docs-json", "/swagger.json", "/openapi.json", "/api-docs")
    outcomes = [one["outcome"] for one in discover(plain_server(dict.fromkeys(places, page))).document["tried"]]
    assert outcomes.count("the same page as before") == len(places) - 1


def test_a_document_of_something_else(discover: Callable[..., Ran], plain_server: Any) -> None:
    pets = {"get": {"summary": "List pets", "responses": {"200": {"description": "pets"}}}}
    text = json.dumps({"openapi": "3.0.0", "info": {"title": "Petstore"}, "paths": {"/pets": pets}})
    ran = discover(plain_server({"/docs": Said(text.encode())}))
    assert ran.code == 1
    assert "/docs looks like one of the API's methods; it has 1." in ran.document["error"]["message"]
    assert len(ran.document["tried"]) > 10, "another document may be the API's"


def test_a_server_that_is_not_there(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOINCOGNITO_TOKEN", TOKEN)
    ran = cli("discover", "--host", "http://127.0.0.1:1")
    assert ran.code == 1
    assert "No response from http://127.0.0.1:1 (connection refused)" in ran.err


# Logins


def authorizations(server: PlainServer) -> set[str]:
    return {value for _, headers in server.asked for name, value in headers.items() if name.lower() == "authorization"}


def test_no_token_is_sent_to_who_does_not_ask(discover: Callable[..., Ran], plain_server: Any) -> None:
    for challenge in ({}, {"WWW-Authenticate": "Negotiate"}, {"WWW-Authenticate": 'Basic realm="x"'}):
        server = plain_server({"/docs": Said(b"", 401, challenge)})
        ran = discover(server)
        assert ran.code == 1
        assert "wants a login" in ran.document["tried"][0]["outcome"]
        assert authorizations(server) == set()


def test_the_token_is_sent_where_a_bearer_is_wanted(discover: Callable[..., Ran], plain_server: Any) -> None:
    server = plain_server({"/docs": Said(b"", 401, {"WWW-Authenticate": 'Bearer realm="docs"'})})
    ran = discover(server)
    assert "the login (Bearer) is refused" in ran.document["tried"][0]["outcome"]
    assert authorizations(server) == {f"Bearer {TOKEN}"}
    assert TOKEN not in ran.out + ran.err
    refused = plain_server({"/docs": Said(b"", 401, {"WWW-Authenticate": "Bearer"})})
    discover(refused, "--docs-login", "none")
    assert authorizations(refused) == set()


def test_the_token_never_leaves_the_server(discover: Callable[..., Ran], plain_server: Any) -> None:
    other = plain_server({"/api.json": Said(DOCUMENT.encode()), "/docs": Said(DOCUMENT.encode())})
    page = html(f'<redoc spec-url="{other.url}/api.json"><script src="{other.url}/init.js"></script>')
    server = plain_server(
        {
            "/docs": page,
            "/openapi.json": Said(b"", 302, {"Location": f"{other.url}/api.json"}),
            "/swagger.json": Said(
                json.dumps({"openapi": "3.0.0", "paths": {"/a": {"$ref": f"{other.url}/api.json"}}}).encode()
            ),
        }
    )
    ran = discover(server, "--docs-login", "bearer")
    assert ran.code == 1
    assert authorizations(server) == {f"Bearer {TOKEN}"}
    assert other.asked == []


def test_basic_login(
    discover: Callable[..., Ran], start_sandbox: Callable[..., Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = API_DOCUMENTS["transliterated"]
    sandbox = start_sandbox(**document.settings)
    password = tmp_path / "password"
    password.write_text("a password\n")
    arguments = ("--docs-user", "docs", "--docs-password-file", password)
    ran = discover(sandbox, *arguments)
    assert ran.code == 0, ran.document
    assert "a password" not in ran.out + ran.err
    password.write_text("another")
    assert "the login (Basic) is refused" in discover(sandbox, *arguments).document["tried"][0]["outcome"]


@pytest.mark.long
@pytest.mark.discover
def test_a_terminal_is_asked_for_the_login(start_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = start_sandbox(**API_DOCUMENTS["transliterated"].settings)
    answers = {b"User: ": b"docs\n", b"not shown": b"a password\n"}
    process, terminal = pty.fork()
    if process == 0:
        command = [sys.executable, "-m", "airflow_provider_alloincognito", "discover", "--host", sandbox.url]
        os.execv(sys.executable, command)
    seen = b""
    with suppress(OSError):  # the end of a terminal
        while part := os.read(terminal, 1 << 16):
            seen += part
            for question in [one for one in answers if one in seen]:
                os.write(terminal, answers.pop(question))
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, seen
    assert b"a password" not in seen
    assert "vremyaNachala" in seen.decode()


def test_a_gateway_path_is_kept(discover: Callable[..., Ran], plain_server: Any, cli: Cli) -> None:
    server = plain_server(
        {
            "/gateway/docs": html('<redoc spec-url="openapi.json">'),
            "/gateway/openapi.json": Said(DOCUMENT.replace('"/telephony"', '"/gateway/telephony"').encode()),
        }
    )
    ran = cli("discover", "--host", f"{server.url}/gateway", "--output", "json")
    assert ran.code == 0, ran.document
    assert ran.document["proposal"]["extra"]["call_list_path"] == "/telephony/cdr/query"


def test_references_to_other_files_of_the_server(discover: Callable[..., Ran], plain_server: Any) -> None:
    whole = json.loads(DOCUMENT)
    schemas = {"components": {"schemas": whole["components"].pop("schemas")}}
    text = json.dumps(whole).replace("#/components/schemas", "../schemas/all.json#/components/schemas")
    server = plain_server(
        {"/somewhere/api.json": Said(text.encode()), "/schemas/all.json": Said(json.dumps(schemas).encode())}
    )
    ran = discover(server, "--docs-url", "/somewhere/api.json")
    assert ran.code == 0, ran.document
    assert ran.document["proposal"]["fields"] == API_DOCUMENTS["fastapi"].expected["fields"]


# Files


SAVED: dict[str, tuple[str, str]] = {
    "JSON": ("api.json", DOCUMENT),
    "YAML": ("api.yaml", API_DOCUMENTS["transliterated"].text),
    "a page": ("page.html", f"<!DOCTYPE html><html><script>ui({{spec: {COMPACT}}})</script></html>"),
    "a script": ("swagger-ui-init.js", f'let options = {{"swaggerDoc": {COMPACT}}};'),
}


@pytest.mark.parametrize(("name", "text"), SAVED.values(), ids=SAVED.keys())
def test_a_saved_file(cli: Cli, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    ran = cli("discover", "--host", "http://127.0.0.1:1", "--file", tmp_path / name, "--output", "json")
    assert ran.code == 0, ran.err
    assert not ran.document["missing"]


def test_a_page_saved_with_its_folder(cli: Cli, tmp_path: Path) -> None:
    page = '<!DOCTYPE html><html><script src="./Swagger%20UI_files/swagger-ui-init.js.download"></script></html>'
    (tmp_path / "Swagger UI.html").write_text(page)
    (tmp_path / "Swagger UI_files").mkdir()
    (tmp_path / "Swagger UI_files" / "swagger-ui-init.js.download").write_text(f"ui({{spec: {COMPACT}}})")
    ran = cli("discover", "--host", "http://127.0.0.1:1", "--file", tmp_path / "Swagger UI.html")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("hello", "is neither JSON nor YAML nor HTML"),
        ("openapi: 3.0.0\npaths: {", "its JSON or YAML is broken"),
        ('{"a": 1}', "is JSON or YAML, but not an API's document"),
        ('<html><input type="password"></html>', "is a login page"),
        ('<html><redoc spec-url="/api/openapi.json"></html>', "which is at /api/openapi.json of its server"),
        ('<html><script src="../../../etc/passwd"></script></html>', "does not hold the API's document"),
    ],
)
def test_a_file_without_a_document(cli: Cli, tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "page.html"
    path.write_text(text)
    ran = cli("discover", "--host", "http://127.0.0.1:1", "--file", path)
    assert ran.code == 1
    assert problem in ran.err
    assert "--file" in ran.err


def test_a_file_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    ran = cli("discover", "--host", "http://127.0.0.1:1", "--file", tmp_path / "none.json")
    assert ran.code == 1
    assert "cannot be read: No such file or directory" in ran.err


def test_basic_is_encoded_once() -> None:
    from airflow_provider_alloincognito.cli.discover.fetching import Login

    header = Login(user=lambda: ("имя", "a:b")).header("basic")
    assert header is not None
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "имя:a:b"
