"""Requests: as they were received, and kept under their hash."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

SECRET_HEADERS = frozenset({b"authorization", b"proxy-authorization", b"cookie"})
_KEPT = 200_000


class HttpRequest:
    """
    A request as it was received.

    :param scope: the request as ASGI describes it
    :param in_path: the parameters in its path, by their names in the API's text
    """

    def __init__(self, scope: Scope, in_path: Mapping[str, str]) -> None:
        self.verb: str = scope["method"]
        self.path: str = scope["path"]
        self.raw_query: str = scope["query_string"].decode("latin-1")
        self.query = _by_name(self.raw_query)
        self.in_path = in_path
        self.body: Any = None
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        scheme, _, token = self.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        self.token = token.strip() or None if scheme.lower() == "bearer" else None

    @property
    def media_type(self) -> str:
        """The body's media type, without its charset."""
        return self.headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()

    def decode_body(self, body: bytes) -> None:
        """Decode the body, a form or JSON; what is neither becomes None."""
        try:
            is_form = self.media_type == "application/x-www-form-urlencoded"
            self.body = _by_name(body.decode()) if is_form else json.loads(body)
        except ValueError:
            self.body = None

    @property
    def safe_headers(self) -> dict[str, str]:
        """The headers that hold no secret."""
        safe = ((name, value) for name, value in self.headers.items() if name not in SECRET_HEADERS)
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in safe}


def _by_name(encoded: str) -> dict[str, list[str]]:
    """Return the texts of each name in a query or form."""
    found: dict[str, list[str]] = {}
    for name, text in parse_qsl(encoded, keep_blank_values=True):
        found.setdefault(name, []).append(text)
    return found


async def read_body(receive: Receive) -> bytes:
    """
    Read a request's body.

    :param receive: as ASGI gives it
    """
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


@dataclass(frozen=True, slots=True)
class CallQuery:
    """The query of a call list; times are in the API's zone, and naive."""

    start: datetime
    end: datetime
    numbers: frozenset[str] | None
    direction: int
    duration_from: int | None
    duration_to: int | None
    only_recorded: bool
    is_read: int | None

    @property
    def filters(self) -> bool:
        """Whether it limits more than the period."""
        limits = (self.numbers, self.duration_from, self.duration_to, self.is_read)
        return bool(self.direction or self.only_recorded) or limits != (None, None, None, None)


def same_number(number: str) -> str:
    """Return one form for a Russian number that begins with +7, 8 or 7."""
    digits = number.lstrip("+")
    return "7" + digits[1:] if len(digits) == 11 and digits[0] == "8" else digits


@dataclass(frozen=True, slots=True)
class ApiError:
    """The API's own error, as it was sent."""

    code: int | str | None
    message: str
    status: int


@dataclass(slots=True)
class StoredRequest:
    """
    A request whose result can be requested again by its hash.

    :param as_of: the moment of the request in the API's zone; the result by hash is the one of that moment
    :param request: a call list's query, a recording's id, or an error
    """

    as_of: datetime
    request: CallQuery | str | ApiError
    made: float = 0.0
    polls_left: int = 0
    ready_at: float = 0.0


class RequestHashes:
    """The stored requests by their hash."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: OrderedDict[str, StoredRequest] = OrderedDict()

    def register(self, settings: SandboxSettings, stored: StoredRequest, *, ready: bool = False) -> str:
        """
        Store a request, and return its new hash.

        :param settings: how long until its result is ready
        :param stored: the request
        :param ready: it is ready at once, whatever the settings say
        """
        stored.made = time.monotonic()
        if not ready and not isinstance(stored.request, ApiError):
            stored.polls_left = settings.pending_polls
            stored.ready_at = stored.made + settings.pending_seconds
        text = _new_hash(settings.always_awkward_hashes)
        with self._lock:
            self._stored[text] = stored
            if len(self._stored) > _KEPT:
                self._stored.popitem(last=False)
        return text

    def find(self, settings: SandboxSettings, text: str) -> StoredRequest | None:
        """
        Return the request with a hash; None if it is unknown or too old.

        :param settings: how long a hash is known
        :param text: the hash, exactly
        """
        with self._lock:
            stored = self._stored.get(text)
        if stored is None or settings.hash_lifetime is None:
            return stored
        return stored if time.monotonic() < stored.made + settings.hash_lifetime else None

    def is_ready(self, stored: StoredRequest) -> bool:
        """Return whether a result is ready; each call counts as a poll."""
        with self._lock:
            if stored.polls_left > 0:
                stored.polls_left -= 1
                return False
        return time.monotonic() >= stored.ready_at

    def forget(self) -> None:
        """Forget all hashes."""
        with self._lock:
            self._stored.clear()


def _new_hash(awkward: bool) -> str:
    """Make a hash as the API's text shows it: 16 bytes in base64, then 32 hexadecimal digits in base64."""
    while True:
        first = base64.b64encode(secrets.token_bytes(16)).decode()
        if not awkward or ("+" in first and "/" in first):
            return first + base64.b64encode(secrets.token_hex(16).upper().encode()).decode()
