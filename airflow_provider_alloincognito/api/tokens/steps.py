"""The steps of the token logic: its generators yield them, a transport carries them out and sends the outcome back."""

from __future__ import annotations

import math
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.tokens.pair import TokenPair


@dataclass(frozen=True, slots=True)
class Send:
    """
    Send ``request`` with ``token``. The outcome is its :class:`Answer`, whatever its status.

    A token call is sent once, and given up at ``deadline``: before another attempt the store has to be looked at.
    """

    request: ApiRequest
    token: str = field(repr=False)
    is_token_call: bool = False
    deadline: float = math.inf


@dataclass(frozen=True, slots=True)
class Load:
    """Read the stored pair. The outcome is the pair, or None."""


@dataclass(frozen=True, slots=True)
class Save:
    """Store ``pair``."""

    pair: TokenPair


@dataclass(frozen=True, slots=True)
class ReadClaim:
    """Read the claim on replacing the pair ``pair_id``. The outcome is its nonce, or None."""

    pair_id: str


@dataclass(frozen=True, slots=True)
class WriteClaim:
    """Write a claim on replacing the pair ``pair_id``."""

    pair_id: str
    nonce: str


@dataclass(frozen=True, slots=True)
class DropClaim:
    """Remove the claim on a pair that has been replaced."""

    pair_id: str


@dataclass(frozen=True, slots=True)
class Lock:
    """Take the store's lock for ``lease`` seconds; fail if it is not free within ``timeout`` seconds."""

    lease: float
    timeout: float


@dataclass(frozen=True, slots=True)
class Extend:
    """Hold the lock for a whole lease from now on; fail if it is no longer held."""


@dataclass(frozen=True, slots=True)
class Unlock:
    """Release the lock."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait for ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Join:
    """Wait until another thread or event loop of this process settles ``future``, at most ``timeout`` seconds."""

    future: Future[TokenPair]
    timeout: float


StoreStep = Load | Save | ReadClaim | WriteClaim | DropClaim | Lock | Extend | Unlock
Step = Send | StoreStep | Sleep | Join
Flow = Generator[Step, Any, Any]
