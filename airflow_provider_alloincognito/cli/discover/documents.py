"""
Find the API's document: from the server's page ``/docs`` on, at the usual places, or in a file.

Every address that was tried is kept with what came, so that a failure says what was tried.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from airflow_provider_alloincognito.cli.discover.fetching import LARGEST, Fetched, Fetcher
from airflow_provider_alloincognito.cli.discover.pages import Page, read_config, read_page, read_script
from airflow_provider_alloincognito.cli.discover.parsing import VERSIONED, decode, is_document, parse
from airflow_provider_alloincognito.errors import AlloincognitoConnectionError, AlloincognitoDocumentError

DOCS = "/docs"
USUAL_PLACES = (
    "/docs-json",
    "/docs/swagger.json",
    "/docs/openapi.json",
    "/swagger.json",
    "/openapi.json",
    "/swagger/v1/swagger.json",
    "/swagger/docs/v1",
    "/v3/api-docs",
    "/v2/api-docs",
    "/api-docs",
    "/docs/json",
    "/docs/swagger.yaml",
    "/docs/openapi.yaml",
    "/openapi.yaml",
    "/swagger.yaml",
    "/swagger-resources",
    "/swagger/doc.json",
    "/swagger",
    "/api-json",
    "/api/docs",
    "/api/openapi.json",
    "/api/swagger.json",
    "/api/v1/openapi.json",
    "/api/v1/swagger.json",
    "/api/schema/",
    "/openapi",
    "/swagger-ui/index.html",
    "/redoc",
)
MOST_REQUESTS = 60
MOST_SCRIPTS = 8
LOGIN_PATH = re.compile(r"log-?in|sign-?in|/auth\b|/sso\b|account", re.IGNORECASE)
LINK_HEADER = re.compile(r"<([^>]+)>\s*;[^,]*rel=\"?(?:service-desc|describedby)", re.IGNORECASE)
IS_PAGE = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:!doctype|html|head|body|div|script|meta|link|title|redoc|rapi-doc)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Located:
    """
    A document, and where it was.

    :param content: the document.
    :param address: its URL or file, without a query.
    :param base: the URL that its own addresses are relative to; empty if it came from a file.
    """

    content: dict[str, Any] = field(repr=False)
    address: str
    base: str


@dataclass
class Search:
    """
    What was found, and what was tried.

    :param documents: that were found.
    :param attempts: each address that was tried, and what came.
    """

    documents: list[Located] = field(default_factory=list)
    attempts: list[tuple[str, str]] = field(default_factory=list)

    def add(self, content: dict[str, Any], url: str, base: str, what: str) -> None:
        """Add a document, unless it is there already."""
        self.attempts.append((shown(url), f"{what}{version_of(content)}"))
        if all(content != other.content for other in self.documents):
            self.documents.append(Located(content, shown(url), base))


def version_of(document: dict[str, Any]) -> str:
    """Return what a document calls itself, such as ``OpenAPI 3.0.1``."""
    if "openapi" in document:
        return f"OpenAPI {document['openapi']}"
    return f"Swagger {document['swagger']}" if "swagger" in document else "of an unknown version"


def shown(url: str) -> str:
    """Return an address without its query, which may hold a key."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))


