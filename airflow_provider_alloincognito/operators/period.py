"""The period that a task asks for: its arguments, or the run's data interval."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.api.times import parse_moment
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Context

NOT_GIVEN = ("", "None", None)


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
    :param start: as given; the data interval's start by default.
    :param end: as given; the data interval's end by default.
    :param zone: the zone of times without one.
    :param allow_incomplete: accept a period that has not ended yet.
    :raises AlloincognitoQueryError: if there is no period, or it has not ended yet.
    """
    first = _moment("period_start", start, context, "data_interval_start", zone)
    after = _moment("period_end", end, context, "data_interval_end", zone)
    if after > datetime.now(UTC) and not allow_incomplete:
        raise AlloincognitoQueryError(
            f"period_end ({after.isoformat()}) is in the future, so the file would never get the calls still to come. "
            "Give a period that has ended, or set allow_incomplete=True to land the calls so far."
        )
    return first, after


def _moment(argument: str, given: datetime | str | None, context: Context, key: str, zone: ZoneInfo) -> datetime:
    value: Any = given if given not in NOT_GIVEN else context.get(key)
    if value is None:
        raise AlloincognitoQueryError(
            f"{argument} is not given, and this run has no data interval to take it from (a run triggered by hand or "
            "by an asset may have none). Give period_start and period_end, or trigger the DAG with a logical date."
        )
    try:
        return parse_moment(value, zone)
    except ValueError:
        raise AlloincognitoQueryError(
            f"{argument} is {scrub(repr(value))}, which is not a valid time. Give a datetime or a text such as "
            "'2026-03-01 00:00:00' or '2026-03-01T00:00:00+03:00'."
        ) from None
