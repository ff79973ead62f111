"""AlloIncognito's server in the simulation, and the network between it and the workers."""

from __future__ import annotations

from collections import Counter

from benchmarks.scale.events import Line, Process, Simulation
from benchmarks.scale.plan import Plan


class Server:
    """Takes so many requests a second, whoever they come from, and sends its responses over one connection."""

    def __init__(self, plan: Plan, simulation: Simulation) -> None:
        self._interval = 1 / plan.server_rate
        self._bandwidth = plan.bandwidth
        self._simulation = simulation
        self.ceiling, self.network = Line(), Line()
        self.by_second: Counter[int] = Counter()
        """How many requests it took in each second."""
        self.sent = 0
        """Bytes."""

    def request(self, latency: float, size: int) -> Process:
        """Wait for a response of so many bytes."""
        yield self._turn() + latency
        self.sent += size
        yield self.network.take(self._simulation.now, size / self._bandwidth)

    def make_pair(self) -> None:
        """Take a request for a pair; how long it takes is part of the rotation."""
        self._turn()

    def _turn(self) -> float:
        turn = self.ceiling.take(self._simulation.now, self._interval)
        self.by_second[int(turn)] += 1
        return turn
