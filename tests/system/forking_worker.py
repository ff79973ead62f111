"""
A worker that forks a process for each task, as Airflow's LocalExecutor does, so that one can be killed.

Reads a task as a line of JSON: the operator's class, its arguments, and the data interval. Writes the child's process
id, and, once the child has ended, its wait status.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from airflow_provider_alloincognito.compat import DAG
from airflow_provider_alloincognito.operators import alloincognito as operators
from airflow_provider_alloincognito.sensors import alloincognito as sensors

OPERATORS = {**vars(operators), **vars(sensors)}
# Airflow logs to stdout.
_results = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if not child:
            run(task)
        send({"pid": child})
        _, status = os.waitpid(child, 0)
        send({"status": os.waitstatus_to_exitcode(status)})


def run(task: dict[str, Any]) -> None:
    """Run a task, and exit."""
    code = 1
    try:
        interval = {name: datetime.fromisoformat(moment) for name, moment in task["interval"].items()}
        with DAG("killed"):
            operator = OPERATORS[task["operator"]](task_id="task", **task["arguments"])
        # As Airflow 3 does: it calls on_kill, and the task goes on.
        signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
        operator.execute({**interval, "ti": SimpleNamespace(try_number=1)})
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def send(result: dict[str, int]) -> None:
    _results.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
