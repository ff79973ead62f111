"""The call list's query: every filter of the API's text, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.times import to_api
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.scrubbing import scrub

DIRECTIONS = {"all": 0, "outgoing": 1, "incoming": 2}
NUMBER = re.compile(r"\+?[0-9]{1,15}")
NUMBER_PUNCTUATION = re.compile(r"[\s().-]")


@dataclass(frozen=True, kw_only=True)
class CallListQuery:
    """
    Which calls to list.

    :param period_start: first moment of the period, aware.
    :param period_end: moment after the period, aware.
    :param numbers: numbers to list calls of; empty means all of the contract's.
    :param direction: ``all``, ``outgoing`` or ``incoming``, or the API's 0, 1, 2.
    :param duration_from: shortest call, in seconds; None is no limit.
    :param duration_to: longest call, in seconds; None is no limit.
    :param is_call_record: True for only the calls that have a recording.
    :param is_read: the API's voicemail flag: None is no limit; 0 and 1 go through as they are (its text calls
        both "read").
    :raises AlloincognitoQueryError: naming the argument, what is allowed and the usual cause. It never quotes a
        number.
    """

    period_start: datetime
    period_end: datetime
    numbers: tuple[str, ...] = field(default=(), repr=False)
    direction: int = 0
    duration_from: int | None = None
    duration_to: int | None = None
    is_call_record: bool = False
    is_read: int | None = None

    @classmethod
    def checked(
        cls,
        *,
        period_start: datetime,
        period_end: datetime,
        numbers: Iterable[str] | str | None = None,
        direction: int | str | None = None,
        duration_from: int | str | None = None,
        duration_to: int | str | None = None,
        is_call_record: bool | int | str | None = None,
        is_read: int | str | None = None,
    ) -> CallListQuery:
        """Build a query out of what a DAG author wrote, a rendered template's texts included."""
        query = cls(
            period_start=period_start.replace(microsecond=0),
            period_end=period_end.replace(microsecond=0),
            numbers=_numbers(numbers),
            direction=_direction(direction),
            duration_from=_seconds("duration_from", duration_from),
            duration_to=_seconds("duration_to", duration_to),
            is_call_record=_flag("is_call_record", is_call_record) == 1,
            is_read=_flag("is_read", is_read),
        )
        query._check_period()
        query._check_durations()
        return query

    def _check_period(self) -> None:
        start, end = self.period_start.astimezone(UTC), self.period_end.astimezone(UTC)
        if start >= end:
            relation = "is" if start == end else "is after"
            raise AlloincognitoQueryError(
                f"period_start ({self.period_start.isoformat()}) {relation} period_end "
                f"({self.period_end.isoformat()}), so the period is empty. A period must end after it starts. The "
                "usual cause is a DAG whose schedule is a cron string or a preset such as '@daily': in Airflow 3 "
                "its data interval is empty. Use schedule=CronDataIntervalTimetable('0 0 * * *', "
                "timezone='Europe/Moscow') (from airflow.timetables.interval), or give period_start and period_end."
            )

    def _check_durations(self) -> None:
        if self.duration_from is not None and self.duration_to is not None and self.duration_from > self.duration_to:
            raise AlloincognitoQueryError(
                f"duration_from ({self.duration_from}) is above duration_to ({self.duration_to}): no call can be "
                "that long. Both are seconds; have they been swapped?"
            )

    def split(self, window: timedelta | None, api_zone: ZoneInfo) -> list[CallListQuery]:
        """
        Cut the period into windows that follow each other; the last may be shorter.

        :param window: the longest, but for those that would meet in an hour that ``api_zone`` repeats: its clock, and
            so the API's text, cannot say which of the two moments is meant.
        :param api_zone: the zone of the API's times.
        """
        if window is None:
            return [self]
        if window < timedelta(seconds=1):
            raise AlloincognitoQueryError("window is the length of one request's period and must be a second at least.")
        length = timedelta(seconds=window // timedelta(seconds=1))  # the API's times have no fractions
        # In UTC: within one zone Python adds and compares what clocks on a wall show, and they go back once a year.
        # Plain datetimes: pendulum's, which Airflow gives, lose Python's UTC when something is added to them.
        zone = self.period_start.tzinfo
        start, last = (datetime.fromtimestamp(one.timestamp(), UTC) for one in (self.period_start, self.period_end))
        parts = []
        while start < last:
            end = start + length
            while end < last and _comes_twice(end, api_zone):
                end += length
            end = min(end, last)
            parts.append(replace(self, period_start=start.astimezone(zone), period_end=end.astimezone(zone)))
            start = end
        return parts

    def body(self, settings: Settings) -> dict[str, Any]:
        """
        The request's body, with unset filters as the API's text wants them: 0 for ``direction`` and
        ``isCallRecord``, null for the other three, the numbers left out.

        :raises AlloincognitoQueryError: if the API's times cannot say the period, since its clock goes back within it.
        """
        start, end = to_api(self.period_start, settings.zone), to_api(self.period_end, settings.zone)
        if start >= end:
            raise AlloincognitoQueryError(
                f"In the API's zone, {settings.timezone}, the clock goes back within the period: it would start at "
                f"{start} and end at {end}, and the API's times cannot say which of the two hours is meant. "
                "Ask for a longer period, such as a day."
            )
        if settings.period_end == "inclusive" and settings.start_time_field is None:
            end = to_api(self.period_end - timedelta(seconds=1), settings.zone)
        body: dict[str, Any] = {
            "periodStart": start,
            "periodEnd": end,
            "direction": self.direction,
            "durationFrom": self.duration_from,
            "durationTo": self.duration_to,
            "isCallRecord": int(self.is_call_record),
            "isRead": self.is_read,
        }
        if self.numbers:
            body[settings.numbers_field] = list(self.numbers)
        return body


def _comes_twice(moment: datetime, zone: ZoneInfo) -> bool:
    local = moment.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _numbers(given: Iterable[str] | str | None) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, Iterable):
        raise AlloincognitoQueryError(
            "numbers is no list of texts, and no text with commas. The usual cause is a number without quotes."
        )
    parts = given.replace(";", ",").replace("\n", ",").split(",") if isinstance(given, str) else list(given)
    numbers = []
    for position, part in enumerate(parts):
        bare = NUMBER_PUNCTUATION.sub("", part) if isinstance(part, str) else ""
        if not bare and isinstance(part, str):
            continue
        if not NUMBER.fullmatch(bare):
            raise AlloincognitoQueryError(
                f"numbers[{position}] is no telephone number. A number is a text of 1 to 15 digits, with a leading + "
                "if you like; spaces, dashes and brackets are left out. (The value is not shown: it may be personal "
                "data.) The usual cause is a number without quotes, or a header line in the file of numbers."
            )
        numbers.append(bare)
    if not numbers:
        raise AlloincognitoQueryError(
            "numbers is given but holds no number, which would list everybody's calls. Leave it out to mean that; the "
            "usual cause is a template that rendered to nothing, or an empty file."
        )
    return tuple(numbers)


