"""How fast a client may send: one view of the server's load for all threads, or for all tasks of an event loop."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable

from airflow_provider_alloincognito.api.backoff import backoff
from airflow_provider_alloincognito.errors import AlloincognitoError

SECONDS_TO_RECOVER = 30.0
"""From a rejection until the rate that the server took before is reached again; above it the rate grows faster."""
START, PLATEAU = 0.85, 0.95
"""Parts of the rate that the server took: what to begin with after a rejection, and what to return to."""
SECONDS_TO_DOUBLE = 2.0
LOWEST_RATE = 1.0
SHORT_BURST, LARGE_BURST, LONG_PAUSE = 0.5, 4, 1.5
MEASURED_SECONDS = 2.0
MOST_MEASURED = 10_000


class Pace:
    """
    Gives each request its turn. After HTTP 429 or 503 all requests pause, and return at the rate that the server took.

    The rate then follows CUBIC, the curve by which TCP finds a network's capacity: it stays a while just below the rate
    that the server took, then grows, slowly at first. Before the rate could be measured, it doubles every few seconds
    instead, as TCP's slow start does.

    :param ceiling: requests per second that are never exceeded; 0 is no ceiling.
    :param clock: monotonic seconds.
    :param rng: source of jitter.
    """

    def __init__(
        self,
        ceiling: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self._ceiling = ceiling or math.inf
        self.now = clock
        self._rng = rng or random.Random()
        self._guard = threading.Lock()
        self._next_turn = -math.inf
        self._capacity = math.inf  # requests per second that the server took, as far as is known
        self._is_measured = False
        self._growing_since = 0.0
        self._pauses = 0
        self._paused_until = -math.inf
        self._rejected_at: float | None = None  # until the pause is over: then the new rate is decided
        self._rejected_rate = math.inf
        self._resumed_at = clock()
        self._taken_at: deque[float] = deque(maxlen=MOST_MEASURED)
        self.pauses_in_vain = 0
        """Pauses since the server last took a request of anybody."""
        self.rejection: AlloincognitoError | None = None
        """The last rejection."""
        self.is_down = False
        """Whether a request was given up since then, so that others need not find out for themselves."""

    def turn(self) -> Turn:
        """Return the turn of one attempt."""
        return Turn(self)

    @property
    def pause_left(self) -> float:
        """Seconds for which nothing may be sent."""
        return max(0.0, self._paused_until - self.now())

    @property
    def rate(self) -> float:
        """Requests per second at present."""
        seconds = self.now() - self._growing_since
        if self._is_measured:
            rate = self._capacity * (PLATEAU + (PLATEAU - START) * (seconds / SECONDS_TO_RECOVER - 1) ** 3)
        else:
            rate = self._capacity * 2 ** min(seconds / SECONDS_TO_DOUBLE, 100.0)
        return min(self._ceiling, max(rate, LOWEST_RATE))

    def reserve(self, pause_number: int, moment: float) -> tuple[int, float]:
        """
        Return the moment to send at, and the number of the pause before it.

        :param pause_number: what was returned before; the moment holds until there is another pause.
        :param moment: likewise.
        """
        if pause_number == self._pauses:
            return pause_number, moment
        with self._guard:
            now = self.now()
            if now < self._paused_until:
                return -1, self._paused_until
            self._decide_rate(now)
            moment = max(now, self._next_turn)
            self._next_turn = moment + 1 / self.rate
            return self._pauses, moment

    def note_taken(self) -> None:
        """Note that the server took a request, whatever came of it."""
        with self._guard:
            self._taken_at.append(self.now())
            self.pauses_in_vain = 0
            self.is_down = False

    def note_rejected(self, turn: Turn, retry_after: float | None) -> None:
        """
        Pause all requests.

        :param turn: the rejected request's. Requests of one burst, sent before the pause, slow the rate down once.
        :param retry_after: seconds that the server asks to wait.
        """
        with self._guard:
            now = self.now()
            if turn.pause_number == self._pauses:
                self._pauses += 1
                self.pauses_in_vain += 1
                self._rejected_at, self._rejected_rate = now, self.rate
                self._paused_until = now + backoff(self.pauses_in_vain, self._rng)
            self._paused_until = max(self._paused_until, now + (retry_after or 0.0))

    def _decide_rate(self, now: float) -> None:
        """After a pause, when the responses to all that was sent before it have been counted."""
        if self._rejected_at is None:
            return
        seconds = min(self._rejected_at - self._resumed_at, MEASURED_SECONDS)
        taken = sum(moment >= self._rejected_at - MEASURED_SECONDS for moment in self._taken_at)
        if taken:
            self._capacity = max(LOWEST_RATE, min(self._rejected_rate, taken / max(1.0, seconds)))
            # A short burst says little, but another pause to learn more may cost more than it gains.
            is_dear = self._paused_until - self._rejected_at > LONG_PAUSE and taken >= LARGE_BURST
            self._is_measured = is_dear or seconds >= SHORT_BURST
        elif self._capacity == math.inf:
            self._capacity = LOWEST_RATE
        self._growing_since = self._resumed_at = self._next_turn = now
        self._rejected_at = None
        self._taken_at.clear()


class Turn:
    """
    The turn of one attempt to send.

    :param pace: whose.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.pause_number = -1
        """The number of pauses before this turn."""
        self._moment = 0.0

    def seconds_left(self) -> float:
        """Return the seconds until it may be sent; 0 means now. Ask again after waiting: there may be a new pause."""
        self.pause_number, self._moment = self._pace.reserve(self.pause_number, self._moment)
        return max(0.0, self._moment - self._pace.now())
