"""
Run the daily DAG and the DAG that loads into DuckDB for some days, then the report, in this process, in real Airflow.

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

EACH_DAY = ["alloincognito_daily_calls", "alloincognito_load_duckdb"]
"""The DAGs that run for each day, in this order. A scheduler would start the second by the first one's event."""
AT_THE_END = "alloincognito_report"
"""The DAG that reads the whole table."""


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
        modules = [importlib.import_module(name) for name in EACH_DAY]
        report = importlib.import_module(AT_THE_END).dag
        for day in days:
            start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(modules[0].ZONE))
            end = start + timedelta(days=1)
            period = {"period_start": start.isoformat(), "period_end": end.isoformat()}
            for module in modules:
                progress.watch(module.dag, day)
                if not _run(module.dag, end, period):
                    return 1
        progress.watch(report, "all days")
        return 0 if _run(report, end, {}) else 1


def _run(dag: Any, date: datetime, params: dict[str, str]) -> bool:
    """Run a DAG; return whether it succeeded."""
    return str(dag.test(**{_date_argument(dag): date}, run_conf=params).state) == "success"


def _date_argument(dag: Any) -> str:
    """Return the argument's name, which differs between Airflow 3 and 2."""
    names = inspect.signature(dag.test).parameters
    return "logical_date" if "logical_date" in names else "execution_date"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
