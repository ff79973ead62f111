"""The bounds that the token protocol's waits are made of."""

from __future__ import annotations

from dataclasses import dataclass

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
