"""The two kinds of token store, with a lock or with claims, and the simplest one."""

from __future__ import annotations

from typing import Any, Protocol, cast, runtime_checkable

from airflow_provider_alloincognito.api.tokens import steps
from airflow_provider_alloincognito.api.tokens.pair import TokenPair


class TokenStore(Protocol):
    """
    Keeps the pair of one authorization token. Every store is of one of the two kinds below.

    All methods raise :class:`AlloincognitoTokenStoreError` if the store cannot be read or written.
    """

    def load(self) -> TokenPair | None:
        """Return the stored pair, or None."""

    def save(self, pair: TokenPair) -> None:
        """Store ``pair`` in place of the one before."""


@runtime_checkable
class LockingTokenStore(TokenStore, Protocol):
    """A store whose lock keeps other processes out while the pair is replaced."""

    def lock(self, lease: float, timeout: float) -> None:
        """Take the lock for ``lease`` seconds; fail if it is not free within ``timeout`` seconds."""

    def extend(self) -> None:
        """Hold the lock for a whole lease from now on; fail if it is no longer held."""

    def unlock(self) -> None:
        """Release the lock if it is held."""


@runtime_checkable
class ClaimingTokenStore(TokenStore, Protocol):
    """A store without a lock: a process claims the right to replace a pair by writing its nonce."""

    def read_claim(self, pair_id: str) -> str | None:
        """Return the nonce of the claim on replacing the pair ``pair_id``, or None."""

    def write_claim(self, pair_id: str, nonce: str) -> None:
        """Claim the right to replace the pair ``pair_id``."""

    def drop_claim(self, pair_id: str) -> None:
        """Remove the claim on a pair that has been replaced."""


def perform(store: TokenStore, step: steps.StoreStep) -> Any:
    """Carry out a step on the store. A keeper yields only the steps of the kind of store that it was made for."""
    locking, claiming = cast(LockingTokenStore, store), cast(ClaimingTokenStore, store)
    match step:
        case steps.Load():
            return store.load()
        case steps.Save(pair):
            return store.save(pair)
        case steps.Lock(lease, timeout):
            return locking.lock(lease, timeout)
        case steps.Extend():
            return locking.extend()
        case steps.Unlock():
            return locking.unlock()
        case steps.ReadClaim(pair_id):
            return claiming.read_claim(pair_id)
        case steps.WriteClaim(pair_id, nonce):
            return claiming.write_claim(pair_id, nonce)
        case steps.DropClaim(pair_id):
            return claiming.drop_claim(pair_id)


class MemoryTokenStore:
    """
    Keeps the pair in this process only, for scripts and tests: making one invalidates every other process's pair.

    The lock does nothing, since the keeper already lets one thread at a time replace the pair.
    """

    def __init__(self) -> None:
        self._pair: TokenPair | None = None

    def load(self) -> TokenPair | None:
        """Return the stored pair, or None."""
        return self._pair

    def save(self, pair: TokenPair) -> None:
        """Keep ``pair`` until the process ends."""
        self._pair = pair

    def lock(self, lease: float, timeout: float) -> None:
        """Do nothing."""

    def extend(self) -> None:
        """Do nothing."""

    def unlock(self) -> None:
        """Do nothing."""
