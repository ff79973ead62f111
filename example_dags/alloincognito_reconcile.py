"""
### The last days once more: what came late is landed again

Asks for the calls of the last days again, as `alloincognito_daily_calls` did, and compares them with what has landed.
What differs is landed again, recordings that had failed are fetched, and the DAGs that load into a warehouse run for
the days that changed. For other days that have landed, trigger the DAG and fill in *Period start* and *Period end*.

What it found is in the log of `report` and in `reconcile/<day of the run>.jsonl`. `alarm` fails if a day has unusually
few or many calls.

Needs `alloincognito_daily_calls.py`, with `row_key`, and `alloincognito_reconcile.sql` in the same folder.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.timetables.interval import CronDataIntervalTimetable
from alloincognito_daily_calls import FILES, ZONE, calls as daily_calls, recordings as daily_recordings

from airflow_provider_alloincognito.assets import landed_asset
from airflow_provider_alloincognito.compat import DAG, AirflowFailException, ObjectStoragePath, add_partitions, task
from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.stores import whole_file
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
)
from airflow_provider_alloincognito.operators.period import period_params, resolve_period

# How many days are looked at, yesterday included. Each takes one request for its calls.
DAYS = 7
# How many of these requests are made at a time.
DAYS_AT_A_TIME = 2
# A day is compared with the median of the same weekday's other days in so many weeks before.
WEEKS = 8

LISTED = f"{FILES}/reconcile/listed"
# The days that are being repaired. It is removed at the end of a run: what a run leaves undone when it is stopped, the
# next one does, events included.
UNFINISHED = f"{FILES}/reconcile/unfinished.jsonl"
SQL = Path(__file__).with_suffix(".sql")
LANDED = landed_asset("alloincognito_daily_calls", "recordings")
LAYOUT = Layout(FILES)
log = logging.getLogger(__name__)


@task
def days(data_interval_end: datetime | None = None, **context: Any) -> list[dict[str, str]]:
    """Return the periods of the days that have landed, calls and recordings."""
    from airflow_provider_alloincognito.landing.coverage import read_coverage

    zone = ZoneInfo(ZONE)
    if context["params"]["period_end"]:
        start, end = resolve_period(context, None, None, zone, allow_incomplete=True)
        first, last = start.astimezone(zone).date(), (end.astimezone(zone) - timedelta(seconds=1)).date()
    else:
        last = (data_interval_end or context["dag_run"].start_date).astimezone(zone).date() - timedelta(days=1)
        first = last - timedelta(days=DAYS - 1)
    whole = {
        one.day for one in read_coverage(FILES, first, last + timedelta(days=1)) if None not in (one.calls, one.wanted)
    }
    unfinished = {date.fromisoformat(one["day"]) for one in read_lines(UNFINISHED)}
    midnights = [(day, day + timedelta(days=1)) for day in sorted(whole | unfinished)]
    return [
        {
            name: datetime.combine(one, time(), zone).isoformat()
            for name, one in zip(("period_start", "period_end"), ends, strict=True)
        }
        for ends in midnights
    ]


@task(trigger_rule="all_done")  # a day that was not listed does not hold up the others
def land_differences(listed: Iterable[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Land the days whose calls differ; return these, and those whose recordings had failed."""
    from airflow_provider_alloincognito.landing.manifest import read_manifest

    unfinished = {one["day"]: one for one in read_lines(UNFINISHED)}
    found, listed_days = [], set()
    for calls in listed or ():
        day = calls["interval"][:10]
        listed_days.add(day)
        landed = LAYOUT.calls(day)
        counts = compare(landed, ObjectStoragePath(calls["path"]))
        counts["failed"] = sum(line.status == "failed" for line in read_manifest(LAYOUT.manifest(day)))
        # What a run that was stopped has repaired no longer differs.
        counts = {name: max(count, unfinished.get(day, {}).get(name, 0)) for name, count in counts.items()}
        if any(counts.values()):  # else the day is as it was
            found.append({"day": day, **counts, "listed": calls["path"], "calls": {**calls, "path": str(landed)}})
    waiting = (one for day, one in unfinished.items() if day not in listed_days)
    write_lines(UNFINISHED, [*waiting, *found])
    for one in found:
        if not one["kept"]:
            with ObjectStoragePath(one["listed"]).open("rb") as source, whole_file(LAYOUT.calls(one["day"])) as target:
                shutil.copyfileobj(source, target)
    return found


