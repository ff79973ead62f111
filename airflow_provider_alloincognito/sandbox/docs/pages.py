"""The pages and scripts by which a reader finds the document: as Swagger UI has them, but without Swagger UI itself."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="ru">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
summary {{ cursor: pointer; padding: .3rem 0; overflow-wrap: anywhere; }}
code, pre {{ font: 14px/1.4 ui-monospace, monospace; }}
pre {{ background: #f4f4f4; padding: 1rem; overflow: auto; }}
</style>
</head>
<body>
<div id="swagger-ui">
{content}
</div>
{scripts}
</body>
</html>
"""
_LOGIN = """<!doctype html>
<html lang="ru">
<head><meta charset="utf-8"><title>Вход</title></head>
<body>
<form method="post" action="/login">
<label>Имя <input name="username" autocomplete="username"></label>
<label>Пароль <input name="password" type="password" autocomplete="current-password"></label>
<button>Войти</button>
</form>
</body>
</html>
"""
# The page is complete as it is; the script has what readers of such pages look for.
_STAND_IN = "const SwaggerUIBundle = (options) => options;"


def login_page() -> str:
    """Return a page that asks for a name and a password."""
    return _LOGIN


def page(document: dict[str, Any] | None, script: str) -> str:
    """
    Return the page.

    :param document: what the page shows; None: nothing
    :param script: a script, or the address of one: a text without line breaks that ends in ``.js``
    """
    if script.endswith(".js"):
        scripts = f'<script>{_STAND_IN}</script>\n<script src="{escape(script)}"></script>'
    else:
        scripts = f"<script>\n{_STAND_IN}\n{script}</script>"
    title = document["info"]["title"] if document else "Swagger UI"
    return _PAGE.format(title=escape(title), content=_content(document) if document else "", scripts=scripts)


def script_with(**options: str) -> str:
    """
    Return the script of Swagger UI with options.

    :param options: ``url`` or ``configUrl``: an address; ``spec``: a document as text
    """
    lines = [f"    {name}: {value if name == 'spec' else json.dumps(value)}," for name, value in options.items()]
    return "\n".join(
        (
            "window.onload = function () {",
            "  window.ui = SwaggerUIBundle({",
            *lines,
            '    dom_id: "#swagger-ui",',
            "    deepLinking: true,",
            "  });",
            "};",
            "",
        )
    )


def script_around(document: str) -> str:
    """
    Return an initializer script that has the document in it, as NestJS writes it.

    :param document: the document as text
    """
    return "\n".join(
        (
            "window.onload = function () {",
            "  let options = {",
            f'    "swaggerDoc": {document},',
            '    "customOptions": {}',
            "  };",
            '  window.ui = SwaggerUIBundle({ spec: options.swaggerDoc, dom_id: "#swagger-ui" });',
            "};",
            "",
        )
    )


def embeddable(document: str) -> str:
    """Return a document's JSON as it can stand in a page: nothing in it ends the script."""
    return document.replace("<", "\\u003c")


def _content(document: dict[str, Any]) -> str:
    info = document["info"]
    parts = [f"<h1>{escape(info['title'])}</h1>", f"<p>{escape(info['description'])}</p>"]
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            head = f"<code><b>{verb.upper()}</b> {escape(path)}</code> {escape(operation['summary'])}"
            told = {name: operation[name] for name in ("parameters", "requestBody", "responses") if name in operation}
            parts.append(_folded(head, operation["description"], told, opened=True))
    parts.append("<h2>Схемы</h2>")
    for name, schema in document["components"]["schemas"].items():
        parts.append(_folded(f"<code>{escape(name)}</code>", "", schema))
    return "\n".join(parts)


def _folded(head: str, text: str, value: Any, *, opened: bool = False) -> str:
    shown = escape(json.dumps(value, ensure_ascii=False, indent=2))
    is_open = " open" if opened else ""
    return f"<details{is_open}><summary>{head}</summary><p>{escape(text)}</p><pre>{shown}</pre></details>"
