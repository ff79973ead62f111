"""
Tell the caller from the called where no name does: by the direction of the calls.

Many call one's own few numbers, and are called from them. So the caller varies in incoming calls, the called in
outgoing ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

FEWEST_CALLS = 10
"""In each direction."""
CLEAR = 0.3
"""Of two shares of different numbers, how much they must differ."""

_INCOMING = re.compile(r"in(?!t)|inc|вх|v?k?hod|vhod|i$", re.IGNORECASE)
_OUTGOING = re.compile(r"out|исх|is?k?hod|o$", re.IGNORECASE)


def caller_and_called(
    directions: Sequence[Any], one: Sequence[Any], other: Sequence[Any]
) -> tuple[Sequence[Any], Sequence[Any]] | None:
    """
    Return two columns of numbers as caller and called; None if the calls do not tell.

    :param directions: the direction of each call, in words.
    :param one: a number of each call.
    :param other: the other number of each call.
    """
    first, second = _leaning(directions, one), _leaning(directions, other)
    if first is None or second is None or abs(first - second) < CLEAR:
        return None
    return (one, other) if first > second else (other, one)


def _leaning(directions: Sequence[Any], numbers: Sequence[Any]) -> float | None:
    """Return how much more a column varies in incoming calls than in outgoing ones; None if there are too few."""
    shares = []
    for pattern in (_INCOMING, _OUTGOING):
        found = [
            number
            for direction, number in zip(directions, numbers, strict=True)
            if number and isinstance(direction, str) and pattern.match(direction.strip())
        ]
        if len(found) < FEWEST_CALLS:
            return None
        shares.append(len(set(map(str, found))) / len(found))
    return shares[0] - shares[1]
