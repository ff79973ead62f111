"""Airflow with the daily DAG and its loads, as a user deploys them: LocalExecutor, and PostgreSQL as its database."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy
from warehouses import KINDS, Warehouse

from services.postgresql import postgresql
from services.sandbox import RunningSandbox
from services.standalone import EXAMPLES, Standalone

REPOSITORY = Path(__file__).parents[2]
DAILY = "alloincognito_daily_calls"
LOADS = [f"alloincognito_load_{kind.name}" for kind in KINDS]
PARALLELISM = 4
# Tasks are killed more often than on any real machine.
RETRIES = '"retries": 10, "retry_delay": timedelta(seconds=1)'


@dataclass(frozen=True)
class Deployed:
    """
    A running Airflow, whose DAGs are paused.

    :param database: Airflow's own.
    :param files: the folder of what lands.
    """

    airflow: Standalone
    database: sqlalchemy.Engine
    files: Path
    warehouses: list[Warehouse]

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        self.airflow.call("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def runs(self, dag_id: str) -> Counter[str]:
        """Return the number of a DAG's runs by state."""
        found = self._query("SELECT state, count(*) FROM dag_run WHERE dag_id = :dag_id GROUP BY 1", dag_id=dag_id)
        return Counter(dict(found))

    def events_that_wait(self) -> int:
        """Return how many events no run has been made for yet."""
        ((number,),) = self._query(
            "SELECT (SELECT count(*) FROM asset_dag_run_queue) + "
            "(SELECT count(*) FROM asset_partition_dag_run WHERE created_dag_run_id IS NULL)"
        )
        return int(number)

    def tasks(self, ids: set[str]) -> Counter[str]:
        """Return how many of these task instances each task of each DAG had."""
        tries = self._query(
            "SELECT dag_id || '.' || task_id, id::text FROM task_instance UNION "
            "SELECT dag_id || '.' || task_id, task_instance_id::text FROM task_instance_history"
        )
        return Counter(task for task, one in tries if one in ids)

    def _query(self, text: str, **values: str) -> list[Any]:
        with self.database.connect() as connection:
            return list(connection.execute(sqlalchemy.text(text), values))


@contextmanager
def deployed(folder: Path, sandbox: RunningSandbox, first_day: date, last_day: date) -> Iterator[Deployed]:
    """
    Start Airflow and a warehouse of each kind.

    :param folder: for all files.
    :param first_day: the daily DAG covers the days from this one.
    :param last_day: to this one.
    """
    with ExitStack() as stack:
        address = stack.enter_context(postgresql())
        warehouses = [stack.enter_context(kind.start()) for kind in KINDS]
        engine = sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT")
        stack.callback(engine.dispose)
        environment = {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address,
            "AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT": sandbox.connection,
            "ALLOINCOGNITO_FILES": (folder / "files").as_uri(),
            "ALLOINCOGNITO_FIRST_DAY": str(first_day),
            "PYTHONPATH": str(REPOSITORY),
        }
        for warehouse in warehouses:
            environment.update(warehouse.variables)
        home = folder / "airflow"
        home.mkdir()
        airflow = Standalone(home, **environment)
        stack.callback(airflow.stop)
        _copy_dags(airflow.dags, last_day)
        airflow.wait_until_healthy()
        airflow.until(
            lambda: all(f'"{dag_id}"' in airflow.text_of("dags?limit=100") for dag_id in [DAILY, *LOADS]), 180
        )
        yield Deployed(airflow, engine, folder / "files", warehouses)


def _copy_dags(folder: Path, last_day: date) -> None:
    """Copy the example DAGs as they stand, but for what would take hours, and an end."""
    for name in [DAILY, *LOADS]:
        text = (EXAMPLES / f"{name}.py").read_text()
        text = _edited(text, '"retries": 3, "retry_delay": timedelta(minutes=5)', RETRIES)
        if name == DAILY:
            text = _edited(text, "max_active_runs=3,", f"max_active_runs=4, end_date={_midnight(last_day)},")
        else:
            shutil.copy(EXAMPLES / f"{name}.sql", folder)
        (folder / f"{name}.py").write_text(text)


def _midnight(day: date) -> str:
    return f"datetime({day.year}, {day.month}, {day.day}, tzinfo=ZoneInfo(ZONE))"


def _edited(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)