def _shown(given: object) -> str:
    """A value as errors quote it: an argument in another's place may be a phone number."""
    return scrub(repr(given))


def _direction(given: int | str | None) -> int:
    if given is None or given in ("", "None"):
        return 0
    code = DIRECTIONS.get(str(given).strip().lower())
    if code is None and str(given).strip() in ("0", "1", "2"):
        code = int(given)
    if code is None or isinstance(given, bool):
        raise AlloincognitoQueryError(
            f"direction is {_shown(given)}; allowed are 'all', 'outgoing', 'incoming', or the API's 0, 1, 2."
        )
    return code


def _seconds(argument: str, given: int | str | None) -> int | None:
    if given is None or given in ("", "None"):
        return None
    try:
        seconds = int(given)
    except (TypeError, ValueError):
        seconds = -1
    if seconds < 0 or not isinstance(given, int | str) or isinstance(given, bool):
        raise AlloincognitoQueryError(
            f"{argument} is {_shown(given)}; allowed is a whole number of seconds, 0 or more, or None for no limit."
        )
    return seconds


def _flag(argument: str, given: bool | int | str | None) -> int | None:
    if given is None or given in ("", "None"):
        return None
    value = {"0": 0, "1": 1, "true": 1, "false": 0}.get(str(given).strip().lower())
    if value is None:
        raise AlloincognitoQueryError(f"{argument} is {_shown(given)}; allowed are 0, 1, True, False and None.")
    return value
