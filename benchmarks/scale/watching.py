"""What it takes to look at every contract every few minutes, by arithmetic: nothing in it waits for anything."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.scale.plan import HOUR, Plan
from benchmarks.scale.units import UnitCosts

DAY = 24 * HOUR
HOURS_WITH_CALLS = 12
LOOKS = 2
"""At each window: when it has settled, and once more."""
TASKS_OF_A_WINDOW, LANDING_TASKS = 3, 1
"""Of ``alloincognito_stream``: windows, calls, and load."""


@dataclass(frozen=True)
class Watching:
    """
    A day of triggers that look at windows, and of the DAG runs that they start.

    :param minutes: length of a window.
    :param looks: requests of the watchers.
    :param triggerer: cores that these take.
    :param scheduler: schedulers that are busy in the hours with calls.
    :param api_server: processes of the API server, likewise.
    :param cores: of workers, likewise, to start the tasks and to land the rows.
    """

    minutes: int
    looks: int
    triggerer: float
    runs: int
    tasks: int
    scheduler: float
    api_server: float
    cores: float


def watch(minutes: int, plan: Plan, units: UnitCosts) -> Watching:
    """Return a day with windows of so many minutes. Each contract has calls in each window of 12 hours."""
    looks = plan.contracts * LOOKS * 24 * 60 // minutes
    runs = plan.contracts * HOURS_WITH_CALLS * 60 // minutes
    tasks = runs * TASKS_OF_A_WINDOW
    task, landing, run = units.airflow.task, units.airflow.calls, units.airflow.run
    hours = HOURS_WITH_CALLS * HOUR
    scheduler = runs * (run.scheduler + run.database + LANDING_TASKS * landing.scheduler)
    scheduler += tasks * (task.scheduler + task.database)
    api_server = runs * (run.api_server + LANDING_TASKS * (landing.api_server + landing.database))
    api_server += tasks * task.api_server
    cores = runs * (run.tasks + LANDING_TASKS * landing.tasks) + tasks * task.tasks + plan.calls / 1000 * units.rows_cpu
    return Watching(
        minutes=minutes,
        looks=looks,
        triggerer=looks * units.look_cpu / DAY,
        runs=runs,
        tasks=tasks,
        scheduler=scheduler / hours,
        api_server=api_server / hours,
        cores=cores / hours,
    )
