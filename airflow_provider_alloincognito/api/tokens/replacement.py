"""Coming by another token pair: somebody else's, or by ``refresh``, or, as the last resort, by ``create``."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.verdict import Answer
from airflow_provider_alloincognito.api.tokens.pair import TokenPair, read_pair
from airflow_provider_alloincognito.api.tokens.steps import (
    DropClaim,
    Extend,
    Load,
    Lock,
    ReadClaim,
    Save,
    Send,
    Sleep,
    Step,
    Unlock,
    WriteClaim,
)
from airflow_provider_alloincognito.errors import (
    AlloincognitoAuthError,
    AlloincognitoError,
    AlloincognitoResponseError,
    AlloincognitoRotationError,
    AlloincognitoShadowedTokenStoreError,
    AlloincognitoTokenStoreError,
)

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.tokens.keeper import PairKeeper

log = logging.getLogger(__name__)

Flow = Generator[Step, Any, Any]

NO_PAIR = "none"
# Put before a claim's nonce once its holder has learnt that the authorization token is not accepted.
REFUSED = "refused-"
SAVE_TRIES = 5
CONFIRM_TRIES = 2
LOSSES_REMEMBERED = timedelta(hours=1).total_seconds()
LOSSES_THAT_WARN = 3
NOT_ACCEPTED = (
    "AlloIncognito does not accept the authorization token. It may have been remade since, which ends every token "
    "before it. Make one in the personal account (menu 'Виртуальная АТС', section 'Интеграционные API', button "
    "'получить authorization token') and put it into the Connection's password."
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to replace one pair, for a lease."""

    nonce: str
    written_at: float


