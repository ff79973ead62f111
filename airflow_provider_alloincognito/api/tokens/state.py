"""What one process knows of its token pair, by its own clock, and how long the protocol waits. No I/O."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_alloincognito.api.answer.verdict import Answer
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.errors import AlloincognitoRotationError

LONGEST_WAIT = 30.0
MAX_REJECTED_IDS = 256
MAX_RENEWAL_MARGIN = 600.0
# A pair younger than this, and than half its life, that meets 403 is taken to lack a right, not to be invalid.
YOUNG = timedelta(minutes=1)
# A smaller difference to the server's clock is only the header's whole seconds and the time on the network.
MIN_CLOCK_SKEW = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Timing:
    """
    The protocol's waits, in seconds (``docs/tokens.md``). A bound that is exceeded costs a rotation, never data.

    :param store_call: D, the longest that one call to the token store usually takes.
    :param token_call: S, the longest that one ``create`` or ``refresh`` usually takes.
    """

    store_call: float
    token_call: float

    @property
    def claim_wait(self) -> float:
        """From writing a claim to reading it back. By then every claim written at the same time is visible."""
        return 2 * self.store_call

    @property
    def lease(self) -> float:
        """How long a claim or a lock keeps other processes out, by each one's own clock."""
        return 6 * self.store_call + 2 * self.token_call

    @property
    def save_delay(self) -> float:
        """From a rejection until the new pair that caused it is in the store."""
        return self.token_call + self.store_call

    @property
    def longest_wait(self) -> float:
        """How long a request waits for a pair: long enough for the claim of a killed process to run out."""
        return max(LONGEST_WAIT, self.lease + 8 * self.store_call + 3 * self.token_call)

    @property
    def poll_interval(self) -> float:
        """From one read of the store to the next."""
        return self.store_call / 4


@dataclass(frozen=True, slots=True)
class UnconfirmedSave:
    """A pair that was saved without a lock: a slower process may still overwrite it."""

    pair: TokenPair
    replaced_id: str
    saved_at: float


class PairState:
    """
    What one process knows of its token pair. Its threads share it.

    The parameters are those of :class:`~airflow_provider_alloincognito.api.tokens.auth_flow.PairKeeper`.
    """

    def __init__(
        self,
        settings: Settings,
        authorization_token: str,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        rng: random.Random,
    ) -> None:
        self.settings = settings
        self.authorization_token = authorization_token
        self.timing = Timing(settings.pair_store_seconds, settings.pair_request_seconds)
        self.clock = clock
        self.rng = rng
        self.pair: TokenPair | None = None
        self.unconfirmed: UnconfirmedSave | None = None
        self.unrenewable: str | None = None  # the id of a pair that the server does not renew before its end
        self.accepted_at = float("-inf")
        self.accepted_methods: set[str] = set()
        self._now = now
        self._skew: timedelta | None = None
        self._guard = threading.Lock()
        self._rejected: deque[str] = deque(maxlen=MAX_REJECTED_IDS)
        self._earliest_end = float("-inf")
        self._latest_end = float("inf")
        self._renewal_margin = 0.0
        self._no_renewal_until = float("-inf")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The tokens in use, to keep them out of errors."""
        pair = self.pair
        tokens = (pair.access_token, pair.refresh_token) if pair is not None else ()
        return (self.authorization_token, *tokens)

    @property
    def timeout_error(self) -> AlloincognitoRotationError:
        """The error for a request that has waited too long."""
        return AlloincognitoRotationError(
            f"Could not get a valid token pair within {self.timing.longest_wait:.0f} s. Another try may succeed; if it "
            "does not, look for tasks or programs that keep replacing the pair."
        )

    def adopt(self, pair: TokenPair, *, made_here: bool) -> None:
        """Use ``pair`` from now on. The process that made it renews it first, the others a little later."""
        if self.pair is not None and self.pair.id == pair.id:
            return
        lifetime = pair.lifetime.total_seconds()
        margin = self.settings.refresh_before_expiry
        if margin is None:
            margin = min(lifetime / 10, MAX_RENEWAL_MARGIN)
        margin *= self.rng.uniform(1.1, 1.3) if made_here else self.rng.uniform(1.0, 1.1)
        with self._guard:
            self._latest_end = self.clock() + lifetime
            # It was made after the pair before it was last accepted, since only one is valid at a time.
            self._earliest_end = self._latest_end if made_here else self.accepted_at + lifetime
            self._renewal_margin = margin
            self.pair = pair

    def note_rejected(self, pair: TokenPair) -> None:
        """Never use ``pair`` again."""
        self._rejected.append(pair.id)

    def was_rejected(self, pair: TokenPair) -> bool:
        """Whether the server rejected ``pair``. A pair that it did not reject counts as newer than one that it did."""
        return pair.id in self._rejected

    # When the pair ends, and when to renew it

    def is_due(self, pair: TokenPair) -> bool:
        """Whether it is time to renew ``pair``, as far as clocks can tell."""
        now = self.clock()
        return (
            pair is self.pair
            and now >= self._ends_at - self._renewal_margin
            and now >= self._no_renewal_until
            and pair.id != self.unrenewable
        )

    def postpone_renewal(self, seconds: float) -> None:
        """Renew no pair ahead of its end for ``seconds``."""
        self._no_renewal_until = self.clock() + seconds

    def is_young(self, pair: TokenPair) -> bool:
        """Whether ``pair`` was made just now and has not ended."""
        age = abs(self._server_now() - pair.obtained_at)
        return age < min(YOUNG, pair.lifetime / 2) and not self.has_ended(pair)

    def has_ended(self, pair: TokenPair) -> bool:
        """Whether ``pair``'s access token has ended, as far as clocks can tell."""
        return pair is self.pair and self.clock() >= self._ends_at

    def ended_early(self, pair: TokenPair) -> bool:
        """Whether another program invalidated ``pair``, which was rejected; False where that cannot be told."""
        end = self._earliest_end if self._skew is None else self._ends_at
        renewed_from = end - max(self._renewal_margin, MIN_CLOCK_SKEW.total_seconds())
        return pair is self.pair and self.clock() < renewed_from

    @property
    def _ends_at(self) -> float:
        """The end by the pair's own times, which come from another clock, within what this process's clock allows."""
        if self._skew is None or self.pair is None:
            return self._latest_end
        left = self.pair.access_expires_at - self._server_now()
        return min(max(self.clock() + left.total_seconds(), self._earliest_end), self._latest_end)

    def note_clock(self, answer: Answer) -> datetime:
        """Learn the server's clock from a response, and return the time by it."""
        if answer.server_time is not None:
            skew = answer.server_time - self._now()
            self._skew = skew if abs(skew) > MIN_CLOCK_SKEW else timedelta()
        return self._server_now()

    def _server_now(self) -> datetime:
        return self._now() + (self._skew or timedelta())
