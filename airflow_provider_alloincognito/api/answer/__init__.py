"""A value inside the envelope that is too large to be held: what rows and a recording have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

P_co = TypeVar("P_co", covariant=True)


class LargeValue(ABC, Generic[P_co]):
    """
    Is fed the bytes that follow the value's opening ``[`` or ``"``, and gives pieces of it.

    :param window: as many bytes are gathered before they are looked at.
    """

    def __init__(self, window: int) -> None:
        self.rest: bytes | None = None
        """Once the value has ended: what follows it, from its closing ``]`` or ``"`` on."""
        self._pending = bytearray()
        self._due = window

    def feed(self, data: bytes, *, last: bool = False) -> Sequence[P_co]:
        """
        Take the next bytes, cut anywhere.

        :param data: what follows the bytes fed before.
        :param last: no more bytes will come.
        """
        self._pending += data
        return self._take() if last or len(self._pending) >= self._due else []

    @property
    @abstractmethod
    def best_chunk(self) -> int:
        """How many bytes to feed it next, to be fastest."""

    @property
    def has_content(self) -> bool:
        """Whether something of the value is there, though no piece of it may be complete."""
        return bytes(self._pending.lstrip()[:1]) not in (b"", b"]", b'"')

    @abstractmethod
    def _take(self) -> Sequence[P_co]:
        """Remove all that is complete from the pending bytes, and set ``rest`` if the value ends in them."""
