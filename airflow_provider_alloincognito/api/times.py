"""The API's naive texts on one side, aware datetimes on the other."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pendulum

YEAR_AND_MONTH = re.compile(r"\s*\d{4}-?\d\d")
API_FORMAT = "%Y-%m-%d %H:%M:%S"
# Above this, a number of seconds since the epoch would lie in the year 5138: it is milliseconds.
LARGEST_EPOCH_SECONDS = 100_000_000_000


def to_api(moment: datetime, zone: ZoneInfo) -> str:
    """Write an aware ``moment`` as the API does: ``yyyy-mm-dd hh:mm:ss`` in its own zone, whole seconds."""
    return moment.astimezone(zone).strftime(API_FORMAT)


def parse_moment(value: datetime | str, zone: ZoneInfo) -> datetime:
    """
    Read a time that a DAG author gave.

    :param value: a datetime, or a text in ISO 8601 or ``yyyy-mm-dd hh:mm:ss``.
    :param zone: the zone of a value that names none.
    :raises ValueError: if it is no time, or one without a date, which would mean today.
    """
    if isinstance(value, str):
        if not YEAR_AND_MONTH.match(value):
            raise ValueError("no date")
        parsed = pendulum.parse(value.strip(), tz=zone.key)
        if not isinstance(parsed, datetime):
            raise ValueError("not a point in time")
        value = parsed
    if not isinstance(value, datetime):
        raise ValueError("not a point in time")
    moment = value if value.tzinfo else value.replace(tzinfo=zone)
    return moment.replace(microsecond=0)


def parse_api_time(value: object, zone: ZoneInfo, *, fold: int = 0) -> datetime | None:
    """
    Read a time that the API gave, in a format that its text leaves open (assumed).

    ISO 8601, ``yyyy-mm-dd hh:mm:ss`` in the API's zone, and epoch seconds or milliseconds are understood.

    :param fold: 1 for the second of the two moments that a text means in the hour that its zone repeats.
    :return: the aware moment in UTC, or None if the value cannot be read.
    """
    try:
        number = float(str(value))
    except ValueError:
        return _parse_text(str(value), zone, fold)
    if not 0 < number < LARGEST_EPOCH_SECONDS * 1000:
        return None
    return datetime.fromtimestamp(number / 1000 if number > LARGEST_EPOCH_SECONDS else number, UTC)


def _parse_text(text: str, zone: ZoneInfo, fold: int) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text.strip())
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone, fold=fold)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