def compare(landed_file: Any, listed_file: Any) -> dict[str, int]:
    """Count what was added, changed and gone; ``kept``: so much is gone that the server's answer is not trusted."""
    import duckdb
    import pyarrow.dataset

    landed, listed = (
        pyarrow.dataset.dataset(file.path, filesystem=file.fs, format="parquet") for file in (landed_file, listed_file)
    )
    before, now = landed.count_rows(), listed.count_rows()
    if landed.schema.equals(listed.schema):
        with duckdb.connect(config={"threads": 1}) as db:
            db.register("landed", landed)
            db.register("listed", listed)
            [(added, changed, gone)] = db.execute(SQL.read_text()).fetchall()
    else:  # FIELDS or KEY were others when the day landed
        added, changed, gone = max(now - before, 0), min(before, now), max(before - now, 0)
    return {"added": added, "changed": changed, "gone": gone, "kept": int(now * 2 < before)}


def recordings_of(difference: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of the task that fetches a day's recordings."""
    return {"calls": difference["calls"], "output_path": str(LAYOUT.recordings(difference["day"]))}


@task(trigger_rule="all_done")  # nor does a day whose recordings were not fetched
def report(
    listed: Iterable[dict[str, Any]] | None,
    differences: Sequence[dict[str, Any]] | None,
    fetched: Iterable[dict[str, Any]] | None,
    **context: Any,
) -> list[dict[str, Any]]:
    """Say what became of each day; return what the events of the days that have changed tell."""
    if differences is None:
        raise AirflowFailException("There is nothing to report: land_differences failed. See its log.")
    run = {"run": context["run_id"]}
    names = ("added", "changed", "gone", "fetched", "failed", "kept")
    lines = {calls["interval"][:10]: dict.fromkeys(names, 0) for calls in listed or ()}
    by_manifest = {recordings["manifest"]: recordings for recordings in fetched or ()}
    changed = []
    for one in differences:
        recordings = by_manifest.get(str(LAYOUT.manifest(one["day"])))
        lines[one["day"]] = {name: ({"fetched": 0, **one, **(recordings or {})})[name] for name in names}
        if recordings is None:  # the next run does this day
            continue
        if recordings["fetched"] or recordings["failed"] < one["failed"] or (not one["kept"] and is_different(one)):
            start, end = one["calls"]["interval"].split("/")
            period = {"period_start": start, "period_end": end, "calls": one["calls"]["path"]}
            changed.append({"path": str(LAYOUT.recordings(one["day"])), **period, **recordings})
    table = [("day", *names), *((day, *counts.values()) for day, counts in lines.items())]
    log.info("%s", "\n".join(["", *("  ".join(f"{cell!s:>10}" for cell in row) for row in table)]))
    path = f"{FILES}/reconcile/{context['dag_run'].start_date.astimezone(ZoneInfo(ZONE)).date()}.jsonl"
    earlier = [line for line in read_lines(path) if line["run"] != run["run"]]
    write_lines(path, [*earlier, *({**run, "day": day, **counts} for day, counts in lines.items())])
    return changed


@task(outlets=[LANDED])
def announce(extra: dict[str, Any], outlet_events: Any = None) -> None:
    """Have the DAGs that load run for a day, by an event such as the daily DAG's."""
    event = outlet_events[LANDED]
    event.extra.update(extra)
    if daily_recordings.partition_by_day:
        add_partitions(event, [extra["period_start"][:10]])


@task(trigger_rule="none_failed")
def clean_up() -> None:
    """Remove the files of this run, at last the one that says what is left to do."""
    for path in (ObjectStoragePath(LISTED), ObjectStoragePath(UNFINISHED)):
        if path.fs.exists(path.path):
            path.fs.rm(path.path, recursive=True)


@task(trigger_rule="none_failed")
def alarm(asked: Sequence[dict[str, str]], differences: Sequence[dict[str, Any]], **context: Any) -> None:
    """Fail if a day has far fewer or far more calls than is usual on its weekday: a new day, or one that differed."""
    from airflow_provider_alloincognito.landing.coverage import read_coverage

    days_asked = [one["period_start"][:10] for one in asked]
    of_interest = days_asked if context["params"]["period_end"] else days_asked[-1:]
    differed = [one["day"] for one in differences if is_different(one)]
    these = {date.fromisoformat(day) for day in [*of_interest, *differed]}
    if not these:
        return
    first, after = min(these) - timedelta(weeks=WEEKS), max(these) + timedelta(days=1)
    alarms = [
        f"{one.day} has {one.calls} calls, and a {one.day:%A} usually {one.usual:g}."
        for one in read_coverage(FILES, first, after, recordings=False)
        if one.is_unusual and one.day in these
    ]
    alarms += [
        f"{one['day']} was left as it is: the server now lists fewer than half of its calls."
        for one in differences
        if one["kept"]
    ]
    if alarms:
        raise AirflowFailException(
            f"{' '.join(alarms)} A holiday needs nothing. If the day is wrong, land it again when the server lists all "
            "of its calls: trigger alloincognito_daily_calls with this day as its period."
        )


def is_different(one: dict[str, Any]) -> bool:
    """Return whether the calls of a day differ."""
    return bool(one["added"] or one["changed"] or one["gone"])


def read_lines(path: str) -> list[dict[str, Any]]:
    """Read a file of JSON lines; one that does not exist has none."""
    try:
        with ObjectStoragePath(path).open("rb") as file:
            return [json.loads(line) for line in file.read().splitlines()]
    except FileNotFoundError:
        return []


def write_lines(path: str, lines: Iterable[dict[str, Any]]) -> None:
    """Write a file of JSON lines, whole or not at all."""
    with whole_file(ObjectStoragePath(path)) as file:
        file.writelines(json.dumps(line).encode() + b"\n" for line in lines)


def same_as(operator: Any, *but: str) -> dict[str, Any]:
    """Return what a task of the daily DAG was given: the operator's arguments, and how Airflow runs it."""
    names = (*operator.template_fields, "pool", "pool_slots", "queue", "execution_timeout", "retries", "retry_delay")
    return {name: getattr(operator, name) for name in names if name not in but}


with DAG(
    dag_id="alloincognito_reconcile",
    doc_md=__doc__,
    # After the daily DAG has landed the day before.
    schedule=CronDataIntervalTimetable("0 12 * * *", timezone=ZONE),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    max_active_runs=1,
    params=period_params(),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
) as dag:
    asked = days()
    listed = AlloincognitoCallListOperator.partial(
        task_id="listed",
        output_path=f"{LISTED}/date={{{{ period }}}}/calls.parquet",
        max_active_tis_per_dagrun=DAYS_AT_A_TIME,
        **same_as(daily_calls, "output_path", "period_start", "period_end", "partition_by_day"),
    ).expand_kwargs(asked)
    differences = land_differences(listed.output)
    recordings = AlloincognitoRecordingOperator.partial(
        task_id="recordings",
        on_error="skip",
        max_active_tis_per_dagrun=1,
        **same_as(daily_recordings, "calls", "output_path", "on_error", "partition_by_day"),
    ).expand_kwargs(differences.map(recordings_of))
    announced = announce.expand(extra=report(listed.output, differences, recordings.output))
    # A day that was not listed, or not fetched, fails the run at its end, and all stays for the next one.
    [listed, recordings, announced] >> clean_up() >> alarm(asked, differences)
