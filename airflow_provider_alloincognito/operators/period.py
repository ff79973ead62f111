"""Which period a task asks for: the one it was given, or its run's data interval."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.api.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.api.scrubbing import scrub
from airflow_provider_alloincognito.api.times import parse_moment
from airflow_provider_alloincognito.api.token_pair import utc_now

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

NOT_GIVEN = ("", "None", None)


def period_of(
    context: Context,
    start: datetime | str | None,
    end: datetime | str | None,
    zone: ZoneInfo,
    *,
    allow_incomplete: bool,
) -> tuple[datetime, datetime]:
    """
    Give the period's first moment and the moment after it, aware.

    :param context: the task's.
    :param start: as given; the data interval's start by default.
    :param end: as given; the data interval's end by default.
    :param zone: the zone of times without one.
    :param allow_incomplete: accept a period that has not ended yet.
    :raises AlloincognitoQueryError: if there is no period, or it has not ended yet.
    """
    first = _moment("period_start", start, context, "data_interval_start", zone)
    after = _moment("period_end", end, context, "data_interval_end", zone)
    if after > utc_now() and not allow_incomplete:
        raise AlloincognitoQueryError(
            f"period_end ({after.isoformat()}) is in the future, so calls of the period would be missing for good. "
            "Give a period that has ended; allow_incomplete=True lands what there is so far."
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
            f"{argument} is {scrub(repr(value))}, which is no time. Allowed are a datetime and a text such as "
            "'2026-03-01 00:00:00' or '2026-03-01T00:00:00+03:00'."
        ) from None
