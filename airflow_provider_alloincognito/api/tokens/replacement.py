"""
Get another token pair: one that another process stored, or by ``refresh``, or, as the last resort, by ``create``.

When one is needed, after an HTTP 401 or before the end, is decided in ``auth_flow.py``.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.verdict import Answer
from airflow_provider_alloincognito.api.backoff import backoff
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.tokens import steps
from airflow_provider_alloincognito.api.tokens.pair import TokenPair, read_pair
from airflow_provider_alloincognito.api.tokens.state import PairState, UnconfirmedSave
from airflow_provider_alloincognito.api.tokens.steps import Flow
from airflow_provider_alloincognito.errors import (
    AlloincognitoAuthError,
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoError,
    AlloincognitoResponseError,
    AlloincognitoShadowedTokenStoreError,
    AlloincognitoTokenStoreError,
    AlloincognitoTruncatedError,
)

log = logging.getLogger(__name__)

NO_PAIR = "none"
# Prefix of a claim's nonce once its holder has learnt that the authorization token is not accepted.
REFUSED = "refused-"
MAX_SAVES = 5
EARLY_LOSSES_KEPT_FOR = 3600.0
EARLY_LOSSES_TO_WARN = 3
TOKEN_CALL_PATIENCE = 3
NOT_ACCEPTED = (
    "AlloIncognito does not accept the authorization token. First check that it was copied whole, since a new one "
    "invalidates all others. If it was, it may have been remade, which invalidates earlier ones: make a new one in the "
    "personal account (menu 'Виртуальная АТС', section 'Интеграционные API', button 'получить authorization token') "
    "and put it into the Connection's password."
)


class Replacement(ABC):
    """
    One attempt of this process to replace a pair. Subclasses differ in how they keep other processes out meanwhile.

    :param state: what this process knows.
    :param old: the pair to replace; None if there is none.
    :param rejected_at: when the server rejected it; None if it did not.
    :param deadline: when to give up.
    """

    def __init__(self, state: PairState, old: TokenPair | None, rejected_at: float | None, deadline: float) -> None:
        self._state = state
        self._timing = state.timing
        self._old = old
        self._old_id = old.id if old is not None else NO_PAIR
        self._rejected_at = rejected_at
        self._deadline = deadline
        self._has_ended = old is not None and state.has_ended(old)
        self._ended_early = rejected_at is not None and old is not None and state.ended_early(old)
        self._store_error: AlloincognitoTokenStoreError | None = None
        self._failures = 0  # of token calls
        self._first_failure_at = 0.0
        self._saved_at = 0.0

    def renew_early(self) -> Flow:
        """Renew a valid pair. Return the new one, or another process's, or the old one, or None if refused."""
        try:
            return (yield from self._renew())
        except AlloincognitoShadowedTokenStoreError:
            raise
        except AlloincognitoError as error:
            log.debug("AlloIncognito tokens: early renewal postponed: %s", type(error).__name__)
            return self._old

    def _renew(self) -> Flow:
        assert self._old is not None
        stored = yield from self.read_newer_pair()
        if stored is None:
            log.warning("AlloIncognito tokens: early renewal postponed: cannot read the stored pair")
            return self._old  # a pair that could not be saved must not be made
        if stored.id != self._old.id:
            return stored
        fresh = yield from self._refresh()
        return fresh and (yield from self._save(fresh, "is at its end"))

    def find_or_make(self) -> Flow:
        """Return a pair that is not known to be rejected: another process's if there is one, a new one if not."""
        if self._rejected_at is not None and not self._has_ended:
            # The process that invalidated it may be about to save its successor.
            until = self._rejected_at + self._state.rng.random() * self._timing.save_delay
            newer = yield from self.wait_for_newer_pair(until)
        else:
            newer = yield from self.read_newer_pair()
        return newer or (yield from self._replace())

    @abstractmethod
    def _replace(self) -> Flow:
        """Return a new pair, or another process's."""

    def _check_deadline(self) -> None:
        if self._state.clock() >= self._deadline:
            raise self._store_error or self._state.timeout_error

    # Read

    def read_newer_pair(self) -> Flow:
        """Read the store. Return its pair unless that was rejected; None also if the store cannot be read."""
        try:
            stored = yield steps.Load()
        except AlloincognitoTokenStoreError as error:
            self._note_store_error(error)
            return None
        if stored is not None:
            self._store_error = None  # but Airflow 3 says "nothing is stored" also when it cannot read
        if stored is None or self._state.was_rejected(stored):
            return None
        if self._state.pair is None or stored.id != self._state.pair.id:
            reason = f", since pair {self._old_id} was rejected" if self._rejected_at is not None else ""
            log.info("AlloIncognito tokens: took pair %s from the store%s", stored.id, reason)
            self._state.adopt(stored, made_here=False)
        return self._state.pair

    def wait_for_newer_pair(self, until: float) -> Flow:
        """Poll the store for another pair than the old one. The last read begins at ``until`` or later."""
        until = min(until, self._deadline)
        while True:
            is_last = self._state.clock() >= until
            newer = yield from self.read_newer_pair()
            if newer is not None and newer.id != self._old_id:
                return newer
            if is_last:
                return None
            yield steps.Sleep(min(self._timing.poll_interval, max(0.0, until - self._state.clock())))

    def _note_store_error(self, error: AlloincognitoTokenStoreError) -> None:
        if isinstance(error, AlloincognitoShadowedTokenStoreError):
            raise error
        if self._store_error is None:
            log.warning(
                "AlloIncognito tokens: the token store cannot be reached; no pair is made until it can be reached again"
            )
        self._store_error = error

    # Make

    def _attempt(self, work: Callable[[], Flow]) -> Flow:
        """
        Do ``work``, which makes a pair. If the server does not respond, wait before another attempt.

        Another process may make a pair meanwhile, which ``create`` would invalidate.

        :param work: return a pair, or None if another attempt is due.
        """
        try:
            return (yield from work())
        except (AlloincognitoConnectionError, AlloincognitoTruncatedError) as error:
            now = self._state.clock()
            until = min(self._next_attempt_at(error, now), self._deadline)
            newer = yield from self.wait_for_newer_pair(until)
            if newer is None and until >= self._deadline:
                raise
            return newer

    def _next_attempt_at(self, error: AlloincognitoError, now: float) -> float:
        """Return when to make another attempt; raise ``error`` if there should be none."""
        asked = getattr(error, "retry_after", None)
        self._first_failure_at = self._first_failure_at if self._failures else now
        self._failures += 1
        at = now + max(backoff(self._failures, self._state.rng), asked or 0.0)
        # Other requests wait for this one. A server that does not respond, and does not ask to wait, may be down.
        used_up = asked is None and self._failures > 1 and at > self._first_failure_at + self._patience
        is_final = not error.transient or isinstance(error, AlloincognitoBusyError)
        if is_final or used_up or self._failures > self._state.settings.retries:
            raise error
        return at

    @property
    def _patience(self) -> float:
        """The longest that one token call may take, in seconds."""
        return TOKEN_CALL_PATIENCE * self._timing.token_call

    def _send(self, request: ApiRequest, token: str) -> Flow:
        deadline = min(self._deadline, self._state.clock() + self._patience)
        return (yield steps.Send(request, token, is_token_call=True, deadline=deadline))

    def _refresh(self) -> Flow:
        """Return a new pair, or None if there is nothing to refresh or the server refused."""
        if self._old is None:
            return None
        settings = self._state.settings
        answer: Answer = yield from self._send(methods.refresh(settings), self._old.refresh_token)
        made_at = self._state.note_clock(answer)
        if answer.status >= 500:
            verdict.raise_for_error("refresh", answer, settings, self._state.secrets)
        try:
            return read_pair(answer.body, settings.zone, made_at, settings.api_mapping)
        except AlloincognitoResponseError:
            log.debug("AlloIncognito tokens: refresh of pair %s was refused (HTTP %s)", self._old_id, answer.status)
            return None

    def _create(self) -> Flow:
        settings, token = self._state.settings, self._state.authorization_token
        answer: Answer = yield from self._send(methods.create(settings), token)
        made_at = self._state.note_clock(answer)
        if verdict.token_is_rejected(answer, settings):
            raise AlloincognitoAuthError(NOT_ACCEPTED)
        has_error = answer.envelope is None or verdict.has_error(answer.envelope, settings)
        if has_error or not 200 <= answer.status < 300:
            verdict.raise_for_error("create", answer, settings, self._state.secrets)
        return read_pair(answer.body, settings.zone, made_at, settings.api_mapping)

    # Save

    def _save(self, fresh: TokenPair, why: str) -> Flow:
        """
        Store a new pair, and use it only after it was read back.

        :param fresh: the pair.
        :param why: what became of the old one, for the log.
        """
        fresh = self._with_early_losses(fresh)
        stored: TokenPair | None = None
        for attempt in range(MAX_SAVES):
            try:
                yield steps.Save(fresh)
                self._saved_at = self._state.clock()
                stored = yield steps.Load()
            except AlloincognitoTokenStoreError as error:
                self._note_store_error(error)
                stored = None
            if stored is not None and (
                stored.id == fresh.id or (stored.id != self._old_id and not self._state.was_rejected(stored))
            ):
                reason = "there was none" if self._old is None else f"pair {self._old_id} {why}"
                log.info("AlloIncognito tokens: stored a new pair %s, since %s", fresh.id, reason)
                break  # ours, or one of a process that has replaced it since
            yield steps.Sleep(self._timing.poll_interval * (attempt + 1))
        else:
            self._report_unsaved(fresh, stored)
        self._state.adopt(fresh, made_here=True)
        return self._state.pair

    def _report_unsaved(self, fresh: TokenPair, stored: TokenPair | None) -> None:
        if stored is not None:
            raise AlloincognitoShadowedTokenStoreError(
                "A new token pair was stored, but another value is read back, so tasks could not share the pair. The "
                "usual cause is a secrets backend that holds a value under the same key: remove it there."
            )
        log.error(
            "AlloIncognito tokens: could not store pair %s. Only this process has it. The pair that other processes "
            "read from the store is no longer valid, so they will make a new one",
            fresh.id,
        )

    def _with_early_losses(self, fresh: TokenPair) -> TokenPair:
        if self._old is None:
            return fresh
        now = fresh.obtained_at.timestamp()
        losses = tuple(moment for moment in self._old.early_losses if now - moment < EARLY_LOSSES_KEPT_FOR)
        if self._ended_early:
            losses = (*losses, now)
            if len(losses) >= EARLY_LOSSES_TO_WARN:
                log.warning(
                    "AlloIncognito tokens: %d pairs were invalidated before their end within an hour. Another program, "
                    "which does not use this token store, makes pairs with the same authorization token: find it, or "
                    "give it a token of its own",
                    len(losses),
                )
        return replace(fresh, early_losses=losses)


