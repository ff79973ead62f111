"""What the token logic wants done: the words between it, without I/O, and the drivers that do it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.tokens.pair import TokenPair

LONGEST_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class Timing:
    """
    Waits of the protocol (``docs/tokens.md``). A bound that is broken costs a needless rotation, never data.

    :param store: D, bound on one call to the store, in seconds.
    :param server: S, usual bound on one ``create`` or ``refresh``, in seconds.
    """

    store: float
    server: float

    @property
    def claim_wait(self) -> float:
        """From writing a claim to reading it back: whoever wrote at the same time has been seen by then."""
        return 2 * self.store

    @property
    def lease(self) -> float:
        """How long a claim or lock keeps others out, each by its own clock."""
        return 6 * self.store + 2 * self.server

    @property
    def winner_is_visible(self) -> float:
        """From a rejection until the pair that caused it must be in the store."""
        return self.server + self.store

    @property
    def patience(self) -> float:
        """How long a request waits for a pair: a dead holder's claim can run out within it."""
        return max(LONGEST_WAIT, self.lease + 8 * self.store + 3 * self.server)

    @property
    def glance(self) -> float:
        """From one look at the store to the next."""
        return self.store / 4


@dataclass(frozen=True, slots=True)
class Send:
    """Send ``request`` with ``token``; gives its :class:`Answer`, whatever its status."""

    request: ApiRequest
    token: str = field(repr=False)
    is_token_call: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """Read the stored pair; gives it, or None."""


@dataclass(frozen=True, slots=True)
class Save:
    """Store a pair."""

    pair: TokenPair


@dataclass(frozen=True, slots=True)
class ReadClaim:
    """Read the claim on replacing the pair ``of``; gives its nonce, or None."""

    of: str


@dataclass(frozen=True, slots=True)
class WriteClaim:
    """Write the claim on replacing the pair ``of``."""

    of: str
    nonce: str


@dataclass(frozen=True, slots=True)
class DropClaim:
    """Remove a claim that no longer matters."""

    of: str


@dataclass(frozen=True, slots=True)
class Lock:
    """Take the store's own lock, or raise after ``timeout`` seconds."""

    lease: float
    timeout: float


@dataclass(frozen=True, slots=True)
class Extend:
    """Make sure that the lock is still held, and for a whole lease more."""


@dataclass(frozen=True, slots=True)
class Unlock:
    """Give the lock back."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Join:
    """Wait for another thread or loop of this process to settle ``flight``, or for ``timeout`` seconds."""

    flight: Future[TokenPair]
    timeout: float


StoreStep = Load | Save | ReadClaim | WriteClaim | DropClaim | Lock | Extend | Unlock
Step = Send | StoreStep | Sleep | Join
