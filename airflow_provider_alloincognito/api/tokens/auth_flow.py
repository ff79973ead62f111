"""
The one token pair of a process: when it is renewed, and what follows an HTTP 401 (:meth:`PairKeeper.authorised`).

How another pair is got: ``replacement.py``.
"""

from __future__ import annotations

import hmac
import logging
import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.verdict import Answer
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.pair import TokenPair, utc_now
from airflow_provider_alloincognito.api.tokens.replacement import ClaimedReplacement, LockedReplacement
from airflow_provider_alloincognito.api.tokens.state import PairState
from airflow_provider_alloincognito.api.tokens.steps import DropClaim, Flow, Join, Load, Save, Send, Sleep
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoConnectionError,
    AlloincognitoRotationError,
    AlloincognitoTokenStoreError,
    rebuild,
)

log = logging.getLogger(__name__)

MAX_REPLAYS = 8
MAX_SAVES_AGAIN = 2


class PairKeeper:
    """
    One authorization token's pair in one process, shared by its threads and event loops, and replaced once for all.

    :param settings: the server's.
    :param authorization_token: made in the personal account; authenticates ``create``.
    :param locking: whether the store is a :class:`LockingTokenStore`; otherwise it is a :class:`ClaimingTokenStore`.
    :param clock: monotonic seconds, never compared with another process's.
    :param now: the wall clock. If it is wrong, that costs an early ``refresh`` at most.
    :param rng: source of jitter.
    """

    def __init__(
        self,
        settings: Settings,
        authorization_token: str,
        *,
        locking: bool,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        rng: random.Random | None = None,
    ) -> None:
        self._state = PairState(settings, authorization_token, clock, now, rng or random.Random())
        self._replacement = LockedReplacement if locking else ClaimedReplacement
        self._guard = threading.Lock()  # held for a few statements, never during a step
        self._running: Future[TokenPair] | None = None

    @property
    def pair(self) -> TokenPair | None:
        """The pair in use."""
        return self._state.pair

    @property
    def secrets(self) -> tuple[str, ...]:
        """The tokens in use, to keep them out of errors."""
        return self._state.secrets

    def derive_key(self, purpose: bytes) -> bytes:
        """
        Return a secret key that only holders of the authorization token can make, for digests.

        :param purpose: another one gives another key.
        """
        return hmac.digest(self._state.authorization_token.encode(), purpose, "sha256")

    # One request

    def authorised(self, request: ApiRequest, until: float = math.inf) -> Flow:
        """
        Send ``request`` with a valid token, replacing the pair where needed. Return its :class:`Answer`.

        :param request: the request.
        :param until: when the caller no longer needs the response, by the keeper's clock.
        :raises AlloincognitoAuthError: if the authorization token is not accepted.
        :raises AlloincognitoApiError: if the token lacks the right to this method.
        :raises AlloincognitoRotationError: if no pair stayed valid long enough.
        """
        state = self._state
        pair = yield from self._current_pair(until)
        deadline: float | None = None
        was_accepted = request.method in state.accepted_methods
        for _ in range(MAX_REPLAYS + 1):
            sent_at = state.clock()
            answer: Answer = yield Send(request, pair.access_token)
            state.note_clock(answer)
            if not verdict.token_is_rejected(answer, state.settings):
                state.accepted_at = sent_at
                state.accepted_methods.add(request.method)
                yield from self._confirm_save(pair)
                return answer
            rejected_at = state.clock()
            if rejected_at >= until:
                raise state.timeout_error
            deadline = deadline or min(until, rejected_at + state.timing.longest_wait)
            if verdict.may_lack_right(answer) and state.is_young(pair) and not was_accepted:
                pair = yield from self._after_forbidden(request, pair, rejected_at, deadline)
            else:
                pair = yield from self._after_rejection(request, pair, rejected_at, deadline)
            was_accepted = False
        raise AlloincognitoRotationError(
            f"{request.method}: the server rejected {MAX_REPLAYS + 1} token pairs in a row. Another program keeps "
            "making pairs with this authorization token, and each of them invalidates ours. Find it (a script, or "
            "another Airflow with its own token store), or give it an authorization token of its own."
        )

    def _current_pair(self, until: float) -> Flow:
        deadline = min(until, self._state.clock() + self._state.timing.longest_wait)
        pair: TokenPair = self.pair or (yield from self._replace_once(None, lambda: self._first(deadline), deadline))
        if self._state.is_due(pair):
            pair = yield from self._replace_once(pair, lambda: self._renew(pair, deadline), deadline)
        return pair

    def _after_forbidden(self, request: ApiRequest, pair: TokenPair, rejected_at: float, deadline: float) -> Flow:
        search = self._replacement(self._state, pair, rejected_at, deadline)
        newer = yield from search.wait_for_newer_pair(rejected_at + self._state.timing.save_delay)
        if newer is not None:
            return newer
        self._state.accepted_methods.discard(request.method)
        raise AlloincognitoApiError(
            request.method,
            verdict.FORBIDDEN,
            "the token is new, so the account probably has no right to use this method. Ask AlloIncognito for that "
            "right. If other methods fail as well, another program has just invalidated the token; then try again in a "
            "minute",
        )

    def _after_rejection(self, request: ApiRequest, pair: TokenPair, rejected_at: float, deadline: float) -> Flow:
        if not self._state.was_rejected(pair):
            self._state.note_rejected(pair)
            log.debug("AlloIncognito tokens: %s: pair %s was rejected", request.method, pair.id)
        replacement = self._replacement(self._state, pair, rejected_at, deadline)
        return (yield from self._replace_once(pair, replacement.find_or_make, deadline))

    def _confirm_save(self, pair: TokenPair) -> Flow:
        """Once ``pair`` has proved valid, save it again if a slower process has put an older one over it."""
        with self._guard:
            saved = self._state.unconfirmed
            if saved is None or saved.pair.id != pair.id:
                return
            self._state.unconfirmed = None
        yield Sleep(max(0.0, saved.saved_at + self._state.timing.claim_wait - self._state.clock()))
        try:
            for _ in range(MAX_SAVES_AGAIN):
                stored = yield Load()
                if stored is None or stored.id == pair.id or stored.obtained_at > saved.pair.obtained_at:
                    break
                yield Save(saved.pair)
            yield DropClaim(saved.replaced_id)
        except AlloincognitoTokenStoreError:
            log.warning("AlloIncognito tokens: the token store cannot be reached; pair %s may be lost", pair.id)

    # One replacement for all threads and event loops

    def _replace_once(self, old: TokenPair | None, work: Callable[[], Flow], deadline: float) -> Flow:
        """Do ``work`` in one thread, and let the others wait for its pair."""
        while True:
            with self._guard:
                pair = self.pair
                if pair is not None and pair is not old and not self._state.was_rejected(pair):
                    return pair
                running = self._running
                if running is None:
                    ours = self._running = Future()
                    break
            yield Join(running, max(0.0, deadline - self._state.clock()))
            error = running.exception() if running.done() else None
            if isinstance(error, AlloincognitoAuthError | AlloincognitoConnectionError):
                raise rebuild(type(error), error.args, error.__dict__)
            if self._state.clock() >= deadline:
                raise self._state.timeout_error
        try:
            pair = yield from work()
            ours.set_result(pair)
            return pair
        except BaseException as error:  # also if this task was cancelled: the others must go on
            ours.set_exception(error if isinstance(error, Exception) else InterruptedError())
            raise
        finally:
            with self._guard:
                self._running = None

    def _first(self, deadline: float) -> Flow:
        """Return the stored pair, or a new one if there is none."""
        replacement = self._replacement(self._state, None, None, deadline)
        return (yield from replacement.read_newer_pair()) or (yield from replacement.find_or_make())

    def _renew(self, pair: TokenPair, deadline: float) -> Flow:
        """Renew a pair before its end: without a claim, since the server lets only one ``refresh`` succeed."""
        state = self._state
        if not state.is_due(pair):
            return pair  # another thread has just tried
        state.postpone_renewal(max(10 * state.timing.store_call, pair.lifetime.total_seconds() / 100))
        renewed = yield from self._replacement(state, pair, None, deadline).renew_early()
        if renewed is None:
            # The pair is still valid: the API's text promises refresh only after the end. If another process has
            # renewed it in between, the next response will say so.
            state.unrenewable = pair.id
            log.debug("AlloIncognito tokens: pair %s cannot be renewed yet; still using it", pair.id)
            return pair
        if renewed.id != pair.id:
            # Two processes whose clocks differ must not renew each other's pairs in turn.
            state.postpone_renewal(renewed.lifetime.total_seconds() / 2)
        return renewed
