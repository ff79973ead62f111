"""
Run the DAGs of a test with real Airflow in this process, and return the outcome of a run as one value.

On Airflow 3.3 and 2.11.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from airflow.models.taskmap import TaskMap  # noqa: F401 - other models refer to it by name
from airflow.timetables.interval import CronDataIntervalTimetable
from known_dags import make_known

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION, DAG
from airflow_provider_alloincognito.sandbox import Sandbox

CONNECTION = "alloincognito_default"
# For tests of the token store. The other tests keep the pair in memory, which waits for nothing.
VARIABLE: dict[str, Any] = {
    "pair_store": "variable",
    "pair_store_seconds": 0.25,
    "pair_request_seconds": 0.5,
    "retries": 0,
}

StartSandbox = Callable[..., Sandbox]

_numbers = itertools.count()
START = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


@dataclass
class Run:
    """
    The outcome of a DAG run.

    :param errors: the errors of tasks in order, retries included.
    :param states: the final state of each task; of a mapped task, the last.
    :param tries: the number of tries of each task.
    :param xcoms: the return value of each task; of a mapped task, a list.
    :param rendered: the rendered fields of each task, as Airflow shows them.
    """

    state: str
    errors: list[BaseException] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    xcoms: dict[str, Any] = field(default_factory=dict)
    rendered: dict[str, Any] = field(default_factory=dict)

    @property
    def error(self) -> BaseException:
        """The one error."""
        assert len(self.errors) == 1, self.errors
        return self.errors[0]


def daily(timezone: str = "Europe/Moscow", hour: int = 0) -> CronDataIntervalTimetable:
    """Return the schedule that the documentation recommends."""
    return CronDataIntervalTimetable(f"0 {hour} * * *", timezone=timezone)


def run_dag(dag: DAG, logical_date: datetime | None, conf: dict[str, Any] | None = None) -> Run:
    """
    Run a DAG once.

    :param dag: made in the test, or imported from a file.
    :param logical_date: with a daily schedule, the end of the day; None is a run without one.
    :param conf: the run's params.
    """
    errors: list[BaseException] = []
    for task in dag.tasks:
        _listen(task, lambda context: errors.append(context["exception"]))
    make_known(dag)
    date: dict[str, Any] = {"logical_date" if AIRFLOW_VERSION >= (3, 0) else "execution_date": logical_date}
    dag_run: Any = dag.test(**date, run_conf=conf)
    run = Run(str(dag_run.state), errors)
    _read_instances(run, dag_run)
    return run


def one_task_dag(dag_id: str, make: Callable[[], Any], *, schedule: Any = None, retries: int = 0) -> DAG:
    """
    Make a DAG with the tasks that ``make`` makes, under a new id: Airflow would take it for a version of another.

    :param schedule: daily at Moscow's midnight by default.
    """
    with DAG(
        f"{dag_id}_{next(_numbers)}",
        schedule=schedule if schedule is not None else daily(),
        start_date=START,
        catchup=False,
        default_args={"retries": retries, "retry_delay": timedelta(0)},
    ) as dag:
        make()
    return dag


def dag_file_in(path: Path) -> ModuleType:
    """Import a DAG file, without its DAG's retries, which are minutes apart."""
    path.write_text(path.read_text().replace('"retries": 3', '"retries": 0'))
    spec = importlib.util.spec_from_file_location(f"dag_of_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _listen(task: Any, keep: Callable[[Any], None]) -> None:
    for name in ("on_failure_callback", "on_retry_callback"):
        if hasattr(task, "partial_kwargs"):  # mapped
            task.partial_kwargs[name] = [keep]
        else:
            setattr(task, name, [keep])


def _read_instances(run: Run, dag_run: Any) -> None:
    from airflow.models import xcom as xcoms
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session
    from sqlalchemy import select

    model: Any = xcoms.XComModel if AIRFLOW_VERSION >= (3, 0) else xcoms.BaseXCom
    with create_session() as session:
        for ti in dag_run.get_task_instances(session=session):
            run.states[ti.task_id] = str(ti.state)
            run.tries[ti.task_id] = ti.try_number
        mine = (model.dag_id == dag_run.dag_id, model.run_id == dag_run.run_id, model.key == "return_value")
        for xcom in session.scalars(select(model).where(*mine)):
            value = model.deserialize_value(xcom) if AIRFLOW_VERSION >= (3, 0) else xcom.value
            if xcom.map_index < 0:
                run.xcoms[xcom.task_id] = value
            else:
                run.xcoms.setdefault(xcom.task_id, []).append(value)
        fields = RenderedTaskInstanceFields
        for row in session.scalars(
            select(fields).where(fields.dag_id == dag_run.dag_id, fields.run_id == dag_run.run_id)
        ):
            run.rendered[row.task_id] = row.rendered_fields