class LockedReplacement(Replacement):
    """Replace a pair while holding the store's lock."""

    def _renew(self) -> Flow:
        return (yield from self._with_lock(super()._renew))

    def _replace(self) -> Flow:
        while True:
            self._check_deadline()
            try:
                pair = yield from self._attempt(lambda: self._with_lock(self._replace_while_locked))
            except AlloincognitoShadowedTokenStoreError:
                raise
            except AlloincognitoTokenStoreError as error:  # another process holds the lock, or the store is down
                self._store_error = error
                yield steps.Sleep(self._timing.poll_interval)
                pair = yield from self.read_newer_pair()
            if pair is not None:
                return pair

    def _with_lock(self, work: Callable[[], Flow]) -> Flow:
        """Do not wait for the lock: a process that polls the store meanwhile seldom needs the lock any more."""
        yield steps.Lock(self._timing.lease, 0.0)
        self._store_error = None
        try:
            outcome = yield from work()
        except Exception:  # whichever it was, the lock is given back before it goes on
            yield steps.Unlock()
            raise
        yield steps.Unlock()
        return outcome

    def _replace_while_locked(self) -> Flow:
        """Return None if the store cannot be read: a pair that could not be saved must not be made."""
        pair = yield from self.read_newer_pair()
        if pair is not None or self._store_error is not None:
            return pair
        pair = yield from self._refresh()
        if pair is None:
            yield steps.Extend()
            pair = yield from self._create()
        return (yield from self._save(pair, "was rejected"))


