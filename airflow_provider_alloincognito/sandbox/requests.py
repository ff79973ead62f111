"""Requests: read as strictly as the API's text allows, and kept under their hash."""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

SECRET_HEADERS = frozenset({b"authorization", b"proxy-authorization", b"cookie"})
_KEPT = 200_000
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_NUMBER = re.compile(r"\+?\d{3,15}", re.ASCII)


class HttpRequest:
    """
    A request as it was received, without its body.

    :param scope: the request as ASGI describes it
    """

    def __init__(self, scope: Scope) -> None:
        self.verb: str = scope["method"]
        self.path: str = scope["path"]
        self.raw_query: str = scope["query_string"].decode("latin-1")
        self.parameters = parse_qsl(self.raw_query, keep_blank_values=True)
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        scheme, _, token = self.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        self.token = token.strip() or None if scheme.lower() == "bearer" else None

    @property
    def safe_headers(self) -> dict[str, str]:
        """The headers that hold no secret."""
        safe = ((name, value) for name, value in self.headers.items() if name not in SECRET_HEADERS)
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in safe}


async def read_json(receive: Receive) -> Any:
    """
    Read a request's body, and return the decoded JSON; None if it is empty or not JSON.

    :param receive: as ASGI gives it
    """
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    try:
        return json.loads(body)
    except ValueError:
        return None


class BadQuery(ValueError):
    """The body is not what the API's text says. The message is Russian, as the API's own."""


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


def read_query(settings: SandboxSettings, body: Any) -> CallQuery:
    """
    Read the body of a call list's request.

    :param settings: the name of the numbers' field
    :param body: decoded JSON
    :raises BadQuery: the body is not what the API's text says
    """
    if not isinstance(body, dict):
        raise BadQuery("тело запроса должно быть объектом JSON")
    known = {"periodStart", "periodEnd", "direction", "durationFrom", "durationTo", "isCallRecord", "isRead"}
    if not settings.allow_unknown_fields and (unknown := set(body) - known - {settings.numbers_field}):
        raise BadQuery(f"неизвестные поля: {', '.join(sorted(unknown))}")
    start, end = _moment(body, "periodStart"), _moment(body, "periodEnd")
    if end < start:
        raise BadQuery("periodEnd раньше, чем periodStart")
    return CallQuery(
        start=start,
        end=end,
        numbers=_numbers(body.get(settings.numbers_field), settings.numbers_field),
        direction=_one_of(body, "direction", (0, 1, 2, "")) or 0,
        duration_from=_seconds(body, "durationFrom"),
        duration_to=_seconds(body, "durationTo"),
        only_recorded=_one_of(body, "isCallRecord", (0, 1, "")) == 1,
        is_read=_one_of(body, "isRead", (0, 1)),
    )


def same_number(number: str) -> str:
    """Return one form for a Russian number that begins with +7, 8 or 7."""
    digits = number.lstrip("+")
    return "7" + digits[1:] if len(digits) == 11 and digits[0] == "8" else digits


def _moment(body: dict[str, Any], name: str) -> datetime:
    value = body.get(name)
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise BadQuery(f"{name}: ожидается yyyy-mm-dd hh:mm:ss")


def _one_of(body: dict[str, Any], name: str, allowed: tuple[int | str, ...]) -> Any:
    value = body.get(name)
    if value is None or (type(value) in (int, str) and value in allowed):
        return value
    raise BadQuery(f"{name}: недопустимое значение")


def _seconds(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None or (type(value) is int and value >= 0):
        return value
    raise BadQuery(f"{name}: ожидается целое число секунд или null")


def _numbers(value: Any, name: str) -> frozenset[str] | None:
    if value is None or value == []:
        return None
    if not isinstance(value, list):
        raise BadQuery(f"{name}: ожидается список строк")
    for number in value:
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            raise BadQuery(f"{name}: неверный номер {number!r}")
    return frozenset(map(same_number, value))


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
