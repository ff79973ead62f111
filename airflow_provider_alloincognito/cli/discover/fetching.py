"""
Requests for pages and documents: to the Connection's server only, bounded, and with a login where it asks for one.

The authorization token goes nowhere but to that server, over the same connection as the API's methods. The server gets
it only if it answers 401 and asks for a Bearer token, or if ``--docs-login bearer`` says so. No token pair is made.
"""

from __future__ import annotations

import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.transport import network
from airflow_provider_alloincognito.api.transport.failures import no_response_error
from airflow_provider_alloincognito.api.transport.in_flight import InFlight
from airflow_provider_alloincognito.api.transport.network import MOST_REDIRECTS, REDIRECTS, origin
from airflow_provider_alloincognito.api.transport.session import ServerSession
from airflow_provider_alloincognito.cli.discover.parsing import decode
from airflow_provider_alloincognito.scrubbing import without_locals

LARGEST = 20_000_000
SECONDS = 30.0
SECONDS_IN_ALL = 180.0
CHUNK = 1 << 14
UNAUTHORIZED = 401
CHALLENGE = re.compile(r"(?:^|,)\s*(basic|bearer|digest|negotiate|ntlm)\b", re.IGNORECASE)
ACCEPT = "application/json, application/yaml;q=0.9, text/html;q=0.8, */*;q=0.5"

LoginMode = Literal["auto", "none", "basic", "bearer"]


@dataclass
class Login:
    """
    What to answer a server that wants a login for its documentation.

    :param mode: ``auto``: what the server asks for; ``none``: nothing; ``basic`` and ``bearer``: that, from the first
        request on.
    :param token: returns the authorization token; None if there is none.
    :param user: returns user and password; None if there are none.
    """

    mode: LoginMode = "auto"
    token: Callable[[], str | None] = field(default=lambda: None, repr=False)
    user: Callable[[], tuple[str, str] | None] = field(default=lambda: None, repr=False)

    def header(self, scheme: str) -> str | None:
        """Return the header ``Authorization`` of a scheme; None if there is nothing to put in it."""
        if scheme == "bearer":
            token = self.token()
            return f"Bearer {token}" if token else None
        user = self.user()
        return f"Basic {b64encode(':'.join(user).encode()).decode()}" if user else None


@dataclass(frozen=True)
class Fetched:
    """
    A response.

    :param url: its address, after redirects.
    :param status: its HTTP status.
    :param text: its body; empty if it is too large.
    :param problem: why there is nothing to read, in a few words.
    :param link: its header ``Link``.
    """

    url: str
    status: int = 0
    text: str = field(default="", repr=False)
    problem: str = ""
    link: str = field(default="", repr=False)


class Fetcher:
    """
    Fetches from one server.

    :param settings: the Connection's.
    :param login: for a server that asks for one.
    :raises AlloincognitoSettingsError: if the network's settings cannot be used.
    """

    def __init__(self, settings: Settings, login: Login) -> None:
        self.server = settings.server
        self._network = network.resolve(settings)
        self._session = ServerSession(self._network)
        self._in_flight = InFlight(settings, threading.Event())
        self._timeout = min(settings.timeout, SECONDS)
        self._login = login
        self._authorization = login.header(login.mode) if login.mode in ("basic", "bearer") else None
        self._ends = time.monotonic() + SECONDS_IN_ALL

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def is_here(self, url: str) -> bool:
        """Whether an address is on the server: the same scheme, host and port."""
        return origin(url) == origin(self.server)

    @without_locals()
    def get(self, url: str) -> Fetched:
        """
        Fetch an address of the server. Follows redirects on the same server.

        :raises AlloincognitoConnectionError: if there is no response.
        """
        for _ in range(MOST_REDIRECTS + 1):
            response, fetched = self._send(url)
            if fetched.status not in REDIRECTS:
                return fetched
            target = urljoin(url, response.headers.get("Location", ""))
            if not self.is_here(target):
                return Fetched(url, fetched.status, problem=f"leads to another server, {origin(target)}, not asked")
            url = target
        return Fetched(url, problem="redirects without end")

    def _send(self, url: str) -> tuple[requests.Response, Fetched]:
        response, fetched = self._request(url)
        if fetched.status != UNAUTHORIZED:
            return response, fetched
        wanted = [scheme.lower() for scheme in CHALLENGE.findall(response.headers.get("WWW-Authenticate", ""))]
        if self._login.mode == "auto" and self._authorization is None:
            for scheme in ("basic", "bearer"):
                if scheme in wanted and (header := self._login.header(scheme)):
                    self._authorization = header
                    response, fetched = self._request(url)
                    if fetched.status != UNAUTHORIZED:
                        return response, fetched
                    self._authorization = None
                    return response, Fetched(
                        url, UNAUTHORIZED, problem=f"HTTP 401: the login ({scheme.title()}) is refused"
                    )
        wants = f": wants a login ({', '.join(map(str.title, wanted))})" if wanted else ": wants a login"
        return response, Fetched(url, UNAUTHORIZED, problem=f"HTTP 401{wants}")

    def _request(self, url: str) -> tuple[requests.Response, Fetched]:
        seconds = max(0.1, min(SECONDS, self._ends - time.monotonic()))
        headers = {"Accept": ACCEPT} | ({"Authorization": self._authorization} if self._authorization else {})
        name = f"GET {urlsplit(url).path or '/'}"
        flight = self._in_flight.begin(name, seconds)
        try:
            with flight.sending():
                response = self._session.get(url, headers=headers, timeout=self._timeout, stream=True)
                return response, _read(url, response)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise flight.explain(no_response_error(name, self._network, error)) from None
        finally:
            flight.end()


def _read(url: str, response: requests.Response) -> Fetched:
    with response:
        body = bytearray()
        if response.status_code not in REDIRECTS and response.status_code != UNAUTHORIZED:
            for chunk in response.iter_content(CHUNK):
                body += chunk
                if len(body) > LARGEST:
                    problem = f"larger than {LARGEST // 1_000_000} MB, cut off"
                    return Fetched(url, response.status_code, problem=problem)
    text = decode(bytes(body), response.headers.get("Content-Type", ""))
    problem = "" if 200 <= response.status_code < 300 else f"HTTP {response.status_code}"
    return Fetched(url, response.status_code, text, problem, response.headers.get("Link", ""))
