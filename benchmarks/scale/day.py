"""The simulation of a day: every task instance, every request and every recording of all contracts."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.common.bodies import ROW_BYTES
from benchmarks.scale.contracts import Contract, contracts
from benchmarks.scale.environment import Environment
from benchmarks.scale.events import Line, Places, Process, Simulation
from benchmarks.scale.plan import HOUR, Plan
from benchmarks.scale.server import Server
from benchmarks.scale.units import UnitCosts

BASE64 = 4 / 3
MOST = 0.9
"""The contracts after which only the largest are left."""


@dataclass(frozen=True)
class Day:
    """
    What a day came to.

    :param mostly_landed: when the days of nine of ten contracts had landed, in seconds since midnight.
    :param landed: when the last contract's day had landed, likewise.
    :param loaded: when the last one had been loaded.
    :param on_time: the part of the contracts that had landed by the deadline.
    :param recordings: that landed.
    :param used: by resource, the part of its time that it was busy, until ``mostly_landed``: then come the largest.
    :param most_running: task instances at a time.
    :param slot_hours: hours of worker slots in which they ran.
    :param core_hours: CPU hours of tasks.
    :param most_requests: to the server, in one second.
    :param triggers: of sensors that waited in the triggerer.
    :param received: bytes from the server.
    """

    mostly_landed: float
    landed: float
    loaded: float
    on_time: float
    recordings: int
    used: dict[str, float]
    most_running: int
    slot_hours: float
    core_hours: float
    tasks: int
    runs: int
    requests: int
    most_requests: int
    store_calls: int
    rotations: int
    triggers: int
    received: int


def simulate(plan: Plan, units: UnitCosts) -> Day:
    """Simulate a day."""
    return _Deployment(plan, units).run()


class _Deployment:
    def __init__(self, plan: Plan, units: UnitCosts) -> None:
        self._plan, self._units = plan, units
        self._simulation = Simulation()
        self._environments = [Environment(plan, units, self._simulation) for _ in range(plan.environments)]
        self._server = Server(plan, self._simulation)
        known = max(one for one in units.recordings if one <= plan.concurrency)
        self._recording_cpu = units.recordings[known].cpu
        self._landed: list[float] = []
        self._loaded = 0.0
        self._before: dict[str, tuple[float, int]] = {}
        self._after: dict[str, tuple[float, int]] = {}
        self._rotations = self._triggers = 0

    def run(self) -> Day:
        self._contracts = contracts(self._plan)
        for number, environment in enumerate(self._environments):
            mine = self._contracts[number :: len(self._environments)]
            if self._plan.mapped:
                self._simulation.start(self._mapped_dag(environment, mine), at=0.0)
            else:
                for contract in mine:
                    self._simulation.start(self._dag(environment, contract), at=0.0)
        self._simulation.start(self._note_busy(), at=self._plan.settled)
        self._simulation.run()
        return self._day()

    def _dag(self, environment: Environment, contract: Contract) -> Process:
        """A DAG for each contract, as ``alloincognito_daily_calls``, and the DAG that loads."""
        yield from environment.new_run()
        yield from self._wait(environment)
        yield from self._fetch(environment, contract)
        yield from self._load(environment, 1)

    def _mapped_dag(self, environment: Environment, mine: list[Contract]) -> Process:
        """One DAG, whose group of tasks is mapped over the contracts."""
        yield from environment.new_run()
        yield from self._wait(environment)
        ended = Places(0)
        for contract in mine:
            self._simulation.start(self._then_free(self._fetch(environment, contract), ended), self._simulation.now)
        for _ in mine:
            yield ended
        yield from self._load(environment, len(mine))

    def _wait(self, environment: Environment) -> Process:
        """Wait until the day has settled: in the triggerer, or with a task instance every few minutes."""
        settled = self._plan.settled
        yield from environment.task()
        if not self._plan.reschedules:
            self._triggers += 1
            yield settled
            yield from environment.task()
        while self._simulation.now < settled:
            yield self._simulation.now + self._plan.poke_interval
            yield from environment.task()

    def _fetch(self, environment: Environment, contract: Contract) -> Process:
        yield self._simulation.now + contract.offset
        yield from environment.landing_task(self._calls(environment, contract))
        yield from environment.landing_task(self._recordings(environment, contract))
        self._landed.append(self._simulation.now)
        if len(self._landed) == round(MOST * self._plan.contracts):
            self._after = self._busy()
        yield from environment.task()  # alarm

    def _load(self, environment: Environment, days: int) -> Process:
        yield from environment.new_run()
        yield from environment.task(self._in_warehouse(days))
        self._loaded = max(self._loaded, self._simulation.now)

    def _in_warehouse(self, days: int) -> Process:
        yield self._simulation.now + days * self._plan.load_seconds

    def _calls(self, environment: Environment, contract: Contract) -> Process:
        if self._simulation.now >= contract.pair_expires:
            yield from self._renew(environment, contract)
        yield from self._server.request(self._plan.list_latency, contract.calls * ROW_BYTES)
        yield environment.cores.take(self._simulation.now, contract.calls / 1000 * self._units.rows_cpu)

    def _recordings(self, environment: Environment, contract: Contract) -> Process:
        pace, ended = Line(), Places(0)
        threads = min(self._plan.concurrency, contract.recordings)
        for _ in range(threads):
            thread = self._thread(environment, contract, pace)
            self._simulation.start(self._then_free(thread, ended), self._simulation.now)
        for _ in range(threads):
            yield ended

    def _thread(self, environment: Environment, contract: Contract, pace: Line) -> Process:
        """One of a task's threads, which share what is to be fetched, and the limit on requests."""
        plan, simulation = self._plan, self._simulation
        while contract.to_fetch:
            contract.to_fetch -= 1
            if simulation.now >= contract.pair_expires:
                yield from self._renew(environment, contract)
            if plan.requests_per_second:
                yield pace.take(simulation.now, 1 / plan.requests_per_second)
            yield from self._server.request(plan.recording_latency, round(plan.recording_bytes * BASE64))
            yield environment.cores.take(simulation.now, self._recording_cpu)
            contract.landed += 1

    def _renew(self, environment: Environment, contract: Contract) -> Process:
        """Renew the pair; the other threads of the task go on with the pair in use."""
        contract.pair_expires = self._simulation.now + self._plan.pair_life - self._plan.renewed_before
        self._rotations += 1
        self._server.make_pair()
        yield from environment.rotate()

    def _then_free(self, process: Process, ended: Places) -> Process:
        yield from process
        self._simulation.free(ended)

    def _note_busy(self) -> Process:
        self._before = self._busy()
        yield self._simulation.now

    def _busy(self) -> dict[str, tuple[float, int]]:
        """Return the seconds that each resource has worked, and how many of it there are."""
        each = self._environments
        lines = {
            "cores": [one.cores for one in each],
            "scheduler": [one.scheduler for one in each],
            "API server": [one.api_server for one in each],
            "AlloIncognito": [self._server.ceiling],
            "network": [self._server.network],
        }
        slots = (sum(one.slot_seconds for one in each), self._plan.workers * self._plan.slots)
        return {"slots": slots} | {
            name: (sum(line.busy for line in some), sum(line.servers for line in some)) for name, some in lines.items()
        }

    def _day(self) -> Day:
        plan, each = self._plan, self._environments
        most = self._landed[round(MOST * plan.contracts) - 1]
        seconds = most - plan.settled
        return Day(
            mostly_landed=most,
            landed=self._landed[-1],
            loaded=self._loaded,
            on_time=sum(one <= plan.deadline for one in self._landed) / len(self._landed),
            recordings=sum(contract.landed for contract in self._contracts),
            used={
                name: (busy - self._before[name][0]) / (seconds * count) for name, (busy, count) in self._after.items()
            },
            most_running=sum(one.most_running for one in each),
            slot_hours=sum(one.slot_seconds for one in each) / HOUR,
            core_hours=sum(one.cores.busy for one in each) / HOUR,
            tasks=sum(one.tasks for one in each),
            runs=sum(one.runs for one in each),
            requests=self._server.by_second.total(),
            most_requests=max(self._server.by_second.values()),
            store_calls=sum(one.store_calls for one in each),
            rotations=self._rotations,
            triggers=self._triggers,
            received=self._server.sent,
        )
