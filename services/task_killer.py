"""Kill tasks of a running Airflow with SIGKILL, as the kernel does when a machine has no memory left."""

from __future__ import annotations

import random
import re
from contextlib import suppress

import psutil

TASK = re.compile(r"airflow worker -- ([0-9a-f-]{36})\s*")
"""The title of a process that runs a task instance."""


class TaskKiller:
    """
    Kills one task at a time.

    :param airflow: the pid of the process that started all others of Airflow.
    """

    def __init__(self, airflow: int) -> None:
        self.killed: set[str] = set()
        """The ids of the task instances that were killed."""
        self._airflow = psutil.Process(airflow)

    def kill_one(self) -> None:
        """Kill a task, any of those that are running."""
        processes = self._airflow.children(recursive=True)
        tasks = [(process, task) for process in processes if (task := _task_of(process))]
        if tasks:
            process, task = random.choice(tasks)
            with suppress(psutil.NoSuchProcess):
                process.kill()
                self.killed.add(task)


def _task_of(process: psutil.Process) -> str | None:
    """Return the id of the task instance that a process runs."""
    try:
        found = TASK.fullmatch(" ".join(process.cmdline()))
    except psutil.Error:  # it has just ended
        return None
    return found[1] if found else None
