"""
### New calls, into the DuckDB file within minutes

A watcher looks at the calls of every five minutes as soon as they have settled, and an hour later once more. Where it
finds calls that are new or have changed, this DAG lands them and replaces them in the table `calls`. Periods that a run
could not land or load are left to the next one. To land another period, trigger the DAG and fill in *Period start* and
*Period end*.

The daily DAG has the last word: a day that it has landed is left to it, and to `alloincognito_reconcile`. It also
fetches the recordings.

Needs Airflow 3.0 or newer, and `alloincognito_daily_calls.py`, `alloincognito_load_duckdb.py` and its `.sql` in the
same folder.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alloincognito_daily_calls import FIELDS, FILES, ZONE, calls as daily_calls
from alloincognito_load_duckdb import locked_warehouse, replace

from airflow_provider_alloincognito.compat import (
    DAG,
    AirflowFailException,
    Asset,
    AssetWatcher,
    ObjectStoragePath,
    task,
)
from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.stores import whole_file
from airflow_provider_alloincognito.loading import LandedPeriod
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator
from airflow_provider_alloincognito.operators.period import period_params, read_interval
from airflow_provider_alloincognito.triggers.new_calls import AlloincognitoNewCallsTrigger, periods_with_new_calls

# The name is that of the watermark: each watcher needs another one.
TRIGGER = AlloincognitoNewCallsTrigger("alloincognito_stream", start_time_field=FIELDS["started_at"])
NEW_CALLS = Asset("alloincognito_new_calls", watchers=[AssetWatcher(name="alloincognito_new_calls", trigger=TRIGGER)])
# Arguments of the daily DAG's operator that are about whole days.
OF_A_DAY = ("output_path", "period_start", "period_end", "min_rows", "partition_by_day")
# The periods that the last run has not loaded, or is about to load.
UNFINISHED = f"{FILES}/stream/unfinished.json"
log = logging.getLogger(__name__)


@task(inlets=[NEW_CALLS], retries=100)  # no other run has its events
def windows(**context: Any) -> list[dict[str, str]]:
    """Return the periods that the run's events tell of, and those that were left; or that of the run's params."""
    params = context["params"]
    if params["period_end"]:
        return [{name: params[name] for name in ("period_start", "period_end")}]
    left = [one for one in read_unfinished() if not has_landed(ends_of(one)[0].date())]
    asked = periods_with_new_calls(context, left)
    write_unfinished(asked)
    return asked


@task(trigger_rule="all_done", max_active_tis_per_dag=1)  # others would only wait for the file's lock
def load(asked: list[dict[str, str]] | None, landed: Iterable[dict[str, Any]] | None) -> dict[str, int]:
    """Replace each period in the table of calls, but for those of days that the daily DAG has landed."""
    import pyarrow

    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # the default pool keeps what it has freed
    if asked is None:
        raise AirflowFailException("There is nothing to load: windows failed. See its log.")
    periods = [LandedPeriod(*read_interval(one["interval"]), one["path"]) for one in landed or ()]
    with locked_warehouse() as db:  # so that the daily DAG cannot load in between
        finished = {day for day in {one.start.date() for one in periods} if has_landed(day)}
        if finished:
            log.info("The daily DAG has landed %s already: left as they are", ", ".join(map(str, sorted(finished))))
        open_periods = [one for one in periods if one.start.date() not in finished]
        rows = sum(replace(db, period) for period in open_periods)
    loaded = {(one.start, one.end) for one in periods}
    write_unfinished([one for one in read_unfinished() if ends_of(one) not in loaded])
    if len(periods) < len(asked):
        raise AirflowFailException(
            f"{len(asked) - len(periods)} of {len(asked)} periods could not be landed: see the tasks named calls. The "
            "others are loaded. The next run tries these again, until the daily DAG has landed their day. Trigger a "
            "run by hand again yourself."
        )
    return {"periods": len(open_periods), "rows": rows}


def has_landed(day: date) -> bool:
    """Return whether the daily DAG has landed a day."""
    return Layout(FILES).calls(str(day)).exists()


def ends_of(period: dict[str, str]) -> tuple[datetime, datetime]:
    """Return a period's first moment, and the one after it."""
    return datetime.fromisoformat(period["period_start"]), datetime.fromisoformat(period["period_end"])


def read_unfinished() -> list[dict[str, str]]:
    """Return what was written last; none at first."""
    try:
        return json.loads(ObjectStoragePath(UNFINISHED).read_text())
    except FileNotFoundError:
        return []


def write_unfinished(periods: list[dict[str, str]]) -> None:
    """Keep these periods instead of those before."""
    with whole_file(ObjectStoragePath(UNFINISHED)) as file:
        file.write(json.dumps(periods).encode())


with DAG(
    dag_id="alloincognito_stream",
    doc_md=__doc__,
    schedule=[NEW_CALLS],
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    max_active_runs=1,  # meanwhile, events wait for the next run, which has them all
    params=period_params(),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
) as dag:
    asked = windows()
    calls = AlloincognitoCallListOperator.partial(
        task_id="calls",
        output_path=f"{FILES}/stream/date={{{{ period }}}}/calls.parquet",
        retries=1,  # the next run is the next try
        max_active_tis_per_dagrun=2,
        **{name: getattr(daily_calls, name) for name in daily_calls.template_fields if name not in OF_A_DAY},
    ).expand_kwargs(asked)
    load(asked, calls.output)
