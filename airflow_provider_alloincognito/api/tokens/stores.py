"""What the token logic needs of a store, and the plainest one."""

from __future__ import annotations

from typing import Any, Protocol

from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.api.tokens.steps import (
    DropClaim,
    Extend,
    Load,
    Lock,
    ReadClaim,
    Save,
    StoreStep,
    Unlock,
    WriteClaim,
)


class TokenStore(Protocol):
    """
    Keeps one authorization token's pair. Every method raises ``AlloincognitoTokenStoreError`` if it cannot.

    A store that is ``exclusive`` has the lock and no claims; another has the claims and no lock.
    """

    exclusive: bool

    def load(self) -> TokenPair | None:
        """The stored pair."""

    def save(self, pair: TokenPair) -> None:
        """Put ``pair`` in the stored one's place."""

    def read_claim(self, of: str) -> str | None:
        """The nonce of the claim on replacing the pair ``of``."""

    def write_claim(self, of: str, nonce: str) -> None:
        """Claim the right to replace the pair ``of``."""

    def drop_claim(self, of: str) -> None:
        """Remove the claim on a pair that has been replaced."""

    def lock(self, lease: float, timeout: float) -> None:
        """Take the lock for ``lease`` seconds; wait ``timeout`` seconds for it."""

    def extend(self) -> None:
        """Hold the lock for a lease more."""

    def unlock(self) -> None:
        """Give the lock back, if it is held."""


def perform(store: TokenStore, step: StoreStep) -> Any:
    """Do what the token logic wants of the store."""
    match step:
        case Load():
            return store.load()
        case Save(pair):
            return store.save(pair)
        case ReadClaim(of):
            return store.read_claim(of)
        case WriteClaim(of, nonce):
            return store.write_claim(of, nonce)
        case DropClaim(of):
            return store.drop_claim(of)
        case Lock(lease, timeout):
            return store.lock(lease, timeout)
        case Extend():
            return store.extend()
        case Unlock():
            return store.unlock()


class MemoryTokenStore:
    """
    Shares nothing beyond the process, for scripts and tests: whoever uses it cuts off everybody else.

    The process' own threads are told apart by the keeper already, so the lock has nothing to do.
    """

    exclusive = True

    def __init__(self) -> None:
        self._pair: TokenPair | None = None

    def load(self) -> TokenPair | None:
        """The stored pair."""
        return self._pair

    def save(self, pair: TokenPair) -> None:
        """Keep ``pair`` as long as the process lives."""
        self._pair = pair

    def read_claim(self, of: str) -> str | None:
        """No claims: the store is exclusive."""
        raise NotImplementedError

    def write_claim(self, of: str, nonce: str) -> None:
        """No claims: the store is exclusive."""
        raise NotImplementedError

    def drop_claim(self, of: str) -> None:
        """No claims: the store is exclusive."""
        raise NotImplementedError

    def lock(self, lease: float, timeout: float) -> None:
        """Nobody to lock out."""

    def extend(self) -> None:
        """Nobody to lock out."""

    def unlock(self) -> None:
        """Nobody to lock out."""
