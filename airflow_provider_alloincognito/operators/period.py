"""The period of a task: its arguments, the run's params, or the run's data interval; and a form for the params."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.api.times import parse_moment
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Context, Param

INTERVAL = {"period_start": "data_interval_start", "period_end": "data_interval_end"}
"""The arguments of operators, names in their templates and params of a run, and what each is by default."""
HOW_TO_GIVE_A_PERIOD = (
    "Trigger the DAG with the params period_start and period_end (params=period_params() in the DAG makes a form for "
    "them), in the UI also with a logical date, or set the operator's arguments of these names."
)
ZONE_AND_DEFAULT = "in the time zone of this page. Empty: the run's data interval."
PERIOD = "period"
"""The name in templates that stands for the whole period, see :func:`period_name`."""


def period_params() -> dict[str, Param]:
    """
    Return the params ``period_start`` and ``period_end`` for a DAG: ``DAG(..., params=period_params())``.

    The dialog that triggers a run then asks for them. Left empty, as in scheduled runs, the period is the run's data
    interval.
    """
    from airflow_provider_alloincognito.compat import Param

    def param(title: str, description: str) -> Param:
        return Param(None, type=["null", "string"], format="date-time", title=title, description=description)

    return {
        "period_start": param("Period start", f"First moment of the calls to fetch, {ZONE_AND_DEFAULT}"),
        "period_end": param("Period end", f"First moment after the calls to fetch, {ZONE_AND_DEFAULT}"),
    }


def resolve_period(
    context: Context,
    start: datetime | str | None,
    end: datetime | str | None,
    zone: ZoneInfo,
    *,
    allow_incomplete: bool,
) -> tuple[datetime, datetime]:
    """
    Return the period's first moment and the moment after it, both aware.

    :param context: the task's.
    :param start: as given; see :func:`moment`.
    :param end: as given; likewise.
    :param zone: the zone of times without one.
    :param allow_incomplete: accept a period that has not ended yet.
    :raises AlloincognitoQueryError: if there is no period, or it has not ended yet.
    """
    first = moment("period_start", start, context, zone)
    after = moment("period_end", end, context, zone)
    if after > datetime.now(UTC) and not allow_incomplete:
        raise AlloincognitoQueryError(
            f"period_end ({after.isoformat()}) is in the future, so the file would never get the calls still to come. "
            "Give a period that has ended, or set allow_incomplete=True to land the calls so far."
        )
    return first, after


def moment(name: str, given: datetime | str | None, context: Context, zone: ZoneInfo) -> datetime:
    """
    Return ``period_start`` or ``period_end``, aware.

    :param name: which of the two.
    :param given: the operator's argument; None takes the run's param of that name, or else the run's data interval.
    :param context: the task's.
    :param zone: the zone of a time without one.
    :raises AlloincognitoQueryError: if it is nowhere, or is not a time.
    """
    params: Any = context.get("params") or {}
    if not given and len({bool(params.get(one)) for one in INTERVAL}) > 1:
        raise AlloincognitoQueryError(
            "Of the run's params period_start and period_end only one is given, so it is not clear which calls are "
            f"meant.{_mistyped(params)} Trigger the run again with both, or with none of them."
        )
    value: Any = given or params.get(name) or context.get(INTERVAL[name])
    if not value:
        raise AlloincognitoQueryError(
            f"{name} is not given, and this run has no data interval to take it from. {HOW_TO_GIVE_A_PERIOD} Runs on "
            "a time schedule need none of that."
        )
    try:
        return parse_moment(value, zone)
    except ValueError:
        raise AlloincognitoQueryError(
            f"{name} is {scrub(repr(value))}, which is not a valid time. Give a datetime or a text such as "
            "'2026-03-01 00:00:00' or '2026-03-01T00:00:00+03:00'."
        ) from None


def _mistyped(params: Iterable[str]) -> str:
    """Return a sentence about a param whose name is nearly that of one which is missing."""
    others = [name for name in params if name not in INTERVAL]
    near = [(name, close[0]) for name in others if (close := difflib.get_close_matches(name, INTERVAL, 1, 0.85))]
    return "".join(f" Is {scrub(repr(name))} meant to be {meant}?" for name, meant in near[:1])


def has_interval(context: Context) -> bool:
    """Return whether the run has a data interval: on Airflow 3, one without a logical date has none."""
    return context.get("data_interval_start") is not None


def format_interval(start: datetime, end: datetime) -> str:
    """Return a period in ISO 8601, such as ``2026-03-01T00:00:00+03:00/2026-03-02T00:00:00+03:00``."""
    return f"{start.isoformat()}/{end.isoformat()}"


def read_interval(interval: str) -> tuple[datetime, datetime]:
    """Return the ends of a period that :func:`format_interval` wrote. Raises ValueError if it is none."""
    start, end = interval.split("/")
    return datetime.fromisoformat(start), datetime.fromisoformat(end)


def whole_days(start: datetime, end: datetime) -> list[date]:
    """Return the days of a period whose ends are in the API's zone; none if it is not whole days."""
    if not (_is_midnight(start) and _is_midnight(end)):
        return []
    return [start.date() + timedelta(days=day) for day in range((end.date() - start.date()).days)]


def _is_midnight(moment: datetime) -> bool:
    # In UTC, since a midnight that summer time skips is the first moment after it.
    return datetime.combine(moment, time(), moment.tzinfo).astimezone(UTC) == moment.astimezone(UTC)


def period_name(start: datetime, end: datetime) -> str:
    """
    Return a name that no other period has, for paths: a period that is no whole day must not replace the day's file.

    ``2026-03-01`` for a day, ``2026-03`` for a month, ``2026-03-01T08-00-00_2026-03-01T20-00-00`` for any other period.

    :param start: in the API's zone.
    :param end: likewise.
    """
    days = whole_days(start, end)
    if len(days) == 1:
        return str(days[0])
    if days and start.day == end.day == 1 and len({day.month for day in days}) == 1:
        return f"{start:%Y-%m}"
    return f"{start:%Y-%m-%dT%H-%M-%S}_{end:%Y-%m-%dT%H-%M-%S}"