class ClaimedReplacement(Replacement):
    """Replace a pair while holding a claim on it: plain reads and writes, since the store has no lock."""

    _nonce: str | None = None
    _claimed_at = 0.0
    _nonces_seen: tuple[str | None, ...] = ()

    def _replace(self) -> Flow:
        while True:
            pair = (yield from self._claim()) or (yield from self._attempt(self._make_while_claimed))
            if pair is not None:
                return pair

    def _make_while_claimed(self) -> Flow:
        """Return a new pair, or another process's; None if the claim was lost."""
        fresh = yield from self._refresh()
        if fresh is None:
            newer = yield from self._wait_for_winner()
            if newer is not None:
                return newer
            if not (yield from self._still_holds_claim()):
                return None
            fresh = yield from self._create_by_claim()
        pair = yield from self._save(fresh, "was rejected")
        self._state.unconfirmed = UnconfirmedSave(pair, self._old_id, self._saved_at)
        return pair

    def _claim(self) -> Flow:
        """Return None once this process holds the claim, or a newer pair that another one stored meanwhile."""
        if self._nonce is not None and (yield from self._still_holds_claim()):
            return (yield from self.read_newer_pair())
        watched, watched_since = None, 0.0
        while True:
            self._check_deadline()
            try:
                began = self._state.clock()
                nonce = yield steps.ReadClaim(self._old_id)
                self._check_refused(nonce)
                if nonce is not None and nonce != watched:
                    watched, watched_since = nonce, self._state.clock()
                if nonce in (None, self._nonce) or self._state.clock() - watched_since >= self._timing.lease:
                    is_held, watched = yield from self._write_claim(began)
                    if is_held:
                        return None
                    watched_since = self._state.clock()
                else:
                    yield steps.Sleep(self._timing.poll_interval)
            except AlloincognitoTokenStoreError as error:
                self._note_store_error(error)
                yield steps.Sleep(self._timing.store_call)
            newer = yield from self.read_newer_pair()
            if newer is not None:
                return newer

    def _write_claim(self, began: float) -> Flow:
        """Write a claim, wait, read it back. Return whether it holds, and the nonce that the store holds."""
        nonce = self._nonce = secrets.token_hex(8)
        yield steps.WriteClaim(self._old_id, nonce)
        self._store_error = None
        self._claimed_at = self._state.clock()
        if self._claimed_at - began > self._timing.claim_wait:
            # Too late: by now another process may have read back a claim of its own, and be about to save.
            yield from self.wait_for_newer_pair(self._claimed_at + self._timing.save_delay)
            return False, nonce
        newer = yield from self.wait_for_newer_pair(self._claimed_at + self._timing.claim_wait)
        read_back = yield steps.ReadClaim(self._old_id)
        enough = self._lease_left >= 2 * self._timing.token_call + self._timing.store_call
        return newer is None and read_back == nonce and enough, read_back

    def _create_by_claim(self) -> Flow:
        try:
            return (yield from self._create())
        except AlloincognitoAuthError:
            # Else all processes that wait for this claim would find out one after the other, most of them too late.
            with contextlib.suppress(AlloincognitoTokenStoreError):
                yield steps.WriteClaim(self._old_id, f"{REFUSED}{self._nonce}")
            raise

    def _check_refused(self, nonce: str | None) -> None:
        """Fail if another process has just found that the token is not accepted. What was there before may be old."""
        self._nonces_seen = self._nonces_seen or (nonce,)
        if nonce is not None and nonce.startswith(REFUSED) and nonce not in self._nonces_seen:
            raise AlloincognitoAuthError(NOT_ACCEPTED)

    def _wait_for_winner(self) -> Flow:
        """Wait until a process that made a pair must have saved it, since ``create`` would invalidate that pair."""
        since = self._rejected_at if self._rejected_at is not None else float("-inf")
        return (yield from self.wait_for_newer_pair(since + self._timing.save_delay))

    def _still_holds_claim(self) -> Flow:
        try:
            nonce = yield steps.ReadClaim(self._old_id)
        except AlloincognitoTokenStoreError as error:
            self._note_store_error(error)
            return False
        return nonce == self._nonce and self._lease_left >= self._timing.token_call

    @property
    def _patience(self) -> float:
        return min(super()._patience, max(self._timing.token_call, self._lease_left))

    @property
    def _lease_left(self) -> float:
        return self._claimed_at + self._timing.lease - self._state.clock()
