"""
The API's response, read as it arrives.

Here: :class:`LargeValue`, the base class of the two readers of values that are too large to hold in memory: the rows
(``rows.py``) and a recording (``recording.py``). ``envelope.py`` feeds them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

P_co = TypeVar("P_co", covariant=True)


class LargeValue(ABC, Generic[P_co]):
    """
    Reader of one array or string of the envelope, from the bytes after its opening ``[`` or ``"``.

    :param block: how many bytes to gather before they are parsed.
    """

    def __init__(self, block: int) -> None:
        self.rest: bytes | None = None
        """Once the value has ended: the bytes after it, from its closing ``]`` or ``"`` on."""
        self._pending = bytearray()
        self._threshold = block

    def feed(self, data: bytes, *, last: bool = False) -> Sequence[P_co]:
        """
        Add the next bytes, cut anywhere, and return the pieces that are complete.

        :param data: what follows the bytes fed before.
        :param last: no more bytes will come.
        """
        self._pending += data
        return self._parse_pending() if last or len(self._pending) >= self._threshold else []

    @property
    @abstractmethod
    def best_chunk(self) -> int:
        """The number of bytes to feed next that is read fastest."""

    @property
    def has_content(self) -> bool:
        """Whether the value is not empty, although no piece of it may be complete."""
        return bytes(self._pending.lstrip()[:1]) not in (b"", b"]", b'"')

    @abstractmethod
    def _parse_pending(self) -> Sequence[P_co]:
        """Remove all complete pieces from the pending bytes, and set ``rest`` if the value ends in them."""
