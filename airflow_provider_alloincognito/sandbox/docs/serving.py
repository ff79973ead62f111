"""What is served under ``/docs``, and wherever else the settings put the document and what leads to it."""

from __future__ import annotations

import base64
import json
import posixpath
from collections.abc import Callable
from secrets import compare_digest

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from airflow_provider_alloincognito.sandbox.docs import pages
from airflow_provider_alloincognito.sandbox.docs.document import describe
from airflow_provider_alloincognito.sandbox.docs.settings import Docs
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

DOCS = "/docs"
LOGIN = "/login"
_INITIALIZER = "swagger-initializer.js"
_CONFIGURATION = "swagger-config"


class DocsServer:
    """
    Answers requests for the description of the API.

    :param is_valid: whether a token is valid, for the bearer login
    """

    def __init__(self, is_valid: Callable[[str], bool]) -> None:
        self._is_valid = is_valid

    def respond(self, settings: SandboxSettings, request: Request) -> Response | None:
        """
        Return the response to a request; None: nothing is at its path.

        :param settings: the current settings
        :param request: the request
        """
        docs, path = settings.docs, request.url.path
        if docs.login == "form" and path == LOGIN:
            return HTMLResponse(pages.login_page(), 401 if request.method == "POST" else 200)
        make = self._served(settings).get(path)
        if make is None:
            return None
        if request.method not in ("GET", "HEAD"):
            return Response(status_code=405, headers={"Allow": "GET, HEAD"})
        return self._rejection(docs, request) or make()

    def _served(self, settings: SandboxSettings) -> dict[str, Callable[[], Response]]:
        """Return what makes the response of each path."""
        docs = settings.docs
        page = docs.page_path or DOCS
        folder = _folder(page)
        served: dict[str, Callable[[], Response]] = {}
        if docs.page != "none":
            served[DOCS] = lambda: RedirectResponse(page, 302)
            served[page] = lambda: _page(settings, page)
        if docs.page in ("initializer", "initializer_embedded"):
            served[f"{folder}/{_INITIALIZER}"] = lambda: _initializer(settings)
        if docs.page == "config_url":
            configuration = json.dumps({"url": _address(docs), "validatorUrl": ""})
            served[f"{folder}/{_CONFIGURATION}"] = lambda: Response(configuration, media_type="application/json")
        if docs.path is not None:
            served[docs.path] = lambda: _document(settings, yaml=str(docs.path).endswith((".yaml", ".yml")))
        return served

    def _rejection(self, docs: Docs, request: Request) -> Response | None:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        match docs.login:
            case None:
                return None
            case "form":
                return RedirectResponse(f"{LOGIN}?next={request.url.path}", 302)
            case "basic":
                expected = base64.b64encode(f"{docs.user}:{docs.password}".encode()).decode()
                passes = scheme.lower() == "basic" and compare_digest(credentials.strip(), expected)
            case "bearer":
                passes = scheme.lower() == "bearer" and self._is_valid(credentials.strip())
        if passes:
            return None
        challenge = 'Basic realm="docs"' if docs.login == "basic" else "Bearer"
        return Response("Unauthorized", 401, {"WWW-Authenticate": challenge}, "text/plain")


def _folder(page: str) -> str:
    """Return the folder of what belongs to a page: ``/docs`` of ``/docs``, ``/ui`` of ``/ui/index.html``."""
    folder, name = posixpath.split(page)
    return page if name and "." not in name else folder.rstrip("/")


def _address(docs: Docs) -> str:
    return docs.address or str(docs.path)


def _text(settings: SandboxSettings) -> str:
    """Return the document as JSON; or the text that the settings give instead."""
    if settings.docs.text is not None:
        return settings.docs.text
    return json.dumps(describe(settings), ensure_ascii=False, indent=2)


def _document(settings: SandboxSettings, *, yaml: bool = False) -> Response:
    media_type = "application/yaml" if yaml else "application/json"
    if yaml and settings.docs.text is None:
        from yaml import safe_dump

        text = safe_dump(describe(settings), allow_unicode=True, sort_keys=False, width=120)
        return Response(text, media_type=media_type)
    return Response(_text(settings), media_type=media_type)


def _page(settings: SandboxSettings, page: str) -> Response:
    docs = settings.docs
    shown = describe(settings, "3.1") if docs.text is None else None
    beside = posixpath.relpath(_folder(page) or "/", posixpath.dirname(page))
    match docs.page:
        case "document":
            return _document(settings)
        case "embedded":
            script = pages.script_with(spec=pages.embeddable(_text(settings)))
        case "config_url":
            script = pages.script_with(configUrl=f"{_folder(page)}/{_CONFIGURATION}")
        case "initializer" | "initializer_embedded":
            script = posixpath.join(beside, _INITIALIZER)
        case _:
            script = pages.script_with(url=_address(docs))
    return HTMLResponse(pages.page(shown, script))


def _initializer(settings: SandboxSettings) -> Response:
    if settings.docs.page == "initializer":
        script = pages.script_with(url=_address(settings.docs))
    else:
        script = pages.script_around(_text(settings))
    return Response(script, media_type="text/javascript")
