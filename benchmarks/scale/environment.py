"""One Airflow of the simulation: what a task instance takes of its scheduler, API server and workers."""

from __future__ import annotations

from benchmarks.scale.events import Line, Places, Process, Simulation
from benchmarks.scale.plan import Plan
from benchmarks.scale.units import UnitCosts


class Environment:
    """
    An Airflow.

    :param plan: of the whole deployment, of which this is one of ``plan.environments``.
    """

    def __init__(self, plan: Plan, units: UnitCosts, simulation: Simulation) -> None:
        workers = plan.workers / plan.environments
        self._simulation = simulation
        self._airflow = units.airflow
        self._store = units.airflow.stores[plan.store]
        self._keeps_variables = plan.store == "variable"
        self._slots = Places(max(1, round(workers * plan.slots)))
        self.cores = Line(max(1, round(workers * plan.cores)))
        self.scheduler = Line(plan.schedulers)
        self.api_server = Line(plan.api_processes)
        self.tasks = self.runs = self.store_calls = 0
        self.most_running = 0
        self._running, self._running_since, self._slot_seconds = 0, 0.0, 0.0

    def task(self, work: Process | None = None) -> Process:
        """Run a task instance: from the time at which it could run until its end."""
        task, simulation = self._airflow.task, self._simulation
        self.tasks += 1
        yield self._slots
        self._count_running(1)
        # The scheduler waits for the database.
        yield self.scheduler.take(simulation.now, task.scheduler + task.database)
        yield self.api_server.take(simulation.now, task.api_server)
        yield self.cores.take(simulation.now, task.tasks)
        if work is not None:
            yield from work
        self._count_running(-1)
        simulation.free(self._slots)

    @property
    def slot_seconds(self) -> float:
        """For how long the slots have been held so far."""
        return self._slot_seconds + self._running * (self._simulation.now - self._running_since)

    def _count_running(self, change: int) -> None:
        self._slot_seconds, self._running_since = self.slot_seconds, self._simulation.now
        self._running += change
        self.most_running = max(self.most_running, self._running)

    def new_run(self) -> Process:
        """Make a DAG run, with the asset event that starts it or that it ends with."""
        run = self._airflow.run
        self.runs += 1
        yield self.scheduler.take(self._simulation.now, run.scheduler + run.database)
        yield self.api_server.take(self._simulation.now, run.api_server)
        yield self.cores.take(self._simulation.now, run.tasks)

    def landing_task(self, work: Process) -> Process:
        """Run a task instance that lands something: it imports more, keeps state, and sends an asset event."""
        yield from self.task(self._landing(work))

    def _landing(self, work: Process) -> Process:
        more = self._airflow.calls
        yield self.cores.take(self._simulation.now, more.tasks)
        yield from self._call_store(self._store.calls_of_a_task)
        yield from work
        # The API server waits for the database.
        yield self.api_server.take(self._simulation.now, more.api_server + more.database)
        yield self.scheduler.take(self._simulation.now, more.scheduler)

    def rotate(self) -> Process:
        """Renew an expired pair."""
        until = self._simulation.now + self._store.refresh
        yield from self._call_store(self._store.refresh_calls)
        yield until

    def _call_store(self, calls: int) -> Process:
        self.store_calls += calls
        if self._keeps_variables:
            # What a call takes beyond the task's own CPU is the API server's at most.
            yield self.api_server.take(self._simulation.now, calls * (self._store.call - self._store.call_cpu))
        else:
            yield self._simulation.now + calls * self._store.call
