"""What the token logic wants done: the words between it, without I/O, and the drivers that do it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from airflow_provider_alloincognito.api.envelope import Envelope
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.token_pair import TokenPair


class Answer(Protocol):
    """What the token logic looks at in an answer."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def server_time(self) -> datetime | None:
        """The stand's clock, from the header ``Date``."""

    @property
    def envelope(self) -> Envelope | None:
        """The envelope as far as it has been read; None if the body is none."""

    @property
    def body(self) -> bytes:
        """The whole body; only of an answer to a token call, or of one that is no success."""


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
