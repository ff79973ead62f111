"""Keep a line that repeats from filling the log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class LogLimit:
    """
    Allows the first lines of a kind, then one now and then. Threads may share it.

    :param first: how many lines are allowed at once.
    :param seconds: the time after which one more is allowed.
    :param clock: monotonic seconds.
    """

    def __init__(self, first: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(max(1, first))
        self._seconds = seconds
        self._clock = clock
        self._left = float(first)
        self._at = clock()
        self._guard = threading.Lock()

    def allows(self) -> bool:
        """Return whether a line may be logged now, and count it if so."""
        with self._guard:
            now = self._clock()
            self._left = min(self._most, self._left + (now - self._at) / self._seconds)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True
