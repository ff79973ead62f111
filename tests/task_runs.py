"""Run code inside a task of real Airflow, in this process, where Variables can be read and written."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from known_dags import make_known

from airflow_provider_alloincognito.compat import DAG, BaseOperator

_numbers = itertools.count()


class Calling(BaseOperator):
    """Calls the function that :func:`in_task` was given."""

    todo: Callable[[], Any]

    def execute(self, context: Any) -> None:
        Calling.todo()


@dataclass
class TaskRun:
    """A task's final state, its last error, and how many times it was tried."""

    state: str
    error: BaseException | None
    tries: int


def run_task(make: Callable[[], Any]) -> TaskRun:
    """Run a DAG with the one task that ``make`` returns."""
    with DAG(f"task_{next(_numbers)}", schedule=None, start_date=datetime(2025, 1, 1)) as dag:
        task = make()
    return _run(dag, task)


def in_task(todo: Callable[[], Any]) -> Any:
    """Call ``todo`` in a task; return what it returns, and raise what it raises."""
    returned: list[Any] = []
    raised: list[BaseException] = []

    def call() -> None:
        try:
            returned.append(todo())
        except BaseException as error:
            raised.append(error)
            raise

    Calling.todo = staticmethod(call)
    global _calling
    if _calling is None:
        with DAG("calling", schedule=None, start_date=datetime(2025, 1, 1)) as dag:
            _calling = Calling(task_id="calling"), dag
    _run(_calling[1], _calling[0])
    if raised:
        raise raised[-1]
    return returned[0]


_calling: tuple[Any, Any] | None = None


def _run(dag: Any, task: Any) -> TaskRun:
    errors: list[BaseException] = []
    keep = [lambda context: errors.append(context["exception"])]
    task.on_failure_callback = task.on_retry_callback = keep
    make_known(dag)
    dag_run = dag.test()
    (instance,) = dag_run.get_task_instances()
    return TaskRun(str(instance.state), errors[-1] if errors else None, instance.try_number)
