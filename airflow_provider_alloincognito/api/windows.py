"""The windows in which a period is looked at as it passes: pure functions of a moment, a length and a zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.api.times import is_ambiguous


class Window(NamedTuple):
    """
    A period that belongs to one day of the API's zone.

    :param start: first moment, in the API's zone.
    :param end: the moment after the last, likewise.
    """

    start: datetime
    end: datetime


def window_at(moment: datetime, length: timedelta, zone: ZoneInfo) -> Window:
    """
    Return the window that contains a moment.

    Windows end at midnight in the zone, and wherever the seconds since the epoch are a multiple of their length, but
    not in the hour that the zone repeats, since the API's times cannot say which of the two hours is meant: there a
    window is longer.

    :param moment: aware.
    :param length: whole seconds.
    :param zone: the API's.
    """
    window = window_from(_midnight(moment.astimezone(zone), days=0), length, zone)
    while window.end.timestamp() <= moment.timestamp():
        window = window_from(window.end, length, zone)
    return window


def window_from(start: datetime, length: timedelta, zone: ZoneInfo) -> Window:
    """
    Return the window that begins at a moment, up to where :func:`window_at` has one end.

    :param start: aware, anywhere: the length may have been another one before.
    :param length: whole seconds.
    :param zone: the API's.
    """
    seconds = int(length.total_seconds())
    local = start.astimezone(zone)
    midnight = _midnight(local, days=1)
    end = datetime.fromtimestamp((int(start.timestamp()) // seconds + 1) * seconds, UTC)
    while end < midnight and is_ambiguous(end, zone):
        end += length
    return Window(local, min(end, midnight).astimezone(zone))


def _midnight(local: datetime, *, days: int) -> datetime:
    """Return a day's first moment in UTC: within one zone Python compares local times, which go back once a year."""
    return datetime.combine(local.date() + timedelta(days=days), time(), local.tzinfo).astimezone(UTC)
