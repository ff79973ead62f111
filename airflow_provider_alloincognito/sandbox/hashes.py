"""Request hashes: handles on requests made earlier."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

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


class HashBook:
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
