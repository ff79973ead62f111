"""
A worker that forks a process for each task, as Airflow's LocalExecutor does, so that one can be killed.

Reads a task as a line of JSON: the operator's class, its arguments, and the data interval. Writes the child's process
id, and, once the child has ended, its wait status.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_alloincognito.operators import alloincognito

# Airflow logs on stdout.
_answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if not child:
            run(task)
        say({"pid": child})
        _, status = os.waitpid(child, 0)
        say({"status": os.waitstatus_to_exitcode(status)})


def run(task: dict[str, Any]) -> None:
    """Run a task, and end."""
    code = 1
    try:
        interval = {name: datetime.fromisoformat(moment) for name, moment in task["interval"].items()}
        with DAG("killed"):
            operator = getattr(alloincognito, task["operator"])(task_id="task", **task["arguments"])
        operator.execute(interval)
        code = 0
    finally:
        os._exit(code)


def say(words: dict[str, int]) -> None:
    _answers.write(json.dumps(words) + "\n")


if __name__ == "__main__":
    main()
