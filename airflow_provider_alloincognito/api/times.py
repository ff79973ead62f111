"""Convert between the API's times, texts without a zone, and aware datetimes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pendulum

YEAR_AND_MONTH = re.compile(r"\s*\d{4}-?\d\d")
API_FORMAT = "%Y-%m-%d %H:%M:%S"
OWN_DIRECTIVE = re.compile(r"%(?:s|:z|.)", re.DOTALL)
RUSSIAN_DATE = re.compile(r"\s*(\d\d)\.(\d\d)\.(\d{4})")
# Seconds since the epoch are from the years 1973 to 5138, milliseconds from 1973 to 2286. A smaller number is no time
# (but a duration, or a date such as 20250602), nor is a larger one (20250602120000).
EPOCH_SECONDS = range(100_000_000, 100_000_000_000)
EPOCH_MILLISECONDS = range(100_000_000_000, 10_000_000_000_000)


def to_api(moment: datetime, zone: tzinfo, time_format: str = API_FORMAT) -> str:
    """
    Format an aware moment as the API does, in its own zone.

    :param moment: the moment.
    :param zone: the API's.
    :param time_format: by default ``yyyy-mm-dd hh:mm:ss``; as for ``strftime``, and ``%s`` is the seconds since the
        epoch, ``%:z`` an offset with a colon.
    """
    local = moment.astimezone(zone)
    # Of Python's own, %s takes the machine's zone, and Python 3.11 does not have the other.
    offset = local.strftime("%z")
    own = {"%s": str(int(moment.timestamp())), "%:z": f"{offset[:3]}:{offset[3:5]}"}
    return local.strftime(OWN_DIRECTIVE.sub(lambda found: own.get(found[0], found[0]), time_format))


def parse_moment(value: datetime | str, zone: ZoneInfo) -> datetime:
    """
    Parse a time from a DAG author.

    :param value: a datetime, or a text in ISO 8601 or ``yyyy-mm-dd hh:mm:ss``.
    :param zone: the zone of a value without one.
    :return: the aware moment, in whole seconds.
    :raises ValueError: if it is not a point in time, or has no date (pendulum would assume today).
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
    Parse a time from the API, whose text does not describe the format.

    :param value: ISO 8601, ``yyyy-mm-dd hh:mm:ss``, ``dd.mm.yyyy hh:mm:ss``, or epoch seconds or milliseconds (all
        assumed).
    :param zone: the zone of a value without one.
    :param fold: 1 for the second of the two moments of a text in the hour that its zone repeats.
    :return: the aware moment in UTC; None if the value is not such a time.
    """
    try:
        number = float(str(value))
    except ValueError:
        return _parse_text(str(value), zone, fold)
    if EPOCH_SECONDS.start <= number < EPOCH_SECONDS.stop:
        return datetime.fromtimestamp(number, UTC)
    if EPOCH_MILLISECONDS.start <= number < EPOCH_MILLISECONDS.stop:
        return datetime.fromtimestamp(number / 1000, UTC)
    return None


def is_ambiguous(moment: datetime, zone: ZoneInfo) -> bool:
    """
    Return whether a time without a zone could be two moments: in the hour that a zone repeats, and in one it skips.

    :param moment: aware.
    :param zone: the API's.
    """
    local = moment.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def iso_date(text: str) -> str:
    """Return a text that begins with a date as ``dd.mm.yyyy`` with that date as ``yyyy-mm-dd``."""
    return RUSSIAN_DATE.sub(r"\3-\2-\1", text, count=1) if RUSSIAN_DATE.match(text) else text


def _parse_text(text: str, zone: ZoneInfo, fold: int) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(iso_date(text).strip())
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone, fold=fold)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
