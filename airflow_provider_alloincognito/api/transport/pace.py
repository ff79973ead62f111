"""How fast a client may send: one view of the server's load for all threads, or for all tasks of an event loop."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable

from airflow_provider_alloincognito.api.backoff import backoff
from airflow_provider_alloincognito.api.log_limit import LogLimit
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
OVERLOAD = 0.2
"""If fewer of the requests since the last pause were rejected, that may have nothing to do with how many there were."""
MOST_SLIGHT_CUTS = 3
SECONDS_TO_FORGET_A_CUT = 30.0
LONGEST_RESERVATION = 1.0
"""Turns that are farther ahead are not given yet, since the rate may have changed by then."""
JITTER = 0.05
MOST_LINES, SECONDS_PER_LINE = 10, 60.0
"""How many lines about pauses, and about retries, may be logged in a row, and after which time one more."""


class Pace:
    """
    Gives each request its turn. After HTTP 429 or 503 all requests pause, and return at the rate that the server took.

    The rate then follows CUBIC, the curve by which TCP finds a network's capacity: it stays a while just below the rate
    that the server took, then grows, slowly at first. Before the rate could be measured, it doubles every few seconds
    instead, as TCP's slow start does. A few rejections among many requests lower it slightly, and only a few times.

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
        self.now = clock
        self.rejection: AlloincognitoError | None = None
        """The last rejection."""
        self.is_down = False
        """Whether a request was given up without a response, so that others need not find out for themselves."""
        self.pauses_in_vain = 0
        """Pauses since the server last took a request of anybody."""
        self.logged_pauses = LogLimit(MOST_LINES, SECONDS_PER_LINE, clock)
        self.logged_retries = LogLimit(MOST_LINES, SECONDS_PER_LINE, clock)
        self._ceiling = ceiling or math.inf
        self._rng = rng or random.Random()
        self._guard = threading.Lock()
        self._next_turn = -math.inf
        self._capacity = math.inf  # requests per second that the server took, as far as is known
        self._is_measured = False
        self._growing_since = 0.0
        self._slight_cuts: deque[float] = deque(maxlen=MOST_SLIGHT_CUTS)
        self._pauses = 0
        self._paused_until = -math.inf
        self._rejected_at: float | None = None  # until the pause is over: then the new rate is decided
        self._rejected_rate = math.inf
        self._rejected = 0
        self._resumed_at = clock()
        self._taken_at: deque[float] = deque(maxlen=MOST_MEASURED)
        self._last_taken_at = -math.inf

    def turn(self, *, is_urgent: bool = False) -> Turn:
        """
        Return the turn of one attempt.

        :param is_urgent: take the next free moment; others wait for this request.
        """
        return Turn(self, is_urgent=is_urgent)

    @property
    def pause_left(self) -> float:
        """Seconds for which nothing may be sent."""
        return max(0.0, self._paused_until - self.now())

    @property
    def has_ceiling(self) -> bool:
        """Whether there is a ceiling."""
        return self._ceiling < math.inf

    @property
    def rate(self) -> float:
        """Requests per second at present."""
        seconds = self.now() - self._growing_since
        if self._is_measured:
            rate = self._capacity * (PLATEAU + (PLATEAU - START) * (seconds / SECONDS_TO_RECOVER - 1) ** 3)
        else:
            rate = self._capacity * 2 ** min(seconds / SECONDS_TO_DOUBLE, 100.0)
        return min(self._ceiling, max(rate, LOWEST_RATE))

    def reserve(self, pause_number: int, moment: float, *, is_urgent: bool) -> tuple[int, float]:
        """
        Return the moment to send at, or to ask again, and the number of the pause before it; -1 if to ask again.

        :param pause_number: what was returned before; the moment holds until there is another pause.
        :param moment: likewise.
        :param is_urgent: see :meth:`turn`.
        """
        with self._guard:
            now = self.now()
            if pause_number == self._pauses:
                return pause_number, max(moment, self._paused_until)
            if now < self._paused_until:
                return -1, self._paused_until
            self._decide_rate(now)
            if self._next_turn > now + LONGEST_RESERVATION and not is_urgent:
                return -1, now + self._rng.uniform(0.5, 1.0) * LONGEST_RESERVATION
            moment = max(now, self._next_turn)
            self._next_turn = moment + 1 / self.rate
            return self._pauses, moment

    def note_taken(self) -> None:
        """Note that the server took a request, whatever came of it."""
        with self._guard:
            self._last_taken_at = self.now()
            self._taken_at.append(self._last_taken_at)
            self.pauses_in_vain = 0
            self.is_down = False

    def note_given_up(self, began: float) -> None:
        """
        Note that a request was given up without a response.

        :param began: when it was first sent. If the server took another one since then, it is not down.
        """
        with self._guard:
            self.is_down = self.is_down or self._last_taken_at < began

    def note_rejected(self, turn: Turn, retry_after: float | None) -> bool:
        """
        Pause all requests, and return whether that is a new pause.

        :param turn: the rejected request's. Requests of one burst, sent before the pause, slow the rate down once.
        :param retry_after: seconds that the server asks to wait.
        """
        with self._guard:
            now = self.now()
            self._rejected += 1
            is_new = turn.pause_number == self._pauses
            if is_new:
                self._pauses += 1
                self.pauses_in_vain += 1
                self._rejected_at, self._rejected_rate = now, self.rate
                self._paused_until = now + backoff(self.pauses_in_vain, self._rng)
            asked = (retry_after or 0.0) * self._rng.uniform(1.0, 1.0 + JITTER)
            self._paused_until = max(self._paused_until, now + asked)
            return is_new

    def _decide_rate(self, now: float) -> None:
        """After a pause, when the responses to all that was sent before it have been counted."""
        if self._rejected_at is None:
            return
        first_taken_at = self._taken_at[0] if self._taken_at else now  # before it there may have been nothing to send
        began = max(self._resumed_at, self._rejected_at - MEASURED_SECONDS, min(first_taken_at, self._rejected_at))
        taken = sum(moment >= began for moment in self._taken_at)
        is_known = self._is_measured or self._capacity == math.inf
        if taken and is_known and self._rejected < OVERLOAD * (len(self._taken_at) + self._rejected):
            self._cut_slightly(now)
        elif taken:
            self._cut_to_what_was_taken(taken, self._rejected_at - began)
            self._growing_since = now
        elif self._capacity == math.inf:
            self._capacity, self._growing_since = LOWEST_RATE, now
        self._next_turn = max(now, self._next_turn if self._next_turn - now <= 1 / self._ceiling else now)
        self._resumed_at, self._rejected_at, self._rejected = now, None, 0
        self._taken_at.clear()

    def _cut_slightly(self, now: float) -> None:
        while self._slight_cuts and self._slight_cuts[0] < now - SECONDS_TO_FORGET_A_CUT * MOST_SLIGHT_CUTS:
            self._slight_cuts.popleft()
        if len(self._slight_cuts) < MOST_SLIGHT_CUTS and self._rejected_rate < math.inf:
            self._slight_cuts.append(now)
            # The curve from a little further on: nearly at the rate that was rejected.
            self._capacity, self._is_measured = self._rejected_rate, True
            self._growing_since = now - SECONDS_TO_RECOVER / 2

    def _cut_to_what_was_taken(self, taken: int, seconds: float) -> None:
        assert self._rejected_at is not None
        self._capacity = max(LOWEST_RATE, min(self._rejected_rate, taken / max(1.0, seconds)))
        # A short burst says little, but another pause to learn more may cost more than it gains.
        is_dear = self._paused_until - self._rejected_at > LONG_PAUSE and taken >= LARGE_BURST
        self._is_measured = is_dear or seconds >= SHORT_BURST


class Turn:
    """
    The turn of one attempt to send.

    :param pace: whose.
    :param is_urgent: see :meth:`Pace.turn`.
    """

    def __init__(self, pace: Pace, *, is_urgent: bool) -> None:
        self.pause_number = -1
        """The number of pauses before this turn."""
        self._pace = pace
        self._is_urgent = is_urgent
        self._moment = 0.0

    def seconds_left(self) -> float:
        """Return the seconds until it may be sent; 0 means now. Ask again after waiting: there may be a new pause."""
        while True:
            self.pause_number, self._moment = self._pace.reserve(
                self.pause_number, self._moment, is_urgent=self._is_urgent
            )
            seconds = self._moment - self._pace.now()
            if seconds > 0 or self.pause_number >= 0:
                return max(0.0, seconds)
