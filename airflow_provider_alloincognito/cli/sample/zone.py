"""
Find out the zone of the server's times, which carry none.

- ``callTime`` of a response against its header ``Date``: one moment, in the API's zone and in UTC.
- The newest call against now: it has begun a short time ago. The period asked for must reach into the future for that,
  since a server lists only what is inside it, in its own zone.
- Starts that carry a zone, against the period asked for: how far the server was off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.api.times import parse_api_time

STEP = timedelta(minutes=30)
TOLERANCE = timedelta(minutes=3)
QUIET = timedelta(minutes=12)
"""The longest time since the newest call that still tells the zone."""
FIRST, LAST = timedelta(hours=-12), timedelta(hours=14)
# Russia's zones first: none of them has summer time.
ZONES = (
    "Europe/Moscow",
    "Europe/Kaliningrad",
    "Europe/Samara",
    "Asia/Yekaterinburg",
    "Asia/Omsk",
    "Asia/Krasnoyarsk",
    "Asia/Irkutsk",
    "Asia/Yakutsk",
    "Asia/Vladivostok",
    "Asia/Magadan",
    "Asia/Kamchatka",
    "UTC",
)
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class ZoneClue:
    """
    What one comparison says.

    :param offset: the zone's distance from UTC.
    :param why: what was compared.
    """

    offset: timedelta
    why: str


def zone_at(offset: timedelta, configured: ZoneInfo, now: datetime) -> str | None:
    """Return the IANA zone to propose for an offset: the configured one if it has it; None if none is known."""
    for name in (configured.key, *ZONES):
        if now.astimezone(ZoneInfo(name)).utcoffset() == offset:
            return name
    hours = offset / timedelta(hours=1)
    return f"Etc/GMT{-hours:+.0f}" if hours == int(hours) else None  # its signs are the other way round


def clue_of_call_time(call_time: object, server_time: datetime | None) -> ZoneClue | None:
    """
    Compare a response's ``callTime`` with its header ``Date``.

    :param call_time: as it came; None if the response has none.
    :param server_time: the header, aware.
    """
    local = parse_api_time(call_time, _UTC)
    if local is None or server_time is None or not is_naive(call_time):
        return None
    ahead = local - server_time
    offset = round(ahead / STEP) * STEP
    if abs(ahead - offset) > TOLERANCE or not FIRST <= offset <= LAST:
        return None  # not the time of this request
    return ZoneClue(offset, "callTime of the response, against the server's clock")


def clue_of_newest(starts: Iterable[Any], now: datetime) -> ZoneClue | None:
    """
    Compare the newest start with now.

    :param starts: the calls' starts as they came, of a period that reaches into the future in every zone.
    :param now: aware.
    """
    moments = [moment for start in starts if is_naive(start) and (moment := parse_api_time(start, _UTC)) is not None]
    if not moments:
        return None
    ahead = max(moments) - now
    offset = -((-ahead) // STEP) * STEP  # the next step up: a call does not begin after now
    if offset - ahead > QUIET or not FIRST <= offset <= LAST:
        return None
    return ZoneClue(offset, "the newest call, against now")


def clue_of_period(
    starts: Sequence[Any], asked: tuple[datetime, datetime], configured: ZoneInfo, now: datetime
) -> ZoneClue | None:
    """
    Compare starts that carry their zone with the period that was asked for in the configured zone.

    :param starts: the calls' starts as they came.
    :param asked: the period, aware.
    :param configured: the zone that its texts were in.
    :param now: aware.
    """
    moments = [
        moment for start in starts if not is_naive(start) and (moment := parse_api_time(start, _UTC)) is not None
    ]
    if not moments:
        return None
    first, last = min(moments), max(moments)
    fitting = [
        shift
        for steps in range(LAST // STEP - FIRST // STEP + 1)
        if asked[0] <= first + (shift := FIRST + steps * STEP) and last + shift < asked[1]
    ]
    used = now.astimezone(configured).utcoffset() or timedelta(0)
    if len(fitting) != 1:
        return None
    return ZoneClue(used + fitting[0], "starts that carry a zone, against the period asked for")


def is_naive(value: object) -> bool:
    """Whether a time names no zone; seconds since the epoch need none."""
    if not isinstance(value, str) or value.replace(".", "", 1).isdigit():
        return False
    try:
        return datetime.fromisoformat(value.strip()).tzinfo is None
    except ValueError:
        return parse_api_time(value, _UTC) is not None


@dataclass(frozen=True)
class ZoneVerdict:
    """
    What the clues say together.

    :param timezone: the zone of the server's times; None if that stays unknown.
    :param is_sure: at least two comparisons say so.
    :param text: that, as a sentence or two.
    """

    timezone: str | None
    is_sure: bool
    text: str


def judge(
    call_time: ZoneClue | None, newest: ZoneClue | None, period: ZoneClue | None, configured: ZoneInfo, now: datetime
) -> ZoneVerdict:
    """
    Return what the comparisons say together.

    The newest call may have begun long ago: then the zone is farther ahead than it says, never less.

    :param call_time: from :func:`clue_of_call_time`.
    :param newest: from :func:`clue_of_newest`.
    :param period: from :func:`clue_of_period`, which is about the very texts that requests send.
    :param configured: the setting ``timezone``.
    :param now: aware.
    """
    found = period or call_time
    used = now.astimezone(configured).utcoffset() or timedelta(0)
    if newest is not None and newest.offset > (found.offset if found is not None else used):
        if found is not None:
            return ZoneVerdict(
                None,
                False,
                f"The zone of the server's times is not clear: UTC{_hours(found.offset)} by {found.why}, "
                f"UTC{_hours(newest.offset)} by {newest.why}.",
            )
        found = newest
    if found is None:
        return _assumed(newest, used, configured, now)
    agreeing = [one for one in (call_time, period, newest) if one is not None and one.offset == found.offset]
    text = f"The server's times are in UTC{_hours(found.offset)} ({'; '.join(one.why for one in agreeing)})"
    zone = zone_at(found.offset, configured, now)
    if zone is None:
        return ZoneVerdict(None, False, f"{text}. Set timezone to your IANA zone with that distance from UTC.")
    agrees = f"as timezone says: {zone}" if zone == configured.key else f"so timezone should be {zone}"
    return ZoneVerdict(zone, len(agreeing) > 1, f"{text}, {agrees}.")


def _assumed(newest: ZoneClue | None, used: timedelta, configured: ZoneInfo, now: datetime) -> ZoneVerdict:
    """Return what to say where no comparison tells the zone."""
    if newest is None:
        text = f"Nothing tells the zone of the server's times; {configured.key} is assumed."
        return ZoneVerdict(None, False, text)
    if newest.offset == used:
        text = f"The server's times may well be in {configured.key}, as timezone says ({newest.why})."
        return ZoneVerdict(configured.key, False, text)
    other = zone_at(newest.offset, configured, now) or f"UTC{_hours(newest.offset)}"
    return ZoneVerdict(
        None,
        False,
        f"Either there were no calls lately, or the server's times are in {other} ({newest.why}); {configured.key} is "
        f"assumed. Run this again when there are calls, or set it: --set timezone={other}.",
    )


def _hours(offset: timedelta) -> str:
    minutes = abs(offset) // timedelta(minutes=1)
    return f"{'-' if offset < timedelta(0) else '+'}{minutes // 60:02}:{minutes % 60:02}"
