"""
Run the DAGs of a test with real Airflow in this process, and return the outcome of a run as one value.

On Airflow 3.3 and 2.11.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow.models.taskmap import TaskMap  # noqa: F401 - other models refer to it by name
from airflow.timetables.interval import CronDataIntervalTimetable

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

_known: set[str] = set()
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
    if dag.dag_id not in _known:
        _make_known(dag)
    date_argument = "logical_date" if AIRFLOW_VERSION >= (3, 0) else "execution_date"
    dag_run: Any = dag.test(**{date_argument: logical_date}, run_conf=conf)  # type: ignore[arg-type]
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


def _listen(task: Any, keep: Callable[[Any], None]) -> None:
    for name in ("on_failure_callback", "on_retry_callback"):
        if hasattr(task, "partial_kwargs"):
            task.partial_kwargs[name] = [keep]
        else:
            setattr(task, name, [keep])


def _make_known(dag: DAG) -> None:
    """Save the DAG as the DAG processor does: Airflow 3 runs only DAGs of its database."""
    _known.add(dag.dag_id)
    if AIRFLOW_VERSION < (3, 0):
        return
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    bag = DagBag(collect_dags=False)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)


def _read_instances(run: Run, dag_run: Any) -> None:
    from airflow.models import xcom as xcoms
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session
    from sqlalchemy import select

    XComModel: Any = xcoms.XComModel if AIRFLOW_VERSION >= (3, 0) else xcoms.XCom
    with create_session() as session:
        for ti in dag_run.get_task_instances(session=session):
            run.states[ti.task_id] = str(ti.state)
            run.tries[ti.task_id] = ti.try_number
        mine = (XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id)
        for xcom in session.scalars(select(XComModel).where(*mine, XComModel.key == "return_value")):
            value = XComModel.deserialize_value(xcom) if AIRFLOW_VERSION >= (3, 0) else xcom.value
            if xcom.map_index < 0:
                run.xcoms[xcom.task_id] = value
            else:
                run.xcoms.setdefault(xcom.task_id, []).append(value)
        fields = RenderedTaskInstanceFields
        for row in session.scalars(
            select(fields).where(fields.dag_id == dag_run.dag_id, fields.run_id == dag_run.run_id)
        ):
            run.rendered[row.task_id] = row.rendered_fields
