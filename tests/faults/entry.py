"""What an entry of the fault suite is: what is sent, which call is made, and what has to come of it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import trustme
from raw_proxy import Proxied
from raw_server import Down, Rate, Replies, Request, record_id

# Settings that the issue asks for and whose names the suite had to assume: change them here.
RESPONSE_BOUND: dict[str, Any] = {"response_timeout": 3}
"""The longest that one whole response may take, in seconds."""
ESCAPED_FORMULAS: dict[str, Any] = {"escape_formulas": True}
"""The argument of ``land_calls`` that defuses CSV cells which a spreadsheet would take for formulas."""

CONNECTION_ERROR = "AlloincognitoConnectionError"
TRUNCATED = "AlloincognitoTruncatedError"
API_ERROR = "AlloincognitoApiError"
RESPONSE_ERROR = "AlloincognitoResponseError"
SETTINGS_ERROR = "AlloincognitoSettingsError"
WAIT_TIMEOUT = ("AlloincognitoWaitTimeout", "AirflowSensorTimeout")
TARGET_ERROR = "AlloincognitoTargetError"
ANY_ERROR = "AlloincognitoError"


@dataclass(frozen=True, kw_only=True)
class Tls:
    """
    The server's certificate.

    :param kind: issued by an authority that the call may trust, or what is wrong with it.
    :param client_certificate: demand one of the client.
    """

    kind: Literal["good", "unknown issuer", "self-signed", "wrong name", "expired"] = "good"
    client_certificate: bool = False
    plain: Literal["instead", "after"] | None = None


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """
    A proxy on loopback; ``<proxy>`` in extras and in the environment is its address.

    :param says: its own response, instead of passing requests on.
    """

    says: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Stop:
    """
    End the call in the middle.

    :param how: SIGTERM as Airflow passes it on to a task, or the task's ``execution_timeout``.
    :param after: seconds since the first request of the kind that is waited for.
    :param requests: so many requests for recordings (or others) must have come before.
    :param uploads: so many uploads in parts must have begun in the entry's bucket.
    :param landed: so many recordings must be there.
    """

    how: Literal["sigterm", "execution_timeout"]
    after: float = 0.7
    requests: int = 1
    uploads: int = 0
    landed: int = 0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """
    What came of a call, as its process and the server saw it.

    :param value: what the call returned, as plain values.
    :param error: the names of the error's classes, the own one first; empty if there was none.
    :param text: the error's text.
    :param shown: everything that a person could see: logs, the error's text and repr, its traceback.
    :param locals: the traceback with the local variables of its frames.
    :param logs: level and text of each log record of the package.
    :param output: what was printed.
    :param left: the names of all files in the folder.
    :param processor: seconds of the processor's time.
    :param loop_held: the longest that the event loop was held, in seconds.
    :param in_flight: responses that the call has left unread, on open connections.
    :param stored: what is in the entry's bucket, by name.
    :param store_problems: what should not be there.
    """

    value: Any
    error: tuple[str, ...]
    text: str
    retryable: bool | None
    shown: str
    locals: str
    logs: list[tuple[str, str]]
    output: str
    left: list[str]
    seconds: float
    processor: float
    started: float
    ended: float
    memory: float
    threads: list[str]
    loop_held: float
    requests: list[Request]
    rejected: int
    proxied: list[Proxied]
    in_flight: int
    stopped: float | None
    folder: Path
    stored: Mapping[str, bytes] = field(default_factory=dict)
    store_problems: Sequence[str] = ()

    def sent(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]


@dataclass(frozen=True, kw_only=True)
class Expect:
    """
    What has to come of a call. With ``truth`` and ``error`` either will do.

    :param truth: all that was asked for, and nothing else, is there.
    :param error: one of these classes, or of their subclasses.
    :param says: texts of which the error's text must hold each, in any case; a tuple among them: any of it.
    :param never_says: texts that nothing shown may hold.
    :param logs: texts, of each of which exactly one warning must hold.
    :param seconds: the most that the call may take; of the processor's time if the entry is heavy.
    :param least: the least.
    :param memory: the most that the process may grow by, in MB.
    :param most: by method, how many requests there may be at most.
    :param loop_held: for how long the event loop may be held, in seconds.
    :param final: whether Airflow must not retry the task.
    :param locals: whether a traceback with local variables must be free of tokens and numbers, too.
    :param check: says what else is wrong; None for nothing.
    """

    truth: bool = False
    error: str | tuple[str, ...] = ()
    says: tuple[str | tuple[str, ...], ...] = ()
    never_says: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    seconds: float = 8.0
    least: float = 0.0
    memory: float = 200.0
    most: Mapping[str, int] = field(default_factory=dict)
    loop_held: float | None = None
    final: bool | None = None
    locals: bool = False
    check: Callable[[Seen], str | None] | None = None


TRUTH = Expect(truth=True)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """
    One fault.

    :param id: its name, which begins with the kind.
    :param call: the name of a function in ``calls.py``.
    :param server: what the server says, by method.
    :param extra: the Connection's extras. ``<proxy>``, ``<ca>``, ``<folder>`` and ``<url>`` are replaced in texts.
    :param environment: environment variables, likewise.
    :param arguments: the call's.
    :param host: the Connection's host instead of the server's address.
    :param uri: give the Connection as a URI.
    :param prepare: a function in ``calls.py`` that prepares the process and its folder.
    :param s3: has a bucket of a real S3, which an operator's files go to.
    :param airflow: runs a real DAG; one at a time.
    :param heavy: takes much memory or processor time; one at a time.
    """

    id: str
    call: str
    expect: Expect
    server: Mapping[str, Replies] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tls: Tls | None = None
    proxy: Proxy | None = None
    prefix: str = ""
    rate: Rate | None = None
    down: Down | None = None
    stop: Stop | None = None
    checks_tokens: bool = False
    listens_on: str = "127.0.0.1"
    host: str | None = None
    uri: bool = False
    prepare: str | None = None
    s3: bool = False
    airflow: bool = False
    heavy: bool = False
    long: bool = False

    @property
    def kind(self) -> str:
        """``A5`` of ``A5-503-once-poke``."""
        return self.id.partition("-")[0]


def ids(count: int) -> list[str]:
    """The ids of so many recordings."""
    return [record_id(number) for number in range(count)]


def requests_at_most(**most: int) -> dict[str, int]:
    return most


def tls_context(tls: Tls, authority: trustme.CA) -> ssl.SSLContext:
    """Make the server's side of TLS; ``authority`` is the one that the calls trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer = trustme.CA() if tls.kind == "unknown issuer" else authority
    if tls.kind == "self-signed":
        _self_signed(context)
    else:
        name = "other.example" if tls.kind == "wrong name" else "127.0.0.1"
        from datetime import UTC, datetime, timedelta

        ends = datetime.now(UTC) - timedelta(days=1) if tls.kind == "expired" else None
        issuer.issue_cert(name, not_after=ends).configure_cert(context)
    if tls.client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    return context


def _self_signed(context: ssl.SSLContext) -> None:
    own = trustme.CA()
    with own.cert_pem.tempfile() as certificate, own.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)


Table = Sequence[Entry]