class Replacement:
    """
    One replacement of one pair, by one process.

    :param keeper: what the process knows.
    :param old: the pair to replace; None if there is none.
    :param rejected_at: when the server rejected it; None if it has not.
    :param deadline: when to give up.
    """

    def __init__(self, keeper: PairKeeper, old: TokenPair | None, rejected_at: float | None, deadline: float) -> None:
        self.saved: TokenPair | None = None
        self._keeper = keeper
        self._old = old
        self._of = old.id if old is not None else NO_PAIR
        self._rejected_at = rejected_at
        self._deadline = deadline
        self._timing = keeper.timing
        self._trouble: AlloincognitoTokenStoreError | None = None
        self._saved_at = 0.0
        self._ended = old is not None and keeper.has_ended(old)
        self._died_early = rejected_at is not None and old is not None and keeper.died_early(old)
        self._mine: str | None = None
        self._claims_seen: list[str | None] = []

    # The two occasions

    def ahead_of_the_end(self) -> Flow:
        """Renew a living pair; gives the new one, somebody else's, the old one if all fails, None if refused."""
        try:
            if self._keeper.exclusive:
                return (yield from self._locked(self._renew))
            return (yield from self._renew())
        except AlloincognitoShadowedTokenStoreError:
            raise
        except AlloincognitoError as error:
            log.info("AlloIncognito tokens: renewal put off: %s", type(error).__name__)
            return self._old

    def _renew(self) -> Flow:
        assert self._old is not None
        stored = yield from self.look()
        if stored is None:
            log.warning("AlloIncognito tokens: renewal put off: the stored pair cannot be read")
            return self._old  # what cannot be saved is not made
        if stored.id != self._old.id:
            return stored
        fresh = yield from self._refresh()
        if fresh is not None:
            fresh = yield from self._save(fresh, "renewed ahead of its end")
        return fresh

    def after_rejection(self) -> Flow:
        """Come by a pair that is not known to be dead."""
        if self._rejected_at is not None and not self._ended:
            # Whoever killed it may be about to save its successor.
            visible = self._rejected_at + self._keeper.rng.random() * self._timing.winner_is_visible
            found = yield from self.look_until(visible)
        else:
            found = yield from self.look()
        if found is not None:
            return found
        return (yield from (self._under_lock() if self._keeper.exclusive else self._by_claim()))

    # With a lock of the store's

    def _under_lock(self) -> Flow:
        while True:
            self._check_patience()
            try:
                pair = yield from self._locked(self._replace)
            except AlloincognitoShadowedTokenStoreError:
                raise
            except AlloincognitoTokenStoreError as error:  # somebody else has the lock, or the store is out of reach
                self._trouble = error
                yield Sleep(self._timing.glance)
                pair = yield from self.look()
            if pair is not None:
                return pair

    def _locked(self, work: Callable[[], Flow]) -> Flow:
        """Those who wait for a lock look at the store meanwhile: most need the lock no more when it is free."""
        yield Lock(self._timing.lease, 0.0)
        self._trouble = None
        try:
            outcome = yield from work()
        except Exception:  # whichever it was, the lock is given back before it goes on
            yield Unlock()
            raise
        yield Unlock()
        return outcome

    def _replace(self) -> Flow:
        """Gives None if the store does not answer: what cannot be saved is not made."""
        pair = yield from self.look()
        if pair is not None or self._trouble is not None:
            return pair
        pair = yield from self._refresh()
        if pair is None:
            yield Extend()
            pair = yield from self._create()
        return (yield from self._save(pair, "replaced under the lock"))

    # With plain reads and writes

    def _by_claim(self) -> Flow:
        while True:
            claim = yield from self._claim()
            if isinstance(claim, TokenPair):
                return claim
            pair = yield from self._refresh()
            if pair is None:
                found = yield from self._last_look()
                if found is not None:
                    return found
                if not (yield from self._still_holds(claim, self._timing.server)):
                    continue
                pair = yield from self._create_by(claim)
            pair = yield from self._save(pair, "replaced by claim")
            self._keeper.confirm_later(self)
            return pair

    def _claim(self) -> Flow:
        """Gives a claim that holds, or a newer pair that turned up meanwhile."""
        watched, watched_since = None, 0.0
        while True:
            self._check_patience()
            try:
                began = self._keeper.clock()
                nonce = yield ReadClaim(self._of)
                self._heed_refusal(nonce)
                if nonce is not None and nonce != watched:
                    watched, watched_since = nonce, self._keeper.clock()
                if nonce in (None, self._mine) or self._keeper.clock() - watched_since >= self._timing.lease:
                    claim, foreign = yield from self._write_claim(began)
                    if claim is not None:
                        return claim
                    watched, watched_since = foreign, self._keeper.clock()
                else:
                    yield Sleep(self._timing.glance)
            except AlloincognitoTokenStoreError as error:
                self._note_trouble(error)
                yield Sleep(self._timing.store)
            found = yield from self.look()
            if found is not None:
                return found

    def _write_claim(self, began: float) -> Flow:
        """Write a claim, wait, read it back; gives it if it holds, and otherwise the nonce in its way."""
        mine = self._mine = secrets.token_hex(8)
        yield WriteClaim(self._of, mine)
        self._trouble = None
        written_at = self._keeper.clock()
        if written_at - began > self._timing.claim_wait:
            # Late: by now somebody else may have read back a claim of his own, and be about to save.
            yield from self.look_until(written_at + self._timing.winner_is_visible)
            return None, mine
        found = yield from self.look_until(written_at + self._timing.claim_wait)
        back = yield ReadClaim(self._of)
        claim = Claim(mine, written_at)
        needed = 2 * self._timing.server + self._timing.store
        if found is None and back == mine and self._lease_left(claim) >= needed:
            return claim, mine
        return None, back

    def _create_by(self, claim: Claim) -> Flow:
        try:
            return (yield from self._create())
        except AlloincognitoAuthError:
            # All who wait for this claim meet the same, but one after the other, and most of them too late.
            with contextlib.suppress(AlloincognitoTokenStoreError):
                yield WriteClaim(self._of, REFUSED + claim.nonce)
            raise

    def _heed_refusal(self, nonce: str | None) -> None:
        """A refusal that was there from the start may be an old one; another has been met just now."""
        self._claims_seen = self._claims_seen or [nonce]
        if nonce is not None and nonce.startswith(REFUSED) and nonce not in self._claims_seen:
            raise AlloincognitoAuthError(NOT_ACCEPTED)

    def _last_look(self) -> Flow:
        """Begun late enough to see the save of whoever won, since ``create`` always kills a pair."""
        since = self._rejected_at if self._rejected_at is not None else float("-inf")
        return (yield from self.look_until(since + self._timing.winner_is_visible))

    def _still_holds(self, claim: Claim, needed: float) -> Flow:
        try:
            nonce = yield ReadClaim(self._of)
        except AlloincognitoTokenStoreError as error:
            self._note_trouble(error)
            return False
        return nonce == claim.nonce and self._lease_left(claim) >= needed

    def _lease_left(self, claim: Claim) -> float:
        return claim.written_at + self._timing.lease - self._keeper.clock()

    def _check_patience(self) -> None:
        if self._keeper.clock() < self._deadline:
            return
        if self._trouble is not None:
            raise self._trouble
        raise AlloincognitoRotationError(
            f"No living token pair was to be had within {self._timing.patience:.0f} s. Another try may succeed; "
            "if it does not, look for tasks or programs that keep replacing the pair."
        )

    # Looking

    def look(self) -> Flow:
        """Read the store; gives its pair if that is news, else None. A store that fails holds no news."""
        try:
            stored = yield Load()
        except AlloincognitoShadowedTokenStoreError:
            raise
        except AlloincognitoTokenStoreError as error:
            self._note_trouble(error)
            return None
        if stored is not None:
            self._trouble = None  # Airflow 3 says "nothing is stored" also when it could not be asked
        if stored is None or not self._keeper.is_news(stored):
            return None
        if self._keeper.pair is None or stored.id != self._keeper.pair.id:
            log.info("AlloIncognito tokens: took pair %s from the store", stored.id)
            self._keeper.adopt(stored, made_here=False)
        return self._keeper.pair

    def look_until(self, moment: float) -> Flow:
        """Look again and again for another pair than the old one; the last look begins at ``moment`` or later."""
        while True:
            left = moment - self._keeper.clock()
            found = yield from self.look()
            if found is not None and found.id != self._of:
                return found
            if left <= 0:
                return None
            yield Sleep(min(self._timing.glance, max(0.0, moment - self._keeper.clock())))

    def _note_trouble(self, error: AlloincognitoTokenStoreError) -> None:
        if self._trouble is None:
            log.warning("AlloIncognito tokens: the token store does not answer; no pair is made meanwhile")
        self._trouble = error

    # Making

    def _refresh(self) -> Flow:
        """Gives a new pair, or None if there is nothing to refresh or the server refused."""
        if self._old is None:
            return None
        settings = self._keeper.settings
        answer: Answer = yield Send(methods.refresh(settings), self._old.refresh_token, is_token_call=True)
        made_at = self._keeper.made_at(answer)
        if answer.status >= 500:
            verdict.raise_for_error("refresh", answer, settings, self._keeper.secrets)
        try:
            return read_pair(answer.body, settings.zone, made_at)
        except AlloincognitoResponseError:
            log.info("AlloIncognito tokens: refresh of pair %s was refused (HTTP %s)", self._of, answer.status)
            return None

    def _create(self) -> Flow:
        settings = self._keeper.settings
        token = self._keeper.authorization_token
        answer: Answer = yield Send(methods.create(settings), token, is_token_call=True)
        made_at = self._keeper.made_at(answer)
        if verdict.token_is_rejected(answer, settings):
            raise AlloincognitoAuthError(NOT_ACCEPTED)
        if answer.envelope is None or verdict.has_error(answer.envelope) or answer.status != 200:
            verdict.raise_for_error("create", answer, settings, self._keeper.secrets)
        return read_pair(answer.body, settings.zone, made_at)

    # Keeping

    def _save(self, fresh: TokenPair, how: str) -> Flow:
        """Store the pair, read it back, and only then use it."""
        fresh = self._with_losses(fresh)
        back: TokenPair | None = None
        for attempt in range(SAVE_TRIES):
            try:
                yield Save(fresh)
                self._saved_at = self._keeper.clock()
                back = yield Load()
            except AlloincognitoShadowedTokenStoreError:
                raise
            except AlloincognitoTokenStoreError as error:
                self._note_trouble(error)
                back = None
            if back is not None and (back.id == fresh.id or (self._keeper.is_news(back) and back.id != self._of)):
                break  # ours, or of somebody who replaced it since
            yield Sleep(self._timing.glance * (attempt + 1))
        else:
            self._unsaved(fresh, back)
        self.saved = fresh
        self._keeper.adopt(fresh, made_here=True)
        log.info("AlloIncognito tokens: pair %s %s: pair %s is stored", self._of, how, fresh.id)
        return self._keeper.pair

    def _unsaved(self, fresh: TokenPair, read_back: TokenPair | None) -> None:
        if read_back is not None:
            raise AlloincognitoShadowedTokenStoreError(
                "A new token pair was stored but something else is read back in its place. The usual cause is a "
                "secrets backend that holds a value under the same key; remove it there."
            )
        log.error(
            "AlloIncognito tokens: pair %s could not be stored. This process goes on with it; others will find "
            "their pair rejected and make another one",
            fresh.id,
        )

    def _with_losses(self, fresh: TokenPair) -> TokenPair:
        if self._old is None:
            return fresh
        now = fresh.obtained_at.timestamp()
        losses = tuple(moment for moment in self._old.losses if now - moment < LOSSES_REMEMBERED)
        if self._died_early:
            losses = (*losses, now)
            if len(losses) >= LOSSES_THAT_WARN:
                log.warning(
                    "AlloIncognito tokens: %d pairs were found dead before their time within an hour. Something "
                    "outside this token store makes pairs with the same authorization token: find it, or give it a "
                    "token of its own",
                    len(losses),
                )
        return replace(fresh, losses=losses)

    def confirm(self) -> Flow:
        """A while after the save, look whether a slower writer has put an older pair over ours, which lives."""
        assert self.saved is not None
        yield Sleep(max(0.0, self._saved_at + self._timing.claim_wait - self._keeper.clock()))
        try:
            for _ in range(CONFIRM_TRIES):
                stored = yield Load()
                if stored is None or stored.id == self.saved.id or stored.obtained_at > self.saved.obtained_at:
                    break
                yield Save(self.saved)
            yield DropClaim(self._of)
        except AlloincognitoTokenStoreError as error:
            self._note_trouble(error)
