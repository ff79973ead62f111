"""Why a connection failed, in plain words: for both transports, from the standard library's errors beneath theirs."""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
from collections.abc import Iterator

from airflow_provider_alloincognito.api.transport.network import Network
from airflow_provider_alloincognito.api.transport.retries import PASSING
from airflow_provider_alloincognito.errors import AlloincognitoConnectionError, AlloincognitoNetworkSetupError

UNKNOWN_ISSUER = "the issuer of its certificate is no authority that this machine trusts"
CERTIFICATE_REASONS = {
    # By OpenSSL's X509_V_ERR codes.
    2: UNKNOWN_ISSUER,
    9: "its certificate is not valid yet, by the clock of this machine",
    10: "its certificate has expired, by the clock of this machine",
    18: "its certificate is self-signed",
    19: "the issuer of its certificate has a self-signed root, which is no authority that this machine trusts",
    20: UNKNOWN_ISSUER,
    21: UNKNOWN_ISSUER,
    62: "its certificate is for another host name",
    64: "its certificate is for another IP address",
}
NOT_TLS = "what it sent is not TLS; perhaps it speaks plain http on this port"
NO_COMMON_PROTOCOL = "it supports no TLS version or cipher that this machine does"
TLS_REASONS = {
    # By the names in OpenSSL's errors.
    **dict.fromkeys(
        ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"), NOT_TLS
    ),
    **dict.fromkeys(
        (
            "NO_PROTOCOLS_AVAILABLE",
            "NO_SHARED_CIPHER",
            "TLSV1_ALERT_PROTOCOL_VERSION",
            "UNSUPPORTED_PROTOCOL",
            "WRONG_SSL_VERSION",
        ),
        NO_COMMON_PROTOCOL,
    ),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": f"{NO_COMMON_PROTOCOL}, or it demands a client certificate",
}
CLIENT_CERTIFICATE = "it demands a client certificate, which this package cannot give"
RESET, TLS_BROKEN, CONNECTION_BROKEN = RESETS = ("connection reset", "TLS connection broken", "connection broken")
HTTPX_REASONS = {
    # By the names of those that may have no cause of the standard library's.
    **dict.fromkeys(("ConnectError", "ReadError", "WriteError"), CONNECTION_BROKEN),
    "RemoteProtocolError": "connection closed, or the response is not HTTP",
}
BROKEN = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH)
TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE)
# As http.client and as httpcore say it.
PROXY_STATUS = re.compile(r"(?:Tunnel connection failed: )?([345]\d\d)\b")
PROXY_LOGIN = 407


def no_response_error(
    method: str, network: Network, error: Exception, *, connected: bool = False
) -> AlloincognitoConnectionError:
    """
    Return the error for a failed connection, without the transport's own text, which may quote a URL.

    :param method: the API's method.
    :param network: how the server is reached.
    :param error: the transport's.
    :param connected: whether there was a connection, which broke.
    """
    via = f" through the proxy {network.proxy.address}" if network.proxy is not None else ""
    happened = f"{method}: No response from {network.server}{via}"
    if (status := proxy_status(error)) is not None:
        kind = _kind(passes=status in PASSING)
        wants = "another" if network.proxy is not None and network.proxy.headers else "a"
        login = f", since it wants {wants} user name and password in its URL" if status == PROXY_LOGIN else ""
        return kind(
            f"{happened}: the proxy refused to connect (HTTP {status}){login}. Check the setting proxies and the "
            "environment variables HTTPS_PROXY and NO_PROXY: see docs/network.md."
        )
    if (reason := tls_reason(error)) is not None:
        # What is no TLS may also be what a gateway says when it closes a connection that was good.
        return _kind(passes=connected and reason != CLIENT_CERTIFICATE)(
            f"{happened}: the TLS connection failed, since {reason}. Check the Connection's host and its setting "
            "verify: see docs/network.md."
        )
    reason = reason_of(error)
    # Its alert may be lost when it closes the connection.
    perhaps = f" Perhaps {CLIENT_CERTIFICATE}." if network.server.startswith("https:") and reason in RESETS else ""
    failure = AlloincognitoConnectionError(
        f"{happened} ({reason}). Check that this machine can reach it (firewall, proxy, port 4431), and the "
        f"Connection's timeout.{perhaps}"
    )
    failure.errno = next((one.errno for one in causes(error) if isinstance(one, OSError) and one.errno), None)
    return failure


def _kind(*, passes: bool) -> type[AlloincognitoConnectionError]:
    return AlloincognitoConnectionError if passes else AlloincognitoNetworkSetupError


def tls_reason(error: BaseException) -> str | None:
    """Return why no TLS connection can be made; None if it is not TLS, or a connection that merely broke."""
    for one in causes(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return CERTIFICATE_REASONS.get(
                one.verify_code, f"its certificate is not accepted ({one.verify_message.rstrip('.')})"
            )
        if isinstance(one, ssl.SSLError) and not isinstance(one, BROKEN) and one.reason:
            # Alerts about a certificate are the server's, about the client's: it has none.
            about_ours = "ALERT" in one.reason and ("CERTIFICATE" in one.reason or "UNKNOWN_CA" in one.reason)
            return CLIENT_CERTIFICATE if about_ours else TLS_REASONS.get(one.reason)
    return None


def proxy_status(error: BaseException) -> int | None:
    """Return the HTTP status with which a proxy refused to connect; None if it did not."""
    for one in causes(error):
        text = str(one)
        is_refusal = type(one).__name__ == "ProxyError" or text.startswith("Tunnel connection failed")
        if is_refusal and (found := PROXY_STATUS.match(text)):
            return int(found[1])
    return None


def reason_of(error: BaseException) -> str:
    """Return why a connection failed, or broke, in a few words."""
    for one in causes(error):
        match one:
            case ssl.SSLError():
                return TLS_BROKEN
            case http.client.RemoteDisconnected():
                return "connection closed without a response"
            case http.client.BadStatusLine():
                return "the response is not HTTP"
            case ConnectionRefusedError():
                return "connection refused"
            case ConnectionError():
                return RESET
            case socket.gaierror():
                return "the host name could not be resolved"
            case TimeoutError():
                return "timed out"
            case OSError(errno=number) if number in (*UNREACHABLE, *TOO_MANY_OPEN):
                return os.strerror(number).lower()
    return HTTPX_REASONS.get(type(error).__name__, type(error).__name__)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and those that it was made from, the nearest first."""
    known, waiting = set(), [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in known:
            continue
        known.add(id(one))
        yield one
        context = None if one.__suppress_context__ else one.__context__
        group = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        inner = (one.__cause__, context, getattr(one, "reason", None), *one.args, *group)
        waiting += [other for other in inner if isinstance(other, BaseException)]
