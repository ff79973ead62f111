"""Checks of the way to the server: its name, the connection, the certificate, the proxy, and its page ``/docs``."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from airflow_provider_alloincognito.api.settings import DEFAULT_PORTS, Settings
from airflow_provider_alloincognito.api.tokens.pair import utc_now
from airflow_provider_alloincognito.api.transport import network
from airflow_provider_alloincognito.api.transport.failures import causes, no_response_error, reason_of, tls_reason
from airflow_provider_alloincognito.api.transport.in_flight import InFlight
from airflow_provider_alloincognito.api.transport.network import Network
from airflow_provider_alloincognito.api.transport.session import ServerSession
from airflow_provider_alloincognito.errors import AlloincognitoError
from airflow_provider_alloincognito.hooks.findings import Finding, Outcome

LONGEST = 10.0
"""Seconds that each check may take."""
SOON = timedelta(days=30)
"""A certificate that ends within this time is worth a warning."""
EXPIRED = 10
OTHER_HOST = (62, 64)
"""OpenSSL's X509_V_ERR codes."""
UNCHECKED = "With verify set to false the token would go to whoever answers."


def check_server(settings: Settings) -> list[Finding]:
    """
    Check the way to the server, in the order in which a request goes it. What follows a failure is left out.

    :param settings: the Connection's.
    """
    try:
        reached = network.resolve(settings)
    except AlloincognitoError as error:
        return [Finding(Outcome.FAILED, str(error), subject="Settings")]
    return list(_first_failure_is_last(_checks(settings, reached)))


