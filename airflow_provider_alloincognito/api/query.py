"""The call list's query: every filter of the API's text, validated before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.times import API_FORMAT, is_ambiguous, to_api
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.scrubbing import scrub

DIRECTIONS = {"all": 0, "0": 0, "outgoing": 1, "1": 1, "incoming": 2, "2": 2}
FLAGS = {"false": 0, "0": 0, "true": 1, "1": 1}
ALLOWED_DIRECTIONS = "'all', 'outgoing', 'incoming', or the API's 0, 1, 2"
ALLOWED_FLAGS = "0, 1, True, False or None"
NUMBER = re.compile(r"\+?[0-9]{1,15}")
NUMBER_PUNCTUATION = re.compile(r"[\s().-]")


@dataclass(frozen=True, kw_only=True)
class CallListQuery:
    """
    Which calls to list.

    :param period_start: first moment of the period, aware.
    :param period_end: first moment after the period, aware.
    :param numbers: list only calls of these numbers; by default of all numbers of the contract.
    :param direction: ``all``, ``outgoing`` or ``incoming``, or the API's 0, 1, 2.
    :param duration_from: shortest call, in seconds; no limit by default.
    :param duration_to: longest call, in seconds; no limit by default.
    :param is_call_record: True for only the calls that have a recording.
    :param is_read: the API's voicemail flag, sent unchanged: 0 or 1 (its text calls both "read"); no limit by default.
    :raises AlloincognitoQueryError: if an argument is invalid. It names the argument, what is allowed and the usual
        cause, and never contains a phone number.
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
        numbers: Iterable[str | int] | str | int | None = None,
        direction: int | str | None = None,
        duration_from: int | str | None = None,
        duration_to: int | str | None = None,
        is_call_record: bool | int | str | None = None,
        is_read: int | str | None = None,
    ) -> CallListQuery:
        """Build a query from a DAG author's arguments, which may be texts from a rendered template."""
        query = cls(
            period_start=period_start.replace(microsecond=0),
            period_end=period_end.replace(microsecond=0),
            numbers=_parse_numbers(numbers),
            direction=_parse_code("direction", direction, DIRECTIONS, ALLOWED_DIRECTIONS) or 0,
            duration_from=_parse_seconds("duration_from", duration_from),
            duration_to=_parse_seconds("duration_to", duration_to),
            is_call_record=_parse_code("is_call_record", is_call_record, FLAGS, ALLOWED_FLAGS) == 1,
            is_read=_parse_code("is_read", is_read, FLAGS, ALLOWED_FLAGS),
        )
        query._check_period()
        query._check_durations()
        return query

    def _check_period(self) -> None:
        start, end = self.period_start.astimezone(UTC), self.period_end.astimezone(UTC)
        if start < end:
            return
        happened = (
            f"period_start ({self.period_start.isoformat()}) {'equals' if start == end else 'is after'} period_end "
            f"({self.period_end.isoformat()}), so the period is empty. A period must end after it starts."
        )
        if start > end:
            raise AlloincognitoQueryError(f"{happened} Swap the two.")
        raise AlloincognitoQueryError(
            f"{happened} The usual cause is a DAG whose schedule is a cron string or a preset such as '@daily': in "
            "Airflow 3 its data interval is empty. Use schedule=CronDataIntervalTimetable('0 0 * * *', "
            "timezone='Europe/Moscow') (from airflow.timetables.interval), or set period_start and period_end."
        )

    def _check_durations(self) -> None:
        if self.duration_from is not None and self.duration_to is not None and self.duration_from > self.duration_to:
            raise AlloincognitoQueryError(
                f"duration_from ({self.duration_from}) is greater than duration_to ({self.duration_to}), so no call "
                "can match. Both are seconds: check that they are not swapped."
            )

    def split(self, window: timedelta | None, api_zone: ZoneInfo) -> list[CallListQuery]:
        """
        Split the period into consecutive windows; the last may be shorter.

        :param window: the length of a window; None does not split. A window that would end in an hour that
            ``api_zone`` repeats is longer, because the API's times cannot say which of the two hours is meant.
        :param api_zone: the zone of the API's times.
        """
        if window is None:
            return [self]
        if window < timedelta(seconds=1):
            raise AlloincognitoQueryError("window, the length of one request's period, must be at least one second.")
        length = timedelta(seconds=window // timedelta(seconds=1))  # the API's times have no fractions
        # In UTC: within one zone Python adds and compares local times, which go back once a year.
        # Plain datetimes: pendulum's, which Airflow passes, lose Python's UTC in additions.
        zone = self.period_start.tzinfo
        start, last = (datetime.fromtimestamp(one.timestamp(), UTC) for one in (self.period_start, self.period_end))
        parts = []
        while start < last:
            end = start + length
            while end < last and is_ambiguous(end, api_zone):
                end += length
            end = min(end, last)
            parts.append(replace(self, period_start=start.astimezone(zone), period_end=end.astimezone(zone)))
            start = end
        return parts

    def fields(self, settings: Settings) -> dict[str, Any]:
        """
        Return the request's fields, by their names in the API's text; its numbers by ``numbers_field``.

        Unset filters are as in the API's text: 0 for ``direction`` and ``isCallRecord``, null for the other three, no
        field for the numbers.

        :raises AlloincognitoQueryError: if the clock of the API's zone goes back within the period, so that its times
            cannot express it.
        """
        start, end = (to_api(moment, settings.zone) for moment in (self.period_start, self.period_end))
        if start >= end:
            raise AlloincognitoQueryError(
                f"In the API's zone, {settings.zone.key}, the clock goes back within the period: the period would "
                f"start at {start} and end at {end}, and the API's times cannot say which of the two hours is meant. "
                "Request a longer period, such as a day."
            )
        start, end = self.sent_period(settings, settings.api_mapping.getcalllist.time_format)
        fields: dict[str, Any] = {
            "periodStart": start,
            "periodEnd": end,
            "direction": self.direction,
            "durationFrom": self.duration_from,
            "durationTo": self.duration_to,
            "isCallRecord": int(self.is_call_record),
            "isRead": self.is_read,
        }
        if self.numbers:
            fields[settings.numbers_field] = list(self.numbers)
        return fields

    def sent_period(self, settings: Settings, time_format: str = API_FORMAT) -> tuple[str, str]:
        """
        Return the two times that are sent, in the API's zone.

        :param time_format: their format, as for :func:`~airflow_provider_alloincognito.api.times.to_api`.
        """
        end = self.period_end
        if settings.period_end == "inclusive" and settings.start_time_field is None:
            end -= timedelta(seconds=1)
        return to_api(self.period_start, settings.zone, time_format), to_api(end, settings.zone, time_format)


def _parse_numbers(value: Iterable[str | int] | str | int | None) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, Iterable):
        value = [value]
    parts = value.replace(";", ",").replace("\n", ",").split(",") if isinstance(value, str) else list(value)
    numbers = []
    for position, part in enumerate(parts):
        # A template that is rendered natively gives a number as an int.
        text = str(part) if isinstance(part, str | int) and not isinstance(part, bool) else "?"
        digits = NUMBER_PUNCTUATION.sub("", text)
        if not digits:
            continue
        if not NUMBER.fullmatch(digits):
            raise AlloincognitoQueryError(
                f"numbers[{position}] is not a valid phone number. It must be a text of 1 to 15 digits, with an "
                "optional leading +; spaces, dots, dashes and brackets are removed. (The value is not shown: it may be "
                "personal data.) The usual cause is a header line in the file of numbers, or a number in a spreadsheet "
                "that became a fraction."
            )
        numbers.append(digits)
    if not numbers:
        raise AlloincognitoQueryError(
            "numbers is set but contains no number. To list the calls of all numbers, leave numbers out; the usual "
            "cause is a template that rendered to nothing, or an empty file."
        )
    return tuple(numbers)


def invalid_argument(argument: str, value: object, allowed: str) -> AlloincognitoQueryError:
    """Return an error without personal data: an argument in another's place may be a phone number."""
    return AlloincognitoQueryError(f"{argument} is {scrub(repr(value))}, which is invalid. It must be {allowed}.")


def _parse_code(argument: str, value: object, codes: dict[str, int], allowed: str) -> int | None:
    if value is None:
        return None
    code = codes.get(str(value).strip().lower())
    if code is None:
        raise invalid_argument(argument, value, allowed)
    return code


def _parse_seconds(argument: str, value: int | str | None) -> int | None:
    if value is None:
        return None
    seconds = -1
    if isinstance(value, int | str) and not isinstance(value, bool):
        with suppress(ValueError):
            seconds = int(value)
    if seconds < 0:
        raise invalid_argument(argument, value, "a whole number of seconds, 0 or more, or None for no limit")
    return seconds
