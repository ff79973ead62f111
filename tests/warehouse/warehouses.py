"""
The warehouses that example DAGs load into, and what the tests have to know about each: one class a kind.

A kind whose example DAG is missing is left out.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pyarrow
import pyarrow.csv
import pyarrow.parquet
import sqlalchemy

from services.clickhouse import clickhouse
from services.postgresql import postgresql

EXAMPLES = Path(__file__).parents[2] / "example_dags"
TABLES = ("calls", "recordings")


@dataclass
class Warehouse:
    """
    An empty warehouse that is running.

    :param variables: the environment variables that a load needs.
    :param connect: opens a connection.
    """

    variables: Mapping[str, str]
    connect: Any = field(repr=False)
    name: ClassVar[str]
    replaces_parts_of_days: ClassVar[bool] = True
    # What the column of a landed type is declared as.
    declared: ClassVar[Mapping[str, str]]

    @classmethod
    def start(cls) -> Any:
        """Start it; a context manager."""
        raise NotImplementedError

    def read(self, table: str, schema: pyarrow.Schema) -> pyarrow.Table:
        """
        Return a table's rows, ordered by all keys.

        :param schema: the columns that are wanted.
        """
        raise NotImplementedError

    def run(self, statement: str) -> None:
        """Run one statement."""
        raise NotImplementedError

    def tables(self) -> list[str]:
        """Return the names of its tables."""
        raise NotImplementedError

    def empty(self) -> None:
        """Drop all that a test has made."""
        for table in self.tables():
            self.run(f"DROP TABLE IF EXISTS {table}")

    def stored(self, text: str) -> str:
        """Return what a text is in the table."""
        return text


class PostgreSQL(Warehouse):
    """The provider's driver is psycopg or psycopg2; the tests read with psycopg2."""

    name = "postgres"
    declared: ClassVar = {
        "string": "text",
        "int64": "bigint",
        "float64": "double precision",
        "bool": "boolean",
        "timestamp": "timestamptz",
        "date": "date",
        "json": "text",
    }

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Warehouse]:
        import psycopg2

        with postgresql() as address:
            url = sqlalchemy.make_url(address)
            where = {"user": url.username, "dbname": url.database, "host": url.query["host"]}
            connection = {"conn_type": "postgres", "host": where["host"], "login": url.username, "schema": url.database}
            yield cls({"AIRFLOW_CONN_POSTGRES_DEFAULT": json.dumps(connection)}, lambda: psycopg2.connect(**where))

    def read(self, table: str, schema: pyarrow.Schema) -> pyarrow.Table:
        columns, keys = ", ".join(schema.names), ", ".join(schema.names[:2])
        content = io.BytesIO()
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.copy_expert(f"COPY (SELECT {columns} FROM {table} ORDER BY {keys}) TO STDOUT (FORMAT csv)", content)
        content.seek(0)
        if not content.getbuffer().nbytes:
            return schema.empty_table()
        return pyarrow.csv.read_csv(
            content,
            pyarrow.csv.ReadOptions(column_names=schema.names, block_size=1 << 24),
            pyarrow.csv.ParseOptions(newlines_in_values=True),
            pyarrow.csv.ConvertOptions(
                column_types=schema,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
                true_values=["t"],
                false_values=["f"],
            ),
        )

    def run(self, statement: str) -> None:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            connection.commit()

    def tables(self) -> list[str]:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY length(tablename)")
            return [name for (name,) in cursor.fetchall()]

    def stored(self, text: str) -> str:
        return text.replace("\0", "\ufffd")


class ClickHouse(Warehouse):
    """ClickHouse's engine behind a front that speaks its HTTP interface."""

    name = "clickhouse"
    replaces_parts_of_days = False
    declared: ClassVar = {
        "string": "Nullable(String)",
        "int64": "Nullable(Int64)",
        "float64": "Nullable(Float64)",
        "bool": "Nullable(Bool)",
        "timestamp": "Nullable(DateTime64(6, 'UTC'))",
        "date": "Nullable(Date32)",
        "json": "Nullable(String)",
    }

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Warehouse]:
        import clickhouse_connect

        with clickhouse() as server:
            yield cls(
                {"AIRFLOW_CONN_CLICKHOUSE_DEFAULT": server.connection},
                lambda: clickhouse_connect.get_client(host="127.0.0.1", port=server.port),
            )

    def read(self, table: str, schema: pyarrow.Schema) -> pyarrow.Table:
        columns, keys = ", ".join(schema.names), ", ".join(schema.names[:2])
        with closing(self.connect()) as client:
            found = client.query_arrow(f"SELECT {columns} FROM {table} ORDER BY {keys}", use_strings=True)
        # Its LowCardinality comes as a dictionary, and its UTC without a zone.
        arrays = []
        for column, wanted in zip(found.columns, schema.types, strict=True):
            if pyarrow.types.is_timestamp(wanted) and column.type.tz is None:
                column = column.cast(pyarrow.timestamp("us")).cast(pyarrow.timestamp("us", "UTC"))
            arrays.append(column.cast(wanted))
        return pyarrow.table(arrays, schema=schema)

    def run(self, statement: str) -> None:
        with closing(self.connect()) as client:
            client.command(statement)

    def tables(self) -> list[str]:
        with closing(self.connect()) as client:
            return [name for (name,) in client.query("SHOW TABLES").result_rows]


class DuckDB(Warehouse):
    """A file."""

    name = "duckdb"
    declared: ClassVar = {
        "string": "VARCHAR",
        "int64": "BIGINT",
        "float64": "DOUBLE",
        "bool": "BOOLEAN",
        "timestamp": "TIMESTAMPTZ",
        "date": "DATE",
        "json": "VARCHAR",
    }

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Warehouse]:
        import duckdb

        with TemporaryDirectory(prefix="duckdb-") as folder:
            file = f"{folder}/calls.duckdb"
            yield cls({"ALLOINCOGNITO_WAREHOUSE": file}, lambda: duckdb.connect(file))

    def read(self, table: str, schema: pyarrow.Schema) -> pyarrow.Table:
        columns, keys = ", ".join(schema.names), ", ".join(schema.names[:2])
        with self.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            found: pyarrow.Table = (
                db.sql(f"SELECT {columns} FROM {table} ORDER BY {keys}").to_arrow_table().cast(schema)
            )
        return found

    def run(self, statement: str) -> None:
        with self.connect() as db:
            db.execute(statement)

    def tables(self) -> list[str]:
        with self.connect() as db:
            return [name for (name,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()]


KINDS = [
    kind for kind in (PostgreSQL, ClickHouse, DuckDB) if (EXAMPLES / f"alloincognito_load_{kind.name}.py").exists()
]
