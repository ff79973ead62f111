"""What values look like: times, lengths of time, phone numbers, directions, ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.api.times import parse_api_time

MOST_DIRECTIONS = 8
LONGEST_CALL = 2 * 24 * 3600
"""In seconds. A larger number is no length of a call, unless it is in milliseconds."""
SHORTEST_ID = 8
FEWEST_COUNTED, CLOSE = 5, 1000
FIRST_YEAR = 2000

_CLOCK = re.compile(r"(\d{1,3}:)?[0-5]?\d:[0-5]\d(\.\d+)?")
_WHOLE = re.compile(r"\d{1,9}")
_NUMBER = re.compile(r"\+?\d(?:[\s().-]*\d){6,14}")
_SHORT_NUMBER = re.compile(r"\d{2,6}")
_SIP = re.compile(r"(?:(?:sip|tel):)?\+?[\w.-]+@[\w.:-]+|(?:sip|tel):\+?\d+", re.IGNORECASE)
_CALLER_ID = re.compile(r'"?[^"<>]*"?\s*<\+?\d+>')  # Asterisk's: "Name" <79160000000>
_WAY = re.compile(
    r"in|out|inc|outg|(in|out)[ _-]?(bound|going|coming|call|ternal|ner)?|incoming|internal|local|callback|"
    r"вх|исх|вн|вход\w*|исход\w*|внутр\w*|v?k?hod\w*|vhod\w*|is?k?hod\w*|vnutr\w*|missed|пропущ\w*|o|i|client_in",
    re.IGNORECASE,
)
_ID = re.compile(r"[\w.:/+=@-]+", re.ASCII)


_UTC = ZoneInfo("UTC")


def present(values: Iterable[Any]) -> list[Any]:
    """Return the values that say something: not null, and no empty text."""
    return [value for value in values if value is not None and value != ""]


def present_ids(values: Iterable[Any]) -> list[str]:
    """Return the values that may be an id, as texts: without those that stand for none."""
    from airflow_provider_alloincognito.landing.formats import usable_ids

    return list(usable_ids(present(values)))


def are_times(values: Sequence[Any]) -> bool:
    """Whether all are points in time that the landing can read, of this century."""
    return _all(values, lambda value: _moment(value) is not None)


def are_dates_only(values: Sequence[Any]) -> bool:
    """Whether all are dates without a time of day."""
    return _all(values, lambda value: isinstance(value, str) and re.fullmatch(r"[\d.-]{10}", value) is not None)


def moments(values: Sequence[Any]) -> list[datetime | None]:
    """Return each value as a moment, as if the times were in UTC; None for what is no time."""
    return [_moment(value) for value in values]


def are_lengths(values: Sequence[Any]) -> bool:
    """Whether all may be lengths of calls: small numbers, or ``hh:mm:ss``."""
    return _all(values, lambda value: are_clocks([value]) or _small_number(value))


def are_clocks(values: Sequence[Any]) -> bool:
    """Whether all are written as ``hh:mm:ss`` or ``mm:ss``."""
    return _all(values, lambda value: isinstance(value, str) and _CLOCK.fullmatch(value.strip()) is not None)


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether all are phone numbers or extensions, at least one of them a phone number in full."""
    texts = [str(value).strip() for value in values if not isinstance(value, bool)]
    if len(texts) < len(values) or are_times(values) or _are_counted(texts):
        return False
    full = [is_phone_number(text) or _CALLER_ID.fullmatch(text) is not None for text in texts]
    return any(full) and all(
        is_full or _SHORT_NUMBER.fullmatch(text) or _SIP.fullmatch(text)
        for is_full, text in zip(full, texts, strict=True)
    )


def have_names(values: Sequence[Any]) -> bool:
    """Whether some are a name with a number, as Asterisk writes a caller id."""
    return any(_CALLER_ID.fullmatch(str(value).strip()) for value in values)


def is_phone_number(text: str) -> bool:
    """Whether a text has the form of a phone number of 7 to 15 digits."""
    return _NUMBER.fullmatch(text) is not None


def are_ways(values: Sequence[Any]) -> bool:
    """Whether all are words for the direction of a call, in English or Russian, and more than one of them."""
    words = {value.strip().casefold() for value in values if isinstance(value, str)}
    return 1 < len(words) <= MOST_DIRECTIONS and _all(
        values, lambda value: isinstance(value, str) and _WAY.fullmatch(value.strip()) is not None
    )


def are_codes(values: Sequence[Any]) -> bool:
    """Whether all are of few small whole numbers, or of few words: an enumeration."""
    return len({str(value) for value in values}) <= MOST_DIRECTIONS and _all(
        values,
        lambda value: (
            isinstance(value, bool)
            or (isinstance(value, int) and 0 <= value < 100)
            or (isinstance(value, str) and len(value) <= 24 and not is_phone_number(value))
        ),
    )


def are_ids(values: Sequence[Any]) -> bool:
    """Whether all may be ids: texts without spaces, or whole numbers, most of them different, and no times."""
    is_id = _all(
        values,
        lambda value: isinstance(value, str | int) and not isinstance(value, bool) and _ID.fullmatch(str(value)),
    )
    # The parts of a transferred call may share an id.
    return is_id and 2 * len({str(value) for value in values}) > len(values) and not _are_dates(values)


def are_long_ids(values: Sequence[Any]) -> bool:
    """Whether all are different ids that cannot be a counter or a phone number: UUIDs, or names of files."""
    if not are_ids(values) or len({str(value) for value in values}) < len(values):
        return False
    return _all(values, lambda value: len(str(value)) >= SHORTEST_ID and not is_phone_number(str(value)))


def are_whole(values: Sequence[Any]) -> bool:
    """Whether all are whole numbers, be it as texts."""
    return _all(values, lambda value: not isinstance(value, bool) and _WHOLE.fullmatch(str(value)) is not None)


def _are_counted(texts: Sequence[str]) -> bool:
    """Whether all are different numbers that lie close to each other, as a counter gives them, if with some leaps."""
    if len(set(texts)) < max(len(texts), FEWEST_COUNTED) or not all(text.isdigit() for text in texts):
        return False
    gaps = [later - number for number, later in pairwise(sorted(map(int, texts)))]
    # Some counters begin anew each day: of calls around midnight, their numbers have a leap.
    return sum(gap >= CLOSE for gap in gaps) <= len(gaps) // FEWEST_COUNTED


def _are_dates(values: Sequence[Any]) -> bool:
    """Whether all are times as people write them: Asterisk's ids begin with seconds since the epoch."""
    return are_times(values) and _all(values, lambda value: re.search(r"\d[-:]\d|\d\.\d\d\.", str(value)))


def _all(values: Sequence[Any], fits: Callable[[Any], object]) -> bool:
    return bool(values) and all(fits(value) for value in values)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    moment = parse_api_time(value, _UTC)
    if moment is None or not moment.year >= FIRST_YEAR or moment > datetime.now(UTC) + timedelta(days=366):
        return None  # a phone number is as long as seconds since the epoch, but of another age
    return moment


def _small_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and 0 <= float(value) <= LONGEST_CALL
    except (TypeError, ValueError):
        return False
