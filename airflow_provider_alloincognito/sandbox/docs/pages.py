"""The pages and scripts by which a reader finds the document: as Swagger UI has them, but without Swagger UI itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from airflow_provider_alloincognito.sandbox.docs.schemas import REF

_PAGE = """<!doctype html>
<html lang="ru">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h2 {{ font-size: 1.1rem; margin-top: 2rem; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; }}
tr {{ border-top: 1px solid #ccc; }}
td {{ padding: .3rem 1rem .3rem 0; vertical-align: top; }}
@media (max-width: 40rem) {{ td {{ display: block; padding: 0; }} tr {{ display: block; padding: .3rem 0; }} }}
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
    info, schemas = document["info"], document["components"]["schemas"]
    parts = [f"<h1>{escape(info['title'])}</h1>", f"<p>{escape(info['description'])}</p>"]
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            parts.append(f"<h2><code>{verb.upper()} {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(operation['summary'])}. {escape(operation['description'])}</p>")
            parts.append(_table((one["name"], one["schema"], one) for one in operation.get("parameters", ())))
            for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
                parts.append(f"<p>{escape(media_type)}</p>{_table(_fields(body['schema'], schemas))}")
            for status, response in operation["responses"].items():
                shown = [one["schema"]["$ref"] for one in response.get("content", {}).values()]
                named = " ".join(f"<code>{escape(one.removeprefix(REF))}</code>" for one in shown)
                parts.append(f"<p>{escape(status)} {escape(response['description'])} {named}</p>")
    for name, schema in schemas.items():
        parts.append(f"<h2><code>{escape(name)}</code></h2><p>{escape(schema.get('description', ''))}</p>")
        parts.append(_table(_fields(schema, schemas)))
    return "\n".join(part for part in parts if part)


Field = tuple[str, dict[str, Any], dict[str, Any]]


def _fields(schema: dict[str, Any], schemas: dict[str, Any], prefix: str = "") -> Iterator[Field]:
    """Yield the fields of a schema, those of inner objects by their dotted path: name, type and what is said of it."""
    if "$ref" in schema:
        yield from _fields(schemas[schema["$ref"].removeprefix(REF)], schemas, prefix)
    for part in schema.get("allOf", ()):
        yield from _fields(part, schemas, prefix)
    for name, one in schema.get("properties", {}).items():
        if "properties" in one:
            yield from _fields(one, schemas, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", one, one


def _table(fields: Iterable[Field]) -> str:
    rows = [
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_type(schema))}</td>"
        f"<td>{escape(told.get('description', ''))}</td></tr>"
        for name, schema, told in fields
    ]
    return "<table>" + "".join(rows) + "</table>" if rows else ""


def _type(schema: dict[str, Any]) -> str:
    kinds = schema.get("type", "any")
    written = " | ".join(kinds) if isinstance(kinds, list) else kinds
    if items := schema.get("items"):
        return f"{written} <{items['$ref'].removeprefix(REF) if '$ref' in items else items['type']}>"
    return f"{written} ({schema['format']})" if "format" in schema else str(written)
