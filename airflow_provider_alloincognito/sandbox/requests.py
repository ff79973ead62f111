"""What the sandbox was asked, and what it answered; without a token in it."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from time import monotonic
from time import time as wall_time
from typing import Any

from airflow_provider_alloincognito.sandbox.query import CallQuery
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

_KEPT = 200_000


@dataclass(frozen=True, slots=True)
class ApiError:
    """The API's own error, as it was answered."""

    code: int | str | None
    message: str
    status: int


@dataclass(slots=True)
class Asked:
    """
    A request that was made: a call list, a recording, or one that failed.

    :param as_of: the moment of the request in the API's zone; a result asked for again is the one of that moment
    """

    as_of: datetime
    request: CallQuery | str | ApiError
    made: float = 0.0
    polls_left: int = 0
    ready_at: float = 0.0


class RequestHashes:
    """Which hash stands for which request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, Asked] = OrderedDict()

    def register(self, settings: SandboxSettings, asked: Asked, *, ready: bool = False) -> str:
        """
        Give a new hash for a request.

        :param settings: how long until its result is ready
        :param asked: the request
        :param ready: it is ready at once, whatever the settings say
        """
        asked.made = time.monotonic()
        if not ready and not isinstance(asked.request, ApiError):
            asked.polls_left = settings.pending_polls
            asked.ready_at = asked.made + settings.pending_seconds
        text = _new_hash(settings.always_awkward_hashes)
        with self._lock:
            self._asked[text] = asked
            if len(self._asked) > _KEPT:
                self._asked.popitem(last=False)
        return text

    def find(self, settings: SandboxSettings, text: str) -> Asked | None:
        """
        Give the request that a hash stands for; None if it is unknown or forgotten.

        :param settings: for how long a hash is known
        :param text: the hash, to the letter
        """
        with self._lock:
            asked = self._asked.get(text)
        if asked is None or settings.hash_lifetime is None:
            return asked
        return asked if time.monotonic() < asked.made + settings.hash_lifetime else None

    def is_ready(self, asked: Asked) -> bool:
        """Tell whether a result is ready; each question counts as a poll."""
        with self._lock:
            if asked.polls_left > 0:
                asked.polls_left -= 1
                return False
        return time.monotonic() >= asked.ready_at

    def forget(self) -> None:
        """Forget all hashes."""
        with self._lock:
            self._asked.clear()


def _new_hash(awkward: bool) -> str:
    """Make a hash as the text shows them: 16 bytes in base64, then 32 hexadecimal digits in base64."""
    while True:
        first = base64.b64encode(secrets.token_bytes(16)).decode()
        if not awkward or ("+" in first and "/" in first):
            return first + base64.b64encode(secrets.token_hex(16).upper().encode()).decode()


@dataclass(slots=True)
class LoggedRequest:
    """
    One request.

    :param number: from 1, in order of arrival
    :param time: of arrival, seconds since the epoch
    :param method: ``create``, ``refresh``, ``getcalllist``, ``getcallrecordfile``, ``getrequestresultbyhash``;
        or ``unknown``
    :param http_method: the verb
    :param path: decoded
    :param raw_query: the query as it came, percent-encoded
    :param query: the query, decoded
    :param headers: without those that may hold a secret
    :param token: the fingerprint of the token that was shown; None: there was none
    :param token_kind: what it was: ``authorization``, ``access``, ``refresh``; None: none that this sandbox issued
    :param token_state: what it was worth at that moment, for this method
    :param body: the JSON body, or None
    :param status: the HTTP status that was answered; None: none yet, or none at all
    :param outcome: ``ok``, ``pending``, ``error``, ``rejected``, ``forbidden``, ``rate_limited``, ``wrong_verb``,
        ``not_found``; ``fault``: a fault, and not carried out
    :param rotation: did it make a pair
    :param fault: the kind of fault that was committed
    :param seconds: from arrival until all was sent
    """

    number: int
    time: float
    method: str
    http_method: str
    path: str
    raw_query: str
    query: dict[str, str]
    headers: dict[str, str]
    token: str | None = None
    token_kind: str | None = None
    token_state: str | None = None
    body: Any = None
    status: int | None = None
    outcome: str | None = None
    rotation: bool = False
    fault: str | None = None
    seconds: float | None = None
    _began: float = field(default_factory=monotonic, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Give the fields as JSON has them."""
        values = asdict(self)
        del values["_began"]
        return values


class Journal:
    """
    The log of requests, and their counts.

    :param limit: so many requests are kept; counts are not bounded
    """

    def __init__(self, limit: int) -> None:
        self._lock = threading.Lock()
        self._requests: deque[LoggedRequest] = deque(maxlen=limit)
        self._number = 0
        self._counts: Counter[tuple[str, int | None]] = Counter()
        self._outcomes: Counter[tuple[str, str]] = Counter()

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests kept, in order of arrival."""
        with self._lock:
            return list(self._requests)

    def open(
        self,
        method: str,
        http_method: str,
        path: str,
        raw_query: str,
        query: dict[str, str],
        headers: dict[str, str],
    ) -> LoggedRequest:
        """Note a request that has come."""
        with self._lock:
            self._number += 1
            entry = LoggedRequest(self._number, wall_time(), method, http_method, path, raw_query, query, headers)
            self._requests.append(entry)
            self._counts[method, None] += 1
        return entry

    def answered(self, entry: LoggedRequest, status: int | None) -> None:
        """Note what a request is answered."""
        entry.status = status
        with self._lock:
            if status is not None:
                self._counts[entry.method, status] += 1
            if entry.outcome:
                self._outcomes[entry.method, entry.outcome] += 1

    @staticmethod
    def sent(entry: LoggedRequest) -> None:
        """Note that all of an answer is on its way."""
        entry.seconds = round(monotonic() - entry._began, 6)

    def count(self, method: str, status: int | None = None) -> int:
        """
        Count requests since the last clearing.

        :param method: the method
        :param status: only those answered with it; None: all
        """
        with self._lock:
            return self._counts[method, status]

    def summary(self) -> dict[str, Mapping[str, Any]]:
        """Count by method: all, by status, by outcome."""
        with self._lock:
            methods = sorted({method for method, _ in self._counts})
            return {
                method: {
                    "all": self._counts[method, None],
                    "by_status": {str(s): n for (m, s), n in self._counts.items() if m == method and s is not None},
                    "by_outcome": {o: n for (m, o), n in self._outcomes.items() if m == method},
                }
                for method in methods
            }

    def clear(self) -> None:
        """Forget the requests and their counts."""
        with self._lock:
            self._requests.clear()
            self._counts.clear()
            self._outcomes.clear()
