"""Look for the document, and at what is in it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_alloincognito.api.settings import Settings, read_settings, server_url
from airflow_provider_alloincognito.cli import access, writing
from airflow_provider_alloincognito.cli.discover.documents import Finder, Located, Search, read_file
from airflow_provider_alloincognito.cli.discover.fetching import Fetcher, Login
from airflow_provider_alloincognito.cli.discover.methods import Choice, Method, match
from airflow_provider_alloincognito.cli.discover.openapi import Document, Operation
from airflow_provider_alloincognito.cli.discover.parsing import parse
from airflow_provider_alloincognito.cli.discover.proposing import Outcome, propose
from airflow_provider_alloincognito.errors import AlloincognitoConnectionError, AlloincognitoQueryError

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output

USER_VARIABLE = "ALLOINCOGNITO_DOCS_USER"
PASSWORD_VARIABLE = "ALLOINCOGNITO_DOCS_PASSWORD"
MOST_REFERRED = 20


@dataclass
class Seen:
    """
    What was found.

    :param search: the documents, and what was tried.
    :param settings: the Connection's.
    :param token: the authorization token, if there is one.
    :param documents: that were read.
    :param choices: what was found for each method.
    :param outcome: what to set; None if no document has any of the methods.
    """

    search: Search
    settings: Settings
    token: str | None = field(default=None, repr=False)
    documents: list[Document] = field(default_factory=list)
    choices: Mapping[Method, Choice] = field(default_factory=dict)
    outcome: Outcome | None = None


def look(options: argparse.Namespace, output: Output) -> Seen:
    """
    Find the document, read it, and find the methods in it.

    :param options: the command's arguments.
    :param output: where it prints.
    :raises AlloincognitoError: if the Connection or the file cannot be used, or the server does not respond.
    """
    settings, token = _access(options, output)
    chosen = cast("Mapping[Method, str]", dict(options.choose))
    if options.file is not None:
        search = read_file(Path(options.file).expanduser())
        return _read(options, Seen(search, settings, token), chosen, lambda _: None)
    fetcher = Fetcher(settings, _login(options, output, token))
    try:
        # Without a progress bar, which would draw over the prompts for a login.
        search = Finder(fetcher, _has_methods).find(options.docs_url)
        return _read(options, Seen(search, settings, token), chosen, _referred(fetcher))
    finally:
        fetcher.close()


def _access(options: argparse.Namespace, output: Output) -> tuple[Settings, str | None]:
    """Return settings and token. A host needs no token as long as nothing is written and no login wants it."""
    needs_token = options.write or options.docs_login == "bearer"
    has_token = options.token_file is not None or os.environ.get(access.TOKEN_VARIABLE)
    if options.host is not None and not has_token and not needs_token:
        return read_settings(server_url(options.host), dict(options.set)), None
    read = access.read_access(options, output)
    return read.settings, read.authorization_token


def _login(options: argparse.Namespace, output: Output, token: str | None) -> Login:
    def user() -> tuple[str, str] | None:
        may_ask = sys.stdin.isatty() and options.output != "json"
        name = options.docs_user or os.environ.get(USER_VARIABLE)
        if not name and may_ask:
            name = output.ask("The documentation wants a login. User: ")
        password = _password(options)
        if not password and name and may_ask:
            password = output.ask("Password (it is not shown): ", is_secret=True)
        output.hide(password)
        return (name, password) if name and password else None

    return Login(options.docs_login, lambda: token, user)


def _password(options: argparse.Namespace) -> str:
    if options.docs_password_file is None:
        return os.environ.get(PASSWORD_VARIABLE, "")
    try:
        return Path(options.docs_password_file).expanduser().read_text(encoding="utf-8-sig").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AlloincognitoQueryError(
            f"The file of --docs-password-file cannot be read ({type(error).__name__})."
        ) from None


def _referred(fetcher: Fetcher) -> Callable[[str], Any]:
    """Return a function that fetches what a document refers to, from the same server only."""
    left = [MOST_REFERRED]

    def fetch(url: str) -> Any:
        left[0] -= 1
        if left[0] < 0 or not fetcher.is_here(url):
            return None
        try:
            fetched = fetcher.get(url)
        except AlloincognitoConnectionError:
            return None
        return None if fetched.problem else parse(fetched.text)

    return fetch


def _has_methods(found: Sequence[Located]) -> bool:
    """Whether a document is the API's, as far as can be said without what it refers to."""
    choices = match(_operations([Document(one) for one in found]))
    return any(choice.candidates for choice in choices.values())


def _operations(documents: Sequence[Document]) -> list[Operation]:
    """Return all operations; of those with one verb and path, the first."""
    by_name: dict[str, Operation] = {}
    for document in documents:
        for operation in document.operations:
            by_name.setdefault(str(operation), operation)
    return list(by_name.values())


def _read(options: argparse.Namespace, seen: Seen, chosen: Mapping[Method, str], fetch: Callable[[str], Any]) -> Seen:
    seen.documents = [Document(one, fetch) for one in seen.search.documents]
    if not seen.documents:
        return seen
    seen.choices = match(_operations(seen.documents), chosen)
    if any(choice.candidates for choice in seen.choices.values()):
        about = " ".join(document.about for document in seen.documents)
        seen.outcome = propose(seen.choices, seen.settings, lambda guesses: writing.decided(guesses, options), about)
        for name in dict(options.set):
            seen.outcome.proposal.extra.pop(name, None)
    return seen
