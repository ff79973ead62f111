"""The DAG runs of a soak: they are triggered for day after day, and Airflow's database says what became of them."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.standalone import Standalone

DAGS = ("daily", "windows", "waiting", "mapped")
FIRST_DAY = date(2025, 1, 1)
"""The DAGs start before it."""
MOSCOW = ZoneInfo("Europe/Moscow")
ACTIVE_RUNS = 3
KILLED = "SIGKILL"
_TRIES = """
    SELECT id, dag_id, run_id, task_id, map_index, try_number, state, start_date, end_date FROM task_instance
    WHERE state != 'removed'
    UNION ALL
    SELECT task_instance_id, dag_id, run_id, task_id, map_index, try_number, 'retried', start_date, end_date
    FROM task_instance_history
    ORDER BY dag_id, run_id, task_id, map_index, try_number
"""


@dataclass(frozen=True)
class Try:
    """
    A try of a task.

    :param state: Airflow's, or ``retried``.
    :param reason: what ended it, unless it succeeded: ``SIGKILL``, or the last error in its log.
    """

    dag_id: str
    run_id: str
    task: str
    number: int
    state: str
    reason: str
    start: float
    end: float

    @property
    def key(self) -> tuple[str, str, str]:
        """The task instance that it belongs to."""
        return self.dag_id, self.run_id, self.task


class Runs:
    """Triggers runs, and reads what became of them."""

    def __init__(self, airflow: Standalone) -> None:
        self._airflow = airflow
        self._next = cycle(DAGS)
        self._triggered: Counter[str] = Counter()

    def trigger(self) -> None:
        """Trigger the next run, unless there are enough of them."""
        if self.active() < ACTIVE_RUNS:
            dag_id = next(self._next)
            day = FIRST_DAY + timedelta(days=self._triggered[dag_id])
            start, end = (_midnight(one).isoformat() for one in (day, day + timedelta(days=1)))
            run = {
                "dag_run_id": str(day),
                "logical_date": start,
                "data_interval_start": start,
                "data_interval_end": end,
            }
            self._airflow.call("POST", f"dags/{dag_id}/dagRuns", run)
            self._triggered[dag_id] += 1

    def active(self) -> int:
        """Return the number of runs that have not ended."""
        return len([state for _, _, state in self.states() if state not in ("success", "failed")])

    def states(self) -> list[tuple[str, str, str]]:
        """Return DAG id, run id and state of all runs."""
        return [
            (str(dag), str(run), str(state))
            for dag, run, state in self._query("SELECT dag_id, run_id, state FROM dag_run")
        ]

    def tries(self, killed: set[str]) -> list[Try]:
        """
        Return all tries of all tasks, those of one task instance in their order.

        :param killed: the ids of the task instances that were killed.
        """
        ids = {one.replace("-", "") for one in killed}
        return [self._try(row, ids) for row in self._query(_TRIES)]

    def _try(self, row: tuple[Any, ...], killed: set[str]) -> Try:
        identifier, dag_id, run_id, task_id, map_index, number, state, start, end = row
        failed = state in ("failed", "retried", "up_for_retry")
        place = Path(f"dag_id={dag_id}", f"run_id={run_id}", f"task_id={task_id}")
        place = place / f"map_index={map_index}" if map_index >= 0 else place
        log = self._airflow.home / "logs" / place / f"attempt={number}.log"
        return Try(
            dag_id,
            run_id,
            f"{task_id}[{map_index}]" if map_index >= 0 else task_id,
            number,
            str(state),
            (KILLED if identifier in killed else last_error(log)) if failed else "",
            _seconds(start),
            _seconds(end),
        )

    def _query(self, text: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self._airflow.home / 'airflow.db'}?mode=ro", uri=True, timeout=60)) as db:
            return db.execute(text).fetchall()


def last_error(log: Path) -> str:
    """Return the class of the last error in a task's log, or what Airflow wrote instead."""
    reason = "nothing in its log"
    for line in map(json.loads, log.read_text(errors="replace").splitlines() if log.exists() else ()):
        if line.get("error_detail"):
            reason = line["error_detail"][0]["exc_type"]
        elif line["level"] in ("error", "critical"):
            reason = line["event"].partition(".")[0]
    return reason


def by_task(tries: list[Try]) -> Iterator[list[Try]]:
    """Yield the tries of each task instance, the last one last."""
    found: dict[tuple[str, str, str], list[Try]] = defaultdict(list)
    for one in tries:
        found[one.key].append(one)
    yield from found.values()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=MOSCOW)


def _seconds(moment: str | None) -> float:
    return datetime.fromisoformat(f"{moment}+00:00").timestamp() if moment else 0.0
