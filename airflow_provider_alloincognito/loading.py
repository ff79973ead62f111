"""
For DAGs that load what has landed: when they run (``on_landed``), what a run loads (``landed_periods``), and what their
logs show of a row that the warehouse refuses (``without_rows``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.assets import landed_asset
from airflow_provider_alloincognito.errors import AlloincognitoError, AlloincognitoLandingError, AlloincognitoQueryError
from airflow_provider_alloincognito.operators.period import INTERVAL, moment, period_name, whole_days
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Context
    from airflow_provider_alloincognito.landing.stores.targets import Target

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LandedPeriod:
    """
    A period whose calls have landed.

    :param start: first moment, in the API's zone.
    :param end: the moment after the last, likewise.
    :param calls: the path of the calls' file.
    :param manifest: the path of the recordings' manifest; None if no recordings were landed.
    """

    start: datetime
    end: datetime
    calls: str
    manifest: str | None = None

    @property
    def name(self) -> str:
        """The period's name in paths: ``2026-03-01`` for a day."""
        return period_name(self.start, self.end)

    @property
    def days(self) -> list[date]:
        """The days of the period; none if it is not whole days."""
        return whole_days(self.start, self.end)


def on_landed(dag_id: str, task_id: str) -> Any:
    """
    Return the ``schedule`` of a DAG that runs when a task has landed something: ``schedule=on_landed(...)``.

    A task of that DAG learns from :func:`landed_periods` what has landed. On Airflow 3.3 the
    task has to be given ``partition_by_day=True``, and each of its days starts a run. Older versions start a run for
    all events since the last one.

    :param dag_id: the DAG of the task that lands.
    :param task_id: that task, with the ids of its task groups: ``group.task``.
    """
    from airflow_provider_alloincognito import compat

    asset = landed_asset(dag_id, task_id)
    return compat.PartitionedAssetTimetable(assets=asset) if compat.TASKS_HAVE_PARTITIONS else [asset]


def landed_periods(context: Context, files: Target, zone: ZoneInfo | str | None = None) -> list[LandedPeriod]:
    """
    Return what a run is to load: from the events that started it, else its partition key, else its params.

    Each period is there once, in the order of time, whatever order and repetitions the events had. Periods that overlap
    are in the order in which they landed, so that the latest is loaded last.

    :param context: the task's.
    :param files: the root folder of the daily DAG, ``FILES``. A run by hand, with the params ``period_start`` and
        ``period_end``, gets the days of that period that have landed there.
    :param zone: the API's, for params and partition keys; default that of the Connection ``alloincognito_default``.
    :raises AlloincognitoQueryError: if neither events, partition key nor params say what has landed, the key is not a
        day, or nothing of the params' period has landed.
    """
    from airflow_provider_alloincognito.compat import partition_key, triggering_events

    key = partition_key(context)
    if events := [event.extra for event in triggering_events(context) if set(INTERVAL) <= set(event.extra or {})]:
        return [one for one in _in_order([_of_event(extra) for extra in events]) if not _is_for_another_run(one, key)]
    zone = ZoneInfo(zone) if isinstance(zone, str) else zone or _zone_of_connection()
    if key:
        return [_of_key(key, files, zone)]
    params: Any = context.get("params") or {}
    if not any(params.get(name) for name in INTERVAL):
        raise AlloincognitoQueryError(
            "This run was not started by an event that says which period has landed, so there is nothing to load. "
            "Schedule the DAG by on_landed() of a task that lands calls, or of one that lands their recordings and is "
            "given calls=calls.output. To load what has landed before, trigger the DAG with the params period_start "
            "and period_end (params=period_params() in the DAG makes a form for them)."
        )
    start, end = (moment(name, None, context, zone).astimezone(zone) for name in INTERVAL)
    return _by_hand(start, end, files, zone)


@contextmanager
def without_rows() -> Iterator[None]:
    """
    Let a database's errors through without the rows that they quote: else their numbers would be in Airflow's log.

    For the part of a load that sends rows.

    :raises AlloincognitoLandingError: in place of an error of the database, with what it says but for numbers.
    """
    try:
        yield
    except AlloincognitoError:
        raise
    except Exception as error:  # noqa: BLE001 - each database has its own
        # psycopg: all but this may quote the whole row.
        said = getattr(getattr(error, "diag", None), "message_primary", None) or str(error).strip().partition("\n")[0]
        raise AlloincognitoLandingError(
            f"The warehouse has not taken the rows ({type(error).__name__}): {scrub(said)}. If a column is missing in "
            "the table or has another type there, change the table. If the file landed before FIELDS, TYPES or row_key "
            "were as they are now, land its day again."
        ) from None


def _of_event(extra: Mapping[str, Any]) -> LandedPeriod:
    start, end = (datetime.fromisoformat(extra[name]) for name in INTERVAL)
    return LandedPeriod(start, end, extra.get("calls") or extra["path"], extra.get("manifest"))


def _is_for_another_run(period: LandedPeriod, key: str | None) -> bool:
    """Return whether a file of several days, each of which starts a run, is for the run of its first day."""
    others = [str(day) for day in period.days[1:]]
    if key in others:
        log.info("The calls of %s are in one file with those of %s, whose run loads it", key, period.days[0])
    return key in others


def _in_order(periods: list[LandedPeriod]) -> list[LandedPeriod]:
    latest = {(one.start, one.end): one for one in periods}
    by_time = sorted(latest.values(), key=lambda one: (one.start, one.end))
    if all(one.end <= following.start for one, following in pairwise(by_time)):
        return by_time
    last = {(one.start, one.end): index for index, one in enumerate(periods)}
    return sorted(by_time, key=lambda one: last[one.start, one.end])


def _of_key(key: str, files: Target, zone: ZoneInfo) -> LandedPeriod:
    try:
        return _of_day(date.fromisoformat(key), files, zone)
    except ValueError:
        raise AlloincognitoQueryError(
            f"The run's partition key {scrub(repr(key))} is not a day such as '2026-03-01', and no event says which "
            "period has landed. Trigger the DAG with the params period_start and period_end instead, without a key."
        ) from None


def _of_day(day: date, files: Target, zone: ZoneInfo) -> LandedPeriod:
    start, end = (datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=1)))
    return _landed(start, end, files)


def _landed(start: datetime, end: datetime, files: Target) -> LandedPeriod:
    from airflow_provider_alloincognito.landing.layout import Layout

    layout, name = Layout(files), period_name(start, end)
    return LandedPeriod(start, end, str(layout.calls(name)), str(layout.manifest(name)))


def _by_hand(start: datetime, end: datetime, files: Target, zone: ZoneInfo) -> list[LandedPeriod]:
    """Return the days of a period that have landed; of a part of a day, the period itself."""
    from airflow_provider_alloincognito.landing.layout import Layout

    wanted = whole_days(start, end)
    if not wanted:
        return [_landed(start, end, files)]
    there = set(Layout(files).days())
    missing = [day for day in wanted if day not in there]
    if len(missing) == len(wanted):
        raise AlloincognitoQueryError(
            f"No day from {wanted[0]} to {wanted[-1]} has landed under {files}, so there is nothing to load. Run the "
            "daily DAG for these days first, and check that FILES is the same folder in both DAGs."
        )
    if missing:
        log.warning(
            "%d of %d days from %s to %s have not landed and are left out, the first one %s",
            len(missing),
            len(wanted),
            wanted[0],
            wanted[-1],
            missing[0],
        )
    return [_of_day(day, files, zone) for day in wanted if day in there]


def _zone_of_connection() -> ZoneInfo:
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

    return AlloincognitoHook().settings.zone
