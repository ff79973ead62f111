"""``/docs`` and ``/openapi.json``: the five methods described, on a page that needs nothing from elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.types import Receive, Scope, Send

from airflow_provider_alloincognito.sandbox.admin import PREFIX, admin_router
from airflow_provider_alloincognito.sandbox.methods import Methods
from airflow_provider_alloincognito.sandbox.settings import METHODS, Method, SandboxSettings
from airflow_provider_alloincognito.sandbox.state import SandboxState

_ENVELOPE = {
    "error": {"errorMessage": "string", "errorCode": 0},
    "result": {
        "apiName": "string",
        "apiVersion": 0,
        "callTime": "yyyy-mm-dd hh:mm:ss",
        "responseDuration": "string",
        "code": 0,
        "requestHash": "twbfdoEhUI6kPSgOpPXT7Q==QUY5OUZCMDJGNDA4MDBEQ0UwNTBBOEMwQ0I1MDI4NTU=",
    },
}
_PAIR = {
    "accessToken": "string",
    "accessTokenExpiredIn": "string",
    "refreshToken": "string",
    "refreshTokenExpiredIn": "string",
}
_ABOUT: dict[Method, tuple[str, str, str]] = {
    "create": (
        "Создание пары refresh/access токенов",
        "authorization token",
        "При создании новой пары предыдущая становится не валидной.",
    ),
    "refresh": (
        "Получение свежей пары access и refresh токенов",
        "refresh token",
        "Выполняется, после того как истек срок жизни access токена. Refresh token действует один раз.",
    ),
    "getcalllist": (
        "Список вызовов за период",
        "access token",
        "direction: пусто/0 - все, 1 - исходящие, 2 - входящие. "
        "durationFrom, durationTo: секунды, null - без ограничений. isCallRecord: пусто/0 - все, 1 - с записями. "
        "isRead: null - без ограничений, 0 и 1 - звонки с записью в голосовом ящике "
        "(песочница предполагает: 0 - не прочтенные, 1 - прочтенные).",
    ),
    "getcallrecordfile": ("Файл записи разговора: mp3 в base64", "access token", "file_NAME - имя файла записи."),
    "getrequestresultbyhash": (
        "Получение результатов ранее выполнявшегося запроса",
        "access token",
        "Ответ зависит от типа повторяемого запроса. requestHash - из любого другого ответа, закодирован один раз.",
    ),
}


def _query_parameter(method: Method) -> str | None:
    return {"getcallrecordfile": "recordFileId", "getrequestresultbyhash": "requestHash"}.get(method)


def _body(settings: SandboxSettings) -> dict[str, Any]:
    return {
        settings.numbers_field: ["79161234567"],
        "periodStart": "2025-06-02 00:00:00",
        "periodEnd": "2025-06-03 00:00:00",
        "direction": 0,
        "durationFrom": None,
        "durationTo": None,
        "isCallRecord": 0,
        "isRead": None,
    }


def _answer(settings: SandboxSettings, method: Method) -> dict[str, Any]:
    if method in ("create", "refresh"):
        return _PAIR
    result = dict(_ENVELOPE["result"])
    if method == "getcalllist":
        result["rowset"] = [{}]
    elif method == "getcallrecordfile":
        result = {"file_NAME": "string", **result, "fileContent": "string"}
    return {"error": _ENVELOPE["error"], "result": result}


def with_methods(document: dict[str, Any], settings: SandboxSettings) -> dict[str, Any]:
    """
    Add the five methods to an OpenAPI document.

    :param document: the document that FastAPI made of the administration's routes
    :param settings: paths and names
    """
    for method in METHODS:
        title, token, note = _ABOUT[method]
        operation: dict[str, Any] = {
            "tags": ["integrationapi"],
            "operationId": method,
            "summary": title,
            "description": f"{note} Authorization: Bearer {token}.",
            "security": [{"bearer": []}],
            "responses": {
                "200": {
                    "description": "OK",
                    "content": {"application/json": {"example": _answer(settings, method)}},
                }
            },
        }
        if name := _query_parameter(method):
            operation["parameters"] = [{"name": name, "in": "query", "required": True, "schema": {"type": "string"}}]
        if method == "getcalllist":
            operation["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": {"type": "object"}, "example": _body(settings)}},
            }
        verb = "post" if method == "getcalllist" else "get"
        document["paths"][settings.paths[method]] = {verb: operation}
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    return document


def docs_page(document: dict[str, Any]) -> str:
    """
    Give the page that shows an OpenAPI document.

    :param document: the document
    """
    sections = []
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            sections.append((operation.get("tags", [""])[0], _section(path, verb, operation)))
    own = "".join(text for tag, text in sections if tag == "integrationapi")
    admin = "".join(text for tag, text in sections if tag != "integrationapi")
    return _PAGE.format(own=own, admin=admin)


def _section(path: str, verb: str, operation: dict[str, Any]) -> str:
    parts = [f"<h3><b>{verb.upper()}</b> <code>{escape(path)}</code></h3>"]
    for key in ("summary", "description"):
        if text := operation.get(key):
            parts.append(f"<p>{escape(text)}</p>")
    for parameter in operation.get("parameters", []):
        parts.append(f"<p><code>{escape(parameter['name'])}</code> ({escape(parameter['in'])})</p>")
    asked = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    answered = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    for title, content in (("Запрос", asked), ("Ответ", answered)):
        if "example" in content:
            shown = json.dumps(content["example"], ensure_ascii=False, indent=2)
            parts.append(f"<h4>{title}</h4><pre>{escape(shown)}</pre>")
    return f"<section>{''.join(parts)}</section>"


_PAGE = """<!doctype html>
<html lang="ru"><head><meta charset="utf-8"><title>Интеграционные API: песочница</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
section {{ border: 1px solid #ccd; border-radius: 6px; margin: 1rem 0; padding: .5rem 1rem; }}
h3 b {{ background: #246; color: #fff; border-radius: 4px; padding: .1rem .5rem; font-size: .8em; }}
pre {{ background: #f4f5f8; padding: .7rem; overflow-x: auto; }}
</style></head><body>
<h1>Интеграционные API: песочница</h1>
<p>Это не оператор связи, а его подобие для проб и тестов. Описание: <a href="/openapi.json">openapi.json</a>.</p>
<h2>Методы оператора</h2>{own}
<h2>Управление песочницей</h2><p>Не часть API.</p>{admin}
</body></html>"""


class SandboxApp(FastAPI):
    """
    The five methods, the documentation, and the administration.

    The methods are served before FastAPI's own routing: their paths may change while it runs, faults need the bare
    connection, and many clients hammer at them.

    :param state: what the sandbox knows
    """

    def __init__(self, state: SandboxState) -> None:
        super().__init__(title="AlloIncognito integration API: a sandbox", docs_url=None, redoc_url=None)
        self._sandbox = state
        self._methods = Methods(state)
        self._routed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        path = scope["path"]
        method = self._sandbox.settings.methods_by_path.get(path)
        if method is not None:
            # Cancelled: the server is stopped in the middle of a latency or a stall; nobody is there to be told.
            with contextlib.suppress(asyncio.CancelledError):
                await self._methods.serve(method, scope, receive, send)
        elif path in ("/docs", "/openapi.json") or path.startswith(PREFIX + "/"):
            self._route()
            await super().__call__(scope, receive, send)
        else:
            await self._not_found(scope, receive, send)

    def _route(self) -> None:
        """Build FastAPI's routes when first needed: most tests never do, and they take longer than all the rest."""
        if self._routed:
            return
        self._routed = True
        if self._sandbox.settings.admin:
            self.include_router(admin_router(self._sandbox))
        self.add_api_route("/docs", self._docs, include_in_schema=False, response_class=HTMLResponse)

    def openapi(self) -> dict[str, Any]:
        """Give the document of the five methods, under their paths of this moment, and of the administration."""
        document = super().openapi()
        return with_methods({**document, "paths": dict(document["paths"])}, self._sandbox.settings)

    async def _docs(self) -> HTMLResponse:
        return HTMLResponse(docs_page(self.openapi()))

    async def _not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        journal = self._sandbox.journal
        entry = journal.open("unknown", scope["method"], scope["path"], scope["query_string"].decode("latin-1"), {}, {})
        entry.outcome = "not_found"
        journal.answered(entry, 404)
        await JSONResponse({"error": "not found"}, 404)(scope, receive, send)
        journal.sent(entry)
