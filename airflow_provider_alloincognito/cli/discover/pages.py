"""
What a page or a script says of where the API's document is: addresses, and documents that it holds itself.

Pages of Swagger UI, ReDoc, RapiDoc, Scalar and Elements, and their initializer scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from airflow_provider_alloincognito.cli.discover.parsing import embedded, is_document, parse

# Names under which a viewer is given an address: "specUrl", "spec-url", "configUrl", "url"...
ADDRESS_NAME = re.compile(
    r"(?:config|spec|data|definition|swagger|openapi|api-?description|document|json|docs?|schema)?[-_]?(?:url|uri|spec)"
    r"|url|json-?spec|api-?description-?url|definition",
    re.IGNORECASE,
)
IN_SCRIPT = re.compile(
    r"""
    ["']? (?P<name>[\w-]{3,30}) ["']? \s* [:=] \s*
    (?: [\w$.()\s]{0,80} \+ \s* )?          # window.location.origin +
    ["'`] (?P<address>[^"'`\s<>{}|\\]{1,500}) ["'`]
  | Redoc\.init \s* \( \s* ["'] (?P<redoc>[^"'\s]{1,500}) ["']
    """,
    re.VERBOSE,
)
# A text that looks like a document's address, whatever it is for.
LIKELY = re.compile(
    r"""["'`(=]([^"'`\s<>{}|\\()]{0,300}(?:api-docs|api-json|docs-json|openapi|swagger)[^"'`\s<>{}|\\()]{0,200})["'`)]""",
    re.IGNORECASE,
)
# Addresses of documents end in these or in none at all.
ENDING = re.compile(r"\.(?!json|ya?ml)[a-z][a-z0-9]{1,5}$", re.IGNORECASE)
LIBRARY = re.compile(
    r"(?:bundle|preset|standalone|jquery|vendor|polyfill|runtime|chunk|analytics|gtag|metrika|bootstrap|react|vue)"
    r"[\w.-]*\.m?js",
    re.IGNORECASE,
)
INITIALIZER = re.compile(r"init|config|swagger|docs|openapi|redoc", re.IGNORECASE)
DOCUMENT_LINKS = ("service-desc", "service-description", "describedby", "openapi", "swagger")
DATA_SCRIPTS = ("json", "yaml", "openapi")
REFRESH = re.compile(r"url\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
MOVED = re.compile(r"location(?:\.href)?\s*(?:=|\.(?:replace|assign)\()\s*[\"']([^\"'\s]+)[\"']")
VIEWERS = {
    "Swagger UI": re.compile(r"swagger-?ui", re.IGNORECASE),
    "ReDoc": re.compile(r"redoc", re.IGNORECASE),
    "RapiDoc": re.compile(r"rapi-?doc", re.IGNORECASE),
    "Scalar": re.compile(r"@scalar/|scalar[-/]api-reference", re.IGNORECASE),
    "Elements": re.compile(r"elements-api", re.IGNORECASE),
}


@dataclass
class Page:
    """
    What a page or a script says.

    :param documents: that it holds.
    :param addresses: of documents, as they are written, the likeliest first.
    :param pages: addresses of pages that it leads to, or shows as a part of itself.
    :param scripts: addresses of its scripts, the likeliest first.
    :param is_login: whether it asks for a password.
    :param viewer: the name of the viewer that it is a page of; empty if it is of none that is known.
    :param base: the address that its others are relative to, if it names one.
    """

    documents: list[dict[str, Any]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    is_login: bool = False
    viewer: str = ""
    base: str = ""


def read_page(text: str) -> Page:
    """Read a page in HTML. Its own scripts are read as :func:`read_script` does."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    page = parser.page
    for script in parser.inline:
        page.documents += _whole(script) if parser.inline[script] else []
        page.pages += MOVED.findall(script)
        _add(page, read_script(script))
    page.addresses += _likely(text)
    page.addresses = _unique(page.addresses)
    page.scripts = sorted(
        _unique(page.scripts), key=lambda one: (bool(LIBRARY.search(one)), not INITIALIZER.search(one))
    )
    page.is_login = parser.has_password_field
    page.viewer = next((name for name, pattern in VIEWERS.items() if pattern.search(text)), "")
    return page


def read_script(text: str) -> Page:
    """Read a script."""
    page = Page(documents=list(embedded(text)))
    if not page.documents:
        for found in IN_SCRIPT.finditer(text):
            if found["redoc"] or ADDRESS_NAME.fullmatch(found["name"] or ""):
                page.addresses.append(found["redoc"] or found["address"])
        page.addresses = _unique([*filter(_can_be_address, page.addresses), *_likely(text)])
    return page


def read_config(value: Any) -> list[str]:
    """Return the addresses in a viewer's configuration, or in a list of an API's groups: ``url``, ``urls``."""
    found: list[str] = []
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        found += [one[key] for key in ("url", "location", "spec-url", "configUrl") if isinstance(one.get(key), str)]
        if isinstance(one.get("urls"), list):
            found += read_config(one["urls"])
    return _unique(found)


def _whole(text: str) -> list[dict[str, Any]]:
    """Return the document that a text is, if it is one."""
    value = parse(text)
    return [value] if is_document(value) else []


def _add(page: Page, other: Page) -> None:
    page.documents += other.documents
    page.addresses += other.addresses


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _can_be_address(text: str) -> bool:
    path = text.partition("?")[0].partition("#")[0]
    return (
        bool(path) and not ENDING.search(path.rpartition("/")[2]) and not path.startswith(("#", "data:", "javascript:"))
    )


def _likely(text: str) -> Iterator[str]:
    return (found for found in LIKELY.findall(text) if _can_be_address(found) and ("/" in found or "." in found))


class _Parser(HTMLParser):
    """Collects scripts, links and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.inline: dict[str, bool] = {}
        """The page's own scripts, and whether they are data."""
        self.has_password_field = False
        self._script: list[str] | None = None
        self._is_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "script":
            self._script, self._is_data = [], any(one in values.get("type", "") for one in DATA_SCRIPTS)
            if values.get("src"):
                self.page.scripts.append(values["src"])
        elif tag == "base" and values.get("href"):
            self.page.base = self.page.base or values["href"]
        elif tag == "link" and (
            values.get("rel", "").lower() in DOCUMENT_LINKS or "openapi" in values.get("type", "").lower()
        ):
            self.page.addresses.append(values.get("href", ""))
        elif tag in ("iframe", "frame") and values.get("src"):
            self.page.pages.append(values["src"])
        elif tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.page.pages += REFRESH.findall(values.get("content", ""))
        elif tag == "input" and values.get("type", "").lower() == "password":
            self.has_password_field = True
        for name, value in values.items():
            self._attribute(name.removeprefix("data-"), value)

    def _attribute(self, name: str, value: str) -> None:
        if value.lstrip().startswith("{"):
            self.page.documents += _whole(value)
            self.page.addresses += read_script(value).addresses
        if value and ADDRESS_NAME.fullmatch(name) and _can_be_address(value) and not re.search(r"[\s{]", value):
            self.page.addresses.append(value)

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._script is not None:
            text = "".join(self._script)
            if text.strip():
                self.inline[text] = self._is_data
            self._script = None
