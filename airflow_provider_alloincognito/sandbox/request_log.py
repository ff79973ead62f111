"""The log of requests, without a token in it."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from time import monotonic, time as wall_time
from typing import Any


@dataclass(slots=True)
class LoggedRequest:
    """
    One request.

    :param number: from 1, in order of arrival
    :param method: ``create``, ``refresh``, ``getcalllist``, ``getcallrecordfile``, ``getrequestresultbyhash``;
        or ``unknown``
    :param http_method: the HTTP verb
    :param path: decoded
    :param raw_query: the query as it was received, percent-encoded
    :param query: the query, decoded
    :param headers: without those that may hold a secret
    :param token: the fingerprint of the token in the request; None: it had none
    :param token_kind: ``authorization``, ``access``, ``refresh``; None: not a token of this sandbox
    :param token_state: whether the token was valid at that moment for this method
    :param body: the decoded JSON or form (its texts by name), or None
    :param status: the response's HTTP status; None: no response yet, or none at all
    :param outcome: ``ok``, ``pending``, ``error``, ``rejected``, ``forbidden``, ``rate_limited``, ``wrong_verb``,
        ``not_found``; ``fault``: a fault, and not carried out
    :param rotation: whether it made a pair
    :param fault: the kind of the fault that happened
    :param seconds: from arrival until all was sent
    :param time: of arrival, seconds since the epoch
    """

    number: int
    method: str
    http_method: str
    path: str
    raw_query: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    token_kind: str | None = None
    token_state: str | None = None
    body: Any = None
    status: int | None = None
    outcome: str | None = None
    rotation: bool = False
    fault: str | None = None
    seconds: float | None = None
    time: float = field(default_factory=wall_time)
    _began: float = field(default_factory=monotonic, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        values = asdict(self)
        del values["_began"]
        return values

    def note_sent(self) -> None:
        """Note that all of the response was sent."""
        self.seconds = round(monotonic() - self._began, 6)


class RequestLog:
    """
    The log of requests, and their counts.

    :param limit: how many requests are kept; counts are not limited
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

    def add(self, method: str, http_method: str, path: str, raw_query: str, **details: Any) -> LoggedRequest:
        """
        Note a request that has arrived.

        :param details: other fields of :class:`LoggedRequest`
        """
        with self._lock:
            self._number += 1
            entry = LoggedRequest(self._number, method, http_method, path, raw_query, **details)
            self._requests.append(entry)
            self._counts[method, None] += 1
        return entry

    def note_status(self, entry: LoggedRequest, status: int | None) -> None:
        """Note the HTTP status of the response to a request."""
        entry.status = status
        with self._lock:
            if status is not None:
                self._counts[entry.method, status] += 1
            if entry.outcome:
                self._outcomes[entry.method, entry.outcome] += 1

    def count(self, method: str, status: int | None = None) -> int:
        """
        Count requests since the last ``clear``.

        :param method: the method
        :param status: only those with this HTTP status; None: all
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
