"""
### Load landed calls into ClickHouse

Runs when `alloincognito_daily_calls` has landed a day, and replaces that day in the tables `calls` and `recordings`,
each in one step: the rows go into a table of their own, whose partition then takes the place of the day's. To load what
has landed before, trigger it and fill in *Period start* and *Period end*.

Needs the provider `apache-airflow-providers-clickhousedb` and the Connection `clickhouse_default`. The tables are
in the `.sql` file beside this one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from alloincognito_daily_calls import COLUMNS, FILES, ZONE

from airflow_provider_alloincognito.compat import DAG, task
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.loading import LandedPeriod, landed_periods, on_landed, without_rows
from airflow_provider_alloincognito.operators.period import period_params

if TYPE_CHECKING:
    import pyarrow

CONNECTION = "clickhouse_default"
# A load that was killed leaves its tables behind. The next one drops those that are older.
LONGEST_LOAD = timedelta(hours=24)
LEFT_BEHIND = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND match(name, '^(calls|recordings)_loading_')
AND extract(name, '[0-9]+') < {before:String}
"""
# A period of several days has one manifest: each recording gets the day of its call.
WITH_DAYS = """
INSERT INTO {dated} SELECT landed.* REPLACE (ifNull(calls.day, landed.date) AS date)
FROM {landed} AS landed LEFT JOIN (
    SELECT assumeNotNull(record_file_id) AS id, toNullable(min(date)) AS day
    FROM {calls} WHERE record_file_id IS NOT NULL GROUP BY id
) AS calls ON calls.id = landed.record_file_id
"""
BATCHES_A_REQUEST = 4


@task
def load(**context: Any) -> dict[str, int]:
    """Replace each landed day in the tables."""
    from airflow.providers.clickhousedb.hooks.clickhouse import ClickHouseHook

    client = ClickHouseHook(CONNECTION).get_client()
    for statement in Path(__file__).with_suffix(".sql").read_text().split(";\n")[:-1]:
        client.command(statement)
    before = f"{datetime.now(UTC) - LONGEST_LOAD:%Y%m%d%H%M%S}"
    for (name,) in client.query(LEFT_BEHIND, {"before": before}).result_rows:
        client.command(f"DROP TABLE IF EXISTS {name}")
    periods = landed_periods(context, FILES, ZONE)
    return {"periods": len(periods), "rows": sum(replace(client, period) for period in periods)}


def replace(client: Any, period: LandedPeriod) -> int:
    """Replace the days of a period, and return the number of its calls."""
    from airflow_provider_alloincognito.landing.reading import file_versions, read_calls, read_recordings

    if not period.days:
        raise AlloincognitoQueryError(
            f"The period {period.name} is not whole days, and in ClickHouse whole days are replaced. Land and load the "
            "whole day."
        )
    rows, loaded = 0, None
    # ClickHouse has no locks. If the files change while another load replaces the day, the last one loads them again.
    while loaded != (landed := file_versions(period.calls, period.manifest)):
        with loading(client, "calls") as calls, loading(client, "recordings") as dated:
            rows = insert(client, calls, read_calls(period.calls, COLUMNS, ZoneInfo(ZONE)))
            if period.manifest:
                with loading(client, "recordings") as undated:
                    insert(client, undated, read_recordings(period.manifest, period.days[0]))
                    client.command(WITH_DAYS.format(dated=dated, landed=undated, calls=calls))
            replace_days(client, "calls", period.days, calls)
            if period.manifest:
                replace_days(client, "recordings", period.days, dated)
        loaded = landed
    return rows


@contextmanager
def loading(client: Any, table: str) -> Iterator[str]:
    """Create a table of this try alone, like another one, and drop it at the end."""
    name = f"{table}_loading_{datetime.now(UTC):%Y%m%d%H%M%S}_{secrets.token_hex(8)}"
    client.command(f"CREATE TABLE {name} AS {table}")
    try:
        yield name
    finally:
        client.command(f"DROP TABLE IF EXISTS {name}")


def insert(client: Any, table: str, batches: pyarrow.RecordBatchReader) -> int:
    """Append batches to a table, and return the number of their rows."""
    import pyarrow

    types = {name: kind for name, kind, *_ in client.query(f"DESCRIBE TABLE {table}").result_rows}
    rows = 0
    while some := list(islice(batches, BATCHES_A_REQUEST)):
        settings = {"input_format_null_as_default": 0}  # a call without its day is an error, not a call of 1970
        batch = pyarrow.Table.from_batches(some)
        with without_rows():
            refuse_texts(batch, types)
            client.insert_arrow(table, batch, settings=settings)
        rows += batch.num_rows
    return rows


def refuse_texts(batch: pyarrow.Table, types: dict[str, str]) -> None:
    """Refuse texts in a column of numbers or times, where ClickHouse takes those that it cannot read as nulls."""
    import pyarrow

    for name, column in zip(batch.column_names, batch.columns, strict=True):
        is_text = pyarrow.types.is_string(column.type) and column.null_count < len(column)
        if is_text and re.search("Int|Float|Decimal|Bool|Date", types.get(name, "")):
            raise TypeError(f"{name} has landed as text, and is {types[name]} in the table")


def replace_days(client: Any, table: str, days: list[date], source: str) -> None:
    """Let days of another table take the place of a table's."""
    for day in days:
        client.command(f"ALTER TABLE {table} REPLACE PARTITION '{day}' FROM {source}")


with DAG(
    dag_id="alloincognito_load_clickhouse",
    doc_md=__doc__,
    schedule=on_landed("alloincognito_daily_calls", "recordings"),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    params=period_params(),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["alloincognito"],
) as dag:
    load()
