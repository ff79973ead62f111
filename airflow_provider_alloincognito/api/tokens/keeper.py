"""
The one token pair of a process: who may use it, when it is renewed, what a rejection leads to.

No I/O: generators yield what they want done (:mod:`~airflow_provider_alloincognito.api.tokens.steps`) and are sent what
came of it, so that ``requests``, ``httpx`` and a test with a fake clock drive the same logic.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.verdict import Answer
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.pair import TokenPair, utc_now
from airflow_provider_alloincognito.api.tokens.replacement import Replacement
from airflow_provider_alloincognito.api.tokens.steps import Join, Send, Step, Timing
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoRotationError,
)

log = logging.getLogger(__name__)

Flow = Generator[Step, Any, Any]

MOST_REPLAYS = 8
REJECTED_REMEMBERED = 256
# A pair younger than this, or than half its life, that meets 403 is taken to lack a right, not to have died.
YOUNG = timedelta(minutes=1)
LONGEST_RENEWAL_MARGIN = 600.0
# Below this, a difference to the server's clock is the header's whole seconds and the way here.
LEAST_CLOCK_SKEW = timedelta(seconds=2)


class PairKeeper:
    """
    One authorization token's pair in one process, shared by its threads and event loops and replaced once for all.

    :param settings: the server's.
    :param authorization_token: made in the personal account; authenticates ``create``.
    :param exclusive: whether the store has a lock of its own; otherwise claims are written into it.
    :param clock: monotonic seconds, compared only with itself.
    :param now: the wall clock, for hints that cost a needless ``refresh`` at most.
    :param rng: jitter.
    """

    def __init__(
        self,
        settings: Settings,
        authorization_token: str,
        *,
        exclusive: bool,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.authorization_token = authorization_token
        self.exclusive = exclusive
        self.timing = Timing(settings.token_store_seconds, settings.token_call_seconds)
        self.clock = clock
        self.rng = rng or random.Random()
        self.pair: TokenPair | None = None
        self._now = now
        self._skew: timedelta | None = None
        self._guard = threading.Lock()  # held for a few statements, never over a step
        self._flight: Future[TokenPair] | None = None
        self._rejected: deque[str] = deque(maxlen=REJECTED_REMEMBERED)
        self._granted: set[str] = set()  # methods
        self._accepted_at = self._earliest_end = float("-inf")
        self._latest_end = float("inf")
        self._renewal_margin = 0.0
        self._no_renewal_until = float("-inf")
        self._unrenewable: str | None = None
        self._unconfirmed: Replacement | None = None

    # The way of one request

    def authorised(self, request: ApiRequest) -> Flow:
        """
        Send ``request`` with a living token, replacing the pair where need be; gives its :class:`Answer`.

        :raises AlloincognitoAuthError: if the authorization token is not accepted.
        :raises AlloincognitoApiError: if the token lacks the right to this method.
        :raises AlloincognitoRotationError: if no pair lived long enough to be answered.
        """
        pair = yield from self._pair_in_hand()
        deadline: float | None = None
        granted = request.method in self._granted
        for _ in range(MOST_REPLAYS + 1):
            sent_at = self.clock()
            answer: Answer = yield Send(request, pair.access_token)
            self.note_clock(answer)
            if not verdict.token_is_rejected(answer, self.settings):
                self._accepted_at = sent_at
                self._granted.add(request.method)
                yield from self._confirm(pair)
                return answer
            rejected_at = self.clock()
            deadline = deadline or rejected_at + self.timing.patience
            if self._lacks_right(answer, pair) and not granted:
                pair = yield from self._unless_it_lacks_the_right(request, pair, rejected_at, deadline)
            else:
                pair = yield from self._after_rejection(request, pair, rejected_at, deadline)
            granted = False
        raise AlloincognitoRotationError(
            f"{request.method}: {MOST_REPLAYS + 1} pairs in a row were rejected. Something else keeps making pairs "
            "with this authorization token, and each kills ours. Find it (another program, another Airflow with its "
            "own token store), or give it an authorization token of its own."
        )

    def _pair_in_hand(self) -> Flow:
        deadline = self.clock() + self.timing.patience
        pair: TokenPair = self.pair or (yield from self._alone(None, lambda: self._first(deadline), deadline))
        if self.is_ageing(pair):
            pair = yield from self._alone(pair, lambda: self._renew(pair, deadline), deadline)
        return pair

    def _unless_it_lacks_the_right(
        self, request: ApiRequest, pair: TokenPair, rejected_at: float, deadline: float
    ) -> Flow:
        search = Replacement(self, pair, rejected_at, deadline)
        other = yield from search.look_until(rejected_at + self.timing.winner_is_visible)
        if other is not None:
            return other
        self._granted.discard(request.method)
        raise AlloincognitoApiError(
            request.method,
            verdict.FORBIDDEN,
            "the token is new, so it seems to lack the right to this method: ask AlloIncognito for it. If other "
            "methods are refused too, something else has just ended the token; try again in a minute",
        )

    def _after_rejection(self, request: ApiRequest, pair: TokenPair, rejected_at: float, deadline: float) -> Flow:
        if self.is_news(pair):
            self._rejected.append(pair.id)
            log.info("AlloIncognito tokens: %s: pair %s was rejected", request.method, pair.id)
        work = Replacement(self, pair, rejected_at, deadline)
        return (yield from self._alone(pair, work.after_rejection, deadline))

    def _lacks_right(self, answer: Answer, pair: TokenPair) -> bool:
        young = abs(self._server_now() - pair.obtained_at) < min(YOUNG, pair.lifetime / 2)
        return verdict.may_lack_right(answer) and young and not self.has_ended(pair)

    # One replacement for all threads and loops

    def _alone(self, old: TokenPair | None, work: Callable[[], Flow], deadline: float) -> Flow:
        while True:
            with self._guard:
                if self.pair is not None and self.pair is not old and self.is_news(self.pair):
                    return self.pair
                flight = self._flight
                if flight is None:
                    flight = self._flight = Future()
                    break
            yield Join(flight, max(0.0, deadline - self.clock()))
            error = flight.exception() if flight.done() else None
            if isinstance(error, AlloincognitoAuthError):
                raise AlloincognitoAuthError(*error.args)
            if self.clock() >= deadline:
                raise AlloincognitoRotationError(
                    f"No living token pair was to be had within {self.timing.patience:.0f} s. Another try may succeed."
                )
        return (yield from self._lead(flight, work))

    def _lead(self, flight: Future[TokenPair], work: Callable[[], Flow]) -> Flow:
        try:
            pair = yield from work()
        except BaseException as error:  # a leader that fails or is cancelled must let the others go on
            with self._guard:
                self._flight = None
            stopped = AlloincognitoRotationError("The task that was replacing the token pair was stopped.")
            flight.set_exception(error if isinstance(error, Exception) else stopped)
            raise
        with self._guard:
            self._flight = None
        flight.set_result(pair)
        return pair

    def _first(self, deadline: float) -> Flow:
        """The process' first pair: the stored one, or a new one where there is none."""
        work = Replacement(self, None, None, deadline)
        pair = yield from work.look()
        return pair if pair is not None else (yield from work.after_rejection())

    # Renewal ahead of the end: without a claim, since refresh is a compare-and-swap of the server's

    def _renew(self, pair: TokenPair, deadline: float) -> Flow:
        if not self.is_ageing(pair):
            return pair  # another thread has just tried
        self._no_renewal_until = self.clock() + max(10 * self.timing.store, pair.lifetime.total_seconds() / 100)
        renewed = yield from Replacement(self, pair, None, deadline).ahead_of_the_end()
        if renewed is None:
            # Refused is not dead: the text promises refresh only after the end. Should somebody else have renewed
            # the pair in between, the next answer will say so.
            self._unrenewable = pair.id
            log.info("AlloIncognito tokens: pair %s cannot be renewed yet; going on with it", pair.id)
            return pair
        if renewed.id != pair.id:
            # Clocks that differ must not make two processes renew each other's pairs in turn.
            self._no_renewal_until = self.clock() + renewed.lifetime.total_seconds() / 2
        return renewed

    def is_ageing(self, pair: TokenPair) -> bool:
        """Whether it is time to renew ``pair``, as far as clocks can tell."""
        now = self.clock()
        return (
            pair is self.pair
            and now >= self._ends_at - self._renewal_margin
            and now >= self._no_renewal_until
            and pair.id != self._unrenewable
        )

    def has_ended(self, pair: TokenPair) -> bool:
        """Whether ``pair``'s access token has ended, as far as clocks can tell."""
        return pair is self.pair and self.clock() >= self._ends_at

    def died_early(self, pair: TokenPair) -> bool:
        """Whether ``pair``, found dead, was killed by none of ours; False where that cannot be told."""
        end = self._earliest_end if self._skew is None else self._ends_at
        renewed_from = end - max(self._renewal_margin, LEAST_CLOCK_SKEW.total_seconds())
        return pair is self.pair and self.clock() < renewed_from

    @property
    def _ends_at(self) -> float:
        """The end by the pair's stamps, which are wall-clock times of others, within what our own clock bears out."""
        if self._skew is None or self.pair is None:
            return self._latest_end
        left = self.pair.access_expires_at - self._server_now()
        return min(max(self.clock() + left.total_seconds(), self._earliest_end), self._latest_end)

    # What is known

    @property
    def secrets(self) -> tuple[str, ...]:
        """The tokens in use, to keep them out of what is said."""
        pair = self.pair
        tokens = (pair.access_token, pair.refresh_token) if pair is not None else ()
        return (self.authorization_token, *tokens)

    def is_news(self, pair: TokenPair) -> bool:
        """Newer means: not one of those that were seen rejected."""
        return pair.id not in self._rejected

    def adopt(self, pair: TokenPair, *, made_here: bool) -> None:
        """Use ``pair`` from now on. Whoever made it renews it first, the others a little later."""
        if self.pair is not None and self.pair.id == pair.id:
            return
        lifetime = pair.lifetime.total_seconds()
        margin = self.settings.refresh_before_expiry
        if margin is None:
            margin = min(lifetime / 10, LONGEST_RENEWAL_MARGIN)
        margin *= self.rng.uniform(1.1, 1.3) if made_here else self.rng.uniform(1.0, 1.1)
        with self._guard:
            self._latest_end = self.clock() + lifetime
            # It was made after the pair before it was last accepted, since only one is alive at a time.
            self._earliest_end = self._latest_end if made_here else self._accepted_at + lifetime
            self._renewal_margin = margin
            self.pair = pair

    def note_clock(self, answer: Answer) -> None:
        """Learn how far this machine's clock is from the server's."""
        if answer.server_time is not None:
            skew = answer.server_time - self._now()
            self._skew = skew if abs(skew) > LEAST_CLOCK_SKEW else timedelta()

    def made_at(self, answer: Answer) -> datetime:
        """The moment of an answer, by the server's clock if it said so."""
        self.note_clock(answer)
        return self._server_now()

    def _server_now(self) -> datetime:
        return self._now() + (self._skew or timedelta())

    # After a save: a slower writer may have put an older pair over it

    def confirm_later(self, work: Replacement) -> None:
        """Have the pair that ``work`` saved looked for in the store once it has proved to live."""
        self._unconfirmed = work

    def _confirm(self, pair: TokenPair) -> Flow:
        with self._guard:
            work = self._unconfirmed
            if work is None or work.saved is None or work.saved.id != pair.id:
                return
            self._unconfirmed = None
        yield from work.confirm()
