"""How long to wait before a request is sent again: what the server asks for, and a backoff of our own."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECONDS = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]*)?")
LONGEST_BACKOFF = 30.0
SHORTEST_POLL = 0.5
"""Seconds for the last poll of a wait whose deadline has come."""
LONGEST_SENSIBLE_PAUSE = 30 * 86400.0
"""A longer ``Retry-After`` is not meant: it may be a point in time."""


def backoff(failures: int, rng: random.Random) -> float:
    """Return the seconds to wait after so many failures in a row, with jitter."""
    return min(LONGEST_BACKOFF, 2.0 ** min(failures - 1, 10)) * rng.uniform(0.75, 1.0)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """
    Return the seconds that a response asks to wait; None if it does not, or not sensibly.

    :param headers: ``Retry-After``, in seconds or as an HTTP date, which is counted from the response's own ``Date``.
    """
    asked = (headers.get("Retry-After") or "").strip()
    if SECONDS.fullmatch(asked):
        seconds = float(asked)
    else:
        moment, now = http_date(asked), http_date(headers.get("Date")) or datetime.now(UTC)
        seconds = (moment - now).total_seconds() if moment is not None else math.nan
    return max(0.0, seconds) if seconds <= LONGEST_SENSIBLE_PAUSE else None


def http_date(text: str | None) -> datetime | None:
    """Return the moment of an HTTP date; None if it is not one."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