class Finder:
    """
    Finds documents on one server.

    :param fetcher: asks the server.
    :param is_enough: whether the documents that were found so far have what is looked for.
    """

    def __init__(self, fetcher: Fetcher, is_enough: Callable[[list[Located]], bool]) -> None:
        self.search = Search()
        self._fetcher = fetcher
        self._is_enough = is_enough
        self._waiting: deque[str] = deque()
        self._known: set[str] = set()
        self._bodies: set[str] = set()
        self._pages: dict[str, str] = {}
        """The page that loads each script."""

    def find(self, start: str = DOCS) -> Search:
        """
        Look at the page first, then at what it names, and then at the usual places.

        :param start: path or URL of the page.
        :raises AlloincognitoConnectionError: if the server does not respond at all.
        """
        server = self._fetcher.server
        self._want(start if "://" in start else f"{server}/{start.lstrip('/')}")
        self._look()
        root = "{0.scheme}://{0.netloc}".format(urlsplit(server))
        for base in dict.fromkeys((server, root)):
            for place in USUAL_PLACES:
                if self.search.documents and self._is_enough(self.search.documents):
                    return self.search
                self._want(base + place)
                self._look()
        return self.search

    def _want(self, url: str, *, first: bool = False) -> None:
        url = url.partition("#")[0]
        if url in self._known:
            return
        self._known.add(url)
        if not url.startswith(("http://", "https://")):
            return
        if not self._fetcher.is_here(url):
            self.search.attempts.append((shown(url), "not asked: it is on another server"))
        elif first:
            self._waiting.appendleft(url)
        else:
            self._waiting.append(url)

    def _look(self) -> None:
        while self._waiting and len(self.search.attempts) < MOST_REQUESTS:
            url = self._waiting.popleft()
            if url in self._pages and self.search.documents:
                continue
            try:
                fetched = self._fetcher.get(url)
            except AlloincognitoConnectionError as error:
                if not self.search.attempts:
                    raise
                self.search.attempts.append((shown(url), f"no response: {error}"))
                continue
            self._known.add(fetched.url)
            self._read(fetched)

    def _read(self, fetched: Fetched) -> None:
        if fetched.problem:
            self.search.attempts.append((shown(fetched.url), fetched.problem))
            return
        self._want_all(LINK_HEADER.findall(fetched.link), fetched.url)
        if fetched.text in self._bodies and fetched.text.strip():
            self.search.attempts.append((shown(fetched.url), "the same page as before"))
            return
        self._bodies.add(fetched.text)
        value = parse(fetched.text)
        if is_document(value):
            self.search.add(value, fetched.url, fetched.url, "the API's document, ")
        elif value is not None and not isinstance(value, str | int | float):
            addresses = read_config(value)
            self._note(fetched.url, _named(addresses) if addresses else _why_no_document(value))
            self._want_all(addresses, fetched.url)
        elif fetched.url in self._pages:
            self._follow(read_script(fetched.text), fetched.url, "a script")
        elif IS_PAGE.match(fetched.text):
            self._follow(read_page(fetched.text), fetched.url, "a page in HTML")
        else:
            self._note(fetched.url, _what_is_not_read(fetched.text))

    def _follow(self, page: Page, url: str, what: str) -> None:
        for document in page.documents:
            self.search.add(document, url, url, f"{what} that holds the API's document, ")
        if page.documents:
            return
        if page.is_login or LOGIN_PATH.search(urlsplit(url).path):
            self._note(url, "a login page")
        else:
            viewer = f" of {page.viewer}" if page.viewer else ""
            self._note(url, f"{what}{viewer}{', ' + _named(page.addresses) if page.addresses else ''}")
        # A script's addresses are relative to the page that loads it.
        base = self._pages.get(url, urljoin(url, page.base))
        for script in page.scripts[: MOST_SCRIPTS - len(self._pages)]:
            self._pages[urljoin(base, script)] = base
            self._want(urljoin(base, script))
        self._want_all(page.pages, base)
        self._want_all(page.addresses, base)

    def _want_all(self, addresses: Iterable[str], base: str) -> None:
        for address in reversed([*addresses]):
            try:
                self._want(urljoin(base, address), first=True)
            except ValueError:
                continue

    def _note(self, url: str, what: str) -> None:
        self.search.attempts.append((shown(url), what))


def _named(addresses: list[str]) -> str:
    return f"which names {len(addresses)} address{'es' if len(addresses) > 1 else ''}"


def _what_is_not_read(text: str) -> str:
    if VERSIONED.search(text):
        return "an API's document, but its JSON or YAML is broken, or refers to itself too much to be read"
    return "neither JSON nor YAML nor HTML" if text.strip() else "empty"


def _why_no_document(value: Any) -> str:
    if isinstance(value, dict) and "swaggerVersion" in value:
        return f"Swagger {value['swaggerVersion']}, which is too old to be read"
    return "JSON or YAML, but not an API's document"


def read_file(path: Path) -> Search:
    """
    Read a document that a user has saved: JSON, YAML, or a page that holds it, with the folder of its scripts.

    :raises AlloincognitoDocumentError: if the file cannot be read, or holds no document. It says what it holds.
    """
    search = Search()
    text = _text_of(path)
    value = parse(text)
    if is_document(value):
        search.add(value, str(path), "", "the API's document, ")
        return search
    if value is not None and not isinstance(value, str | int | float):
        raise _unreadable(path, f"is {_why_no_document(value)}")
    if not IS_PAGE.match(text) and path.suffix != ".js":
        raise _unreadable(path, f"is {_what_is_not_read(text)}")
    page = read_page(text) if IS_PAGE.match(text) else read_script(text)
    scripts = [path.parent / unquote(script.partition("?")[0]) for script in page.scripts if "://" not in script]
    inside = [script for script in scripts if script.resolve().is_relative_to(path.parent.resolve())]
    found = [*page.documents]
    for script in filter(Path.is_file, inside[:MOST_SCRIPTS]):
        found += read_script(_text_of(script)).documents
    for document in found:
        search.add(document, str(path), "", "a page that holds the API's document, ")
    if not found:
        raise _unreadable(path, _why_no_document_in(page))
    return search


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise AlloincognitoDocumentError(f"The file {path} cannot be read: {error.strerror}.") from None
    if len(data) > LARGEST:
        raise _unreadable(path, f"is larger than {LARGEST // 1_000_000} MB")
    return decode(data)


def _why_no_document_in(page: Page) -> str:
    if page.is_login:
        return "is a login page"
    where = f", which is at {shown(page.addresses[0])} of its server" if page.addresses else ""
    return f"is a page in HTML that does not hold the API's document{where}"


def _unreadable(path: Path, problem: str) -> AlloincognitoDocumentError:
    return AlloincognitoDocumentError(
        f"The file {path} {problem}. Open the server's page in a browser, log in there if it asks for it, save the "
        "document that it shows (the link under its title), and name that file with --file."
    )
