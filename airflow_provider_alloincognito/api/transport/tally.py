"""What a client has sent and received, and how long it waited."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias, get_args

Reason: TypeAlias = Literal["token pair", "responses", "pauses", "polls"]
"""What is waited for: a token pair that another process makes, the heads of responses, the end of pauses before a
request is sent (again), the next poll for a result."""


class Tally:
    """
    Counts requests, bytes and seconds. Threads may share it.

    :param clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.requests = 0
        """HTTP requests that were sent, for tokens as well."""
        self.retried = 0
        """How many of them repeated one that had failed."""
        self.bytes = 0
        """The size of all bodies that were received, after decompression."""
        self._clock = clock
        self._guard = threading.Lock()
        self._waiting: dict[Reason, int] = dict.fromkeys(get_args(Reason), 0)
        self._since: dict[Reason, float] = {}
        self._seconds: dict[Reason, float] = dict.fromkeys(get_args(Reason), 0.0)

    def count(self, *, requests: int = 0, retried: int = 0, received: int = 0) -> None:
        """Add to the counts."""
        with self._guard:
            self.requests += requests
            self.retried += retried
            self.bytes += received

    @contextmanager
    def waiting(self, reason: Reason) -> Iterator[None]:
        """Count the time in the ``with`` block. Time in which several threads wait for the same counts once."""
        with self._guard:
            if not self._waiting[reason]:
                self._since[reason] = self._clock()
            self._waiting[reason] += 1
        try:
            yield
        finally:
            with self._guard:
                self._waiting[reason] -= 1
                if not self._waiting[reason]:
                    self._seconds[reason] += self._clock() - self._since[reason]

    @property
    def waited(self) -> dict[Reason, float]:
        """The seconds in which at least one thread waited, by what for. Waits that have not ended do not count yet."""
        with self._guard:
            return dict(self._seconds)
