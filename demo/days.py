"""
Run the daily DAG for some days, in this process, in real Airflow.

``python -m demo.days DAY...``, with the environment variables of ``demo.place``. Writes a line of JSON for each change
of a task's state to the file descriptor in ``DEMO_PROGRESS``; Airflow itself logs to stdout and stderr.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import time
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from demo.place import DAGS

DAG_MODULE = "alloincognito_daily_calls"


class Progress:
    """Reports the tasks' states, with the callbacks that Airflow offers every DAG author."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began = time.monotonic()

    def report(self, **event: Any) -> None:
        """Write a line."""
        self._out.write(json.dumps(event) + "\n")
        self._out.flush()

    def watch(self, dag: Any, day: str) -> None:
        """Report what the tasks of a DAG do."""
        for task in dag.tasks:
            task.on_execute_callback = [partial(self._start, day)]
            task.on_success_callback = [partial(self._end, day)]
            task.on_failure_callback = [partial(self._fail, day)]
            # Show a failure at once, not after the DAG's retries.
            task.retries = 0

    def _start(self, day: str, context: Any) -> None:
        self._began = time.monotonic()
        self.report(day=day, task=context["ti"].task_id, state="running")

    def _end(self, day: str, context: Any) -> None:
        task = context["ti"].task_id
        result = context["ti"].xcom_pull(task_ids=task)
        seconds = time.monotonic() - self._began
        self.report(day=day, task=task, state="success", seconds=seconds, result=result)

    def _fail(self, day: str, context: Any) -> None:
        self.report(day=day, task=context["ti"].task_id, state="failed", error=str(context.get("exception")))


def main(days: list[str]) -> int:
    """Create Airflow's database, and run the days."""
    with os.fdopen(int(os.environ["DEMO_PROGRESS"]), "w", encoding="utf-8") as out:
        progress = Progress(out)
        import airflow
        from airflow.utils.db import upgradedb

        upgradedb()
        progress.report(ready=airflow.__version__)
        sys.path.insert(0, str(DAGS))
        module = importlib.import_module(DAG_MODULE)
        for day in days:
            progress.watch(module.dag, day)
            run = module.dag.test(**{_date_argument(module.dag): _end_of(day, module.ZONE)})
            if str(run.state) != "success":
                return 1
    return 0


def _date_argument(dag: Any) -> str:
    """Return the argument's name, which differs between Airflow 3 and 2."""
    names = inspect.signature(dag.test).parameters
    return "logical_date" if "logical_date" in names else "execution_date"


def _end_of(day: str, zone: str) -> datetime:
    """Return the moment after a day: a manual run covers the last complete interval before its date."""
    return datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)) + timedelta(days=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