def _first_failure_is_last(findings: Iterator[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield finding
        if finding.outcome is Outcome.FAILED:
            return


def _checks(settings: Settings, reached: Network) -> Iterator[Finding]:
    longest = min(settings.timeout, LONGEST)
    host, port = _next_hop(reached)
    yield _proxy(reached)
    yield _dns(host, port, reached)
    yield _tcp(host, port, reached, longest)
    response = _request_docs(settings, reached, longest)
    yield _tls(settings, reached, response, longest)
    yield _docs(settings, reached, response)


def _next_hop(reached: Network) -> tuple[str, int]:
    """Return the host and the port that this machine connects to: the proxy's, if there is one."""
    parts = urlsplit(reached.server if reached.proxy is None else f"//{reached.proxy.address}")
    return parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 80)


def _proxy(reached: Network) -> Finding:
    found = partial(Finding, Outcome.OK, subject="Proxy")
    return found("No proxy is used.") if reached.proxy is None else found(f"The proxy {reached.proxy.address} is used.")


def _dns(host: str, port: int, reached: Network) -> Finding:
    whose = f"The name {host}" if reached.proxy is None else f"The name of the proxy, {host},"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Finding(
            Outcome.FAILED,
            f"{whose} could not be resolved.",
            f"Check it for a typo, and this machine's DNS. {_proxy_hint(reached)}".rstrip(),
            "DNS",
        )
    addresses = sorted({str(one[4][0]) for one in found})
    if addresses == [host]:
        return Finding(Outcome.OK, f"{host} is an address, which needs no DNS.", subject="DNS")
    return Finding(Outcome.OK, f"{whose} is resolved to {', '.join(addresses)}.", subject="DNS")


def _tcp(host: str, port: int, reached: Network, longest: float) -> Finding:
    address = f"{f'[{host}]' if ':' in host else host}:{port}"
    try:
        socket.create_connection((host, port), timeout=longest).close()
    except OSError as error:
        return Finding(
            Outcome.FAILED,
            f"No connection to {address} ({reason_of(error)}).",
            f"Check the host and the port (the API's port is 4431, a proxy's often 3128 or 8080), and whether a "
            f"firewall blocks them. {_proxy_hint(reached)}".rstrip(),
            "TCP",
        )
    return Finding(Outcome.OK, f"{address} accepts connections.", subject="TCP")


def _proxy_hint(reached: Network) -> str:
    if reached.proxy is not None:
        return "The proxy is that of the setting proxies, or of the environment variables HTTPS_PROXY and HTTP_PROXY."
    scheme = urlsplit(reached.server).scheme.upper()
    return (
        "If this network is left only through a proxy, name it in the setting proxies of the Connection, or in the "
        f"environment variable {scheme}_PROXY."
    )


@dataclass(frozen=True)
class _Response:
    """
    What came of a request for the page ``/docs``.

    :param status: the HTTP status; None if nothing came.
    :param error: the transport's error, if nothing came.
    :param failure: the same for people.
    :param elsewhere: the other server that it redirects to; empty if it does not.
    """

    status: int | None = None
    elsewhere: str = ""
    error: requests.RequestException | None = None
    failure: AlloincognitoError | None = None


def _request_docs(settings: Settings, reached: Network, longest: float) -> _Response:
    flight = InFlight(settings, threading.Event()).begin("GET /docs", longest)
    url = f"{settings.server}/docs"
    try:
        with ServerSession(reached) as session, flight.sending():
            for _ in range(network.MOST_REDIRECTS + 1):
                response = session.get(url, timeout=longest, stream=True)
                if response.status_code not in network.REDIRECTS:
                    break
                url = urljoin(url, response.headers.get("Location", ""))
                if network.origin(url) != network.origin(settings.server):
                    return _Response(response.status_code, elsewhere=network.origin(url))
            return _Response(response.status_code)
    except requests.RequestException as error:
        return _Response(error=error, failure=flight.explain(no_response_error("GET /docs", reached, error)))
    finally:
        flight.end()


def _docs(settings: Settings, reached: Network, response: _Response) -> Finding:
    if response.failure is not None:
        fix = "" if settings.server.startswith("https:") else "If it speaks TLS, let the host begin with https://."
        return Finding(Outcome.FAILED, str(response.failure), fix, "/docs")
    via = f" through the proxy {reached.proxy.address}" if reached.proxy is not None else ""
    if response.status == HTTPStatus.OK:
        return Finding(Outcome.OK, f"The server {settings.server} responds{via}.", subject="/docs")
    if response.elsewhere:
        return Finding(
            Outcome.WARNING,
            f"The server {settings.server} responds{via}, but redirects requests for its page /docs to another server, "
            f"{response.elsewhere}.",
            "That may be where users log in, or the API's present address: open the page /docs in a browser.",
            "/docs",
        )
    return Finding(
        Outcome.WARNING,
        f"The server {settings.server} responds{via}, but to a request for its page /docs with HTTP status "
        f"{response.status}.",
        "Check that the Connection's host and port are the API's: see that page in a browser.",
        "/docs",
    )


# TLS


@dataclass(frozen=True)
class _Certificate:
    issuer: str
    end: datetime

    def __str__(self) -> str:
        return f"signed by {self.issuer}, valid until {self.end:%Y-%m-%d %H:%M} UTC"


def _tls(settings: Settings, reached: Network, response: _Response, longest: float) -> Finding:
    found = partial(Finding, subject="TLS")
    if not settings.server.startswith("https:"):
        return _without_tls(settings)
    certificate = _certificate(reached, longest)
    described = f"The certificate is {certificate}." if certificate else "The certificate could not be read from here."
    if response.error is not None:
        if (reason := tls_reason(response.error)) is not None:
            text = f"The TLS connection failed, since {reason}. {described}"
            return found(Outcome.FAILED, text, _tls_fix(response.error))
        return found(Outcome.WARNING, f"{described} It was not checked, since the server did not respond.")
    if settings.verify is False:
        return found(
            Outcome.WARNING,
            f"{described} It was not checked, since verify is false: anybody on the way can read tokens and calls.",
            "Set verify to true, or to a PEM file with the certificate of the authority that signed it.",
        )
    if certificate is not None and (left := certificate.end - utc_now()) < SOON:
        fix = "Tell those who run the server: after that no request succeeds."
        return found(Outcome.WARNING, f"{described} It ends in {left.days} days.", fix)
    return found(Outcome.OK, f"{described} It is trusted, by {network.trusted_authorities(settings)}.")


def _without_tls(settings: Settings) -> Finding:
    if network.is_loopback(urlsplit(settings.server).hostname or ""):
        return Finding(Outcome.OK, "Not used: the server is on this machine.", subject="TLS")
    return Finding(
        Outcome.WARNING,
        f"Not used: anybody on the way to {settings.server} can read tokens and calls.",
        "Let the host of the Connection begin with https://.",
        "TLS",
    )


def _tls_fix(error: requests.RequestException) -> str:
    code = next((one.verify_code for one in causes(error) if isinstance(one, ssl.SSLCertVerificationError)), None)
    if code is None:
        return "Check the port, and whether the host of the Connection must begin with http:// or https://."
    if code == EXPIRED:
        return f"Check the clock of this machine; if it is right, tell those who run the server. {UNCHECKED}"
    if code in OTHER_HOST:
        return f"Check the Connection's host: it must be the name that the certificate is for. {UNCHECKED}"
    return (
        "If that authority is your company's own, or your proxy's, name its certificate in the setting verify, as a "
        "PEM file: see docs/network.md. If you do not know it, do not send it a token."
    )


def _certificate(reached: Network, longest: float) -> _Certificate | None:
    """Return the server's certificate, trusted or not; None where it cannot be had. Nothing is sent but TLS."""
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    host, port = _next_hop(reached)
    connection: Any = http.client.HTTPSConnection(host, port, timeout=longest, context=unchecked)
    if reached.proxy is not None:
        if not reached.proxy.url.startswith("http:"):
            return None
        server = urlsplit(reached.server)
        connection.set_tunnel(server.hostname, server.port, reached.proxy.headers)
    try:
        connection.connect()
        return _parsed(connection.sock.getpeercert(binary_form=True))
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _parsed(der: bytes) -> _Certificate:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    certificate = x509.load_der_x509_certificate(der)
    if certificate.issuer == certificate.subject:
        return _Certificate("itself", certificate.not_valid_after_utc)
    names = [
        str(one.value)
        for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
        for one in certificate.issuer.get_attributes_for_oid(kind)
    ]
    return _Certificate(", ".join(names) or "an authority without a name", certificate.not_valid_after_utc)
