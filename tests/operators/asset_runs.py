"""Run the tasks of a test with real Airflow, 2.11 or 3, and return what Airflow then knows: events, links, XComs."""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from airflow.models.taskmap import TaskMap  # noqa: F401 - other models refer to it by name
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION, DAG

START = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
_numbers = itertools.count()


class Event(NamedTuple):
    """An asset's event."""

    uri: str
    extra: dict[str, Any]
    partition_key: str | None


@dataclass
class Announced:
    """
    What Airflow knows after a run.

    :param states: the states of the task instances, in the order of their ids.
    :param events: the assets' events, oldest first.
    :param xcoms: the XComs by task and key; of a mapped task, the last.
    """

    dag_id: str
    states: list[str]
    events: list[Event]
    xcoms: dict[tuple[str, str], Any]

    @property
    def event(self) -> Event:
        """The one event."""
        (event,) = self.events
        return event


def announce(make: Callable[[], Any], logical_date: datetime, dag_id: str = "announcing") -> Announced:
    """
    Run the tasks that ``make`` makes, in a DAG of Moscow days.

    :param logical_date: the end of the day.
    """
    schedule = CronDataIntervalTimetable("0 0 * * *", timezone="Europe/Moscow")
    dag = DAG(f"{dag_id}_{next(_numbers)}", schedule=schedule, start_date=START, catchup=False)
    with dag:
        make()
    _make_known(dag)
    argument = "execution_date" if "execution_date" in inspect.signature(dag.test).parameters else "logical_date"
    run = dag.test(**{argument: logical_date})  # type: ignore[arg-type]
    instances = sorted(run.get_task_instances(), key=lambda one: (one.task_id, one.map_index))
    return Announced(dag.dag_id, [str(one.state) for one in instances], _events(dag.dag_id), _xcoms(run))


def _make_known(dag: Any) -> None:
    """Save the DAG and its assets as the DAG processor does."""
    if AIRFLOW_VERSION < (3, 0):
        dag.bulk_write_to_db([dag])
        return
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    bag = DagBag(collect_dags=False)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)


def _events(dag_id: str) -> list[Event]:
    from airflow.utils.session import create_session
    from sqlalchemy import select

    model = _model("dataset:DatasetEvent", "asset:AssetEvent")
    with create_session() as session:
        rows = session.scalars(select(model).where(model.source_dag_id == dag_id).order_by(model.id)).all()
        return [Event(row.uri, row.extra, getattr(row, "partition_key", None)) for row in rows]


def _xcoms(run: Any) -> dict[tuple[str, str], Any]:
    from airflow.utils.session import create_session
    from sqlalchemy import select

    model = _model("xcom:XCom", "xcom:XComModel")
    with create_session() as session:
        rows = session.scalars(select(model).where(model.dag_id == run.dag_id, model.run_id == run.run_id)).all()
        read = attrgetter("value") if AIRFLOW_VERSION < (3, 0) else model.deserialize_value
        return {(row.task_id, row.key): read(row) for row in rows}


def _model(of_airflow_2: str, of_airflow_3: str) -> Any:
    module, _, name = (of_airflow_2 if AIRFLOW_VERSION < (3, 0) else of_airflow_3).partition(":")
    return getattr(importlib.import_module(f"airflow.models.{module}"), name)
