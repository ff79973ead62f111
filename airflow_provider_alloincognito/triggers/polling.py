"""When to ask again for a result that is not ready."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from airflow_provider_alloincognito.api.retries import retry_after

FACTOR = 1.5
CEILING = 300.0
JITTER = 0.1


class Polling:
    """
    Seconds from one poll to the next: growing up to a ceiling, with jitter, never past the deadline.

    :param start: the first wait, in seconds.
    :param deadline: epoch seconds; absolute, so that it survives a restart.
    :param factor: how much longer each wait is than the one before; 1 keeps them even.
    :param ceiling: the longest wait; at least ``start``.
    """

    def __init__(self, start: float, deadline: float, *, factor: float = FACTOR, ceiling: float = CEILING) -> None:
        self._next = start
        self._deadline = deadline
        self._factor = factor
        self._ceiling = max(ceiling, start)

    def wait(self, now: float, asked: str | None = None) -> float | None:
        """
        Give the seconds until the next poll; None if the deadline has come.

        :param now: epoch seconds.
        :param asked: the answer's ``Retry-After``, if it had one.
        """
        if now >= self._deadline:
            return None
        wished = self._next * random.uniform(1 - JITTER, 1 + JITTER)
        self._next = min(self._next * self._factor, self._ceiling)
        told = retry_after(asked, datetime.fromtimestamp(now, UTC)) or 0.0
        return min(max(wished, told), self._deadline - now)
