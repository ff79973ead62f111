"""
A discrete-event simulation.

A process is a generator. It yields the time until which it waits, or a :class:`Places` of which it takes one.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Generator


class Places:
    """
    Places of which a process holds one for as long as it likes, such as worker slots. Who comes first is first.

    :param count: how many there are.
    """

    def __init__(self, count: int) -> None:
        self.free = count
        self.waiting: deque[Process] = deque()


Process = Generator[float | Places, None, None]


class Line:
    """
    Servers that take jobs in the order of arrival, such as cores, or a network link.

    :param servers: how many jobs are worked on at a time.
    """

    def __init__(self, servers: int = 1) -> None:
        self.servers = servers
        self.busy = 0.0
        """Seconds of work, of all servers together."""
        self._free = [0.0] * servers

    def take(self, now: float, seconds: float) -> float:
        """Take a job, and return the time at which it is done."""
        done = max(now, self._free[0]) + seconds
        heapq.heapreplace(self._free, done)
        self.busy += seconds
        return done


class Simulation:
    """The clock, in seconds, and the processes that wait for it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Process]] = []
        self._numbers = itertools.count()

    def start(self, process: Process, at: float) -> None:
        """Have a process go on at a time."""
        heapq.heappush(self._due, (at, next(self._numbers), process))

    def free(self, places: Places) -> None:
        """Give a place back: to the first process that waits for one."""
        if places.waiting:
            self.start(places.waiting.popleft(), self.now)
        else:
            places.free += 1

    def run(self) -> None:
        """Run until no process waits for the clock."""
        while self._due:
            self.now, _, process = heapq.heappop(self._due)
            wanted = next(process, None)
            if isinstance(wanted, Places):
                self._take(wanted, process)
            elif wanted is not None:
                self.start(process, max(wanted, self.now))

    def _take(self, places: Places, process: Process) -> None:
        if places.free:
            places.free -= 1
            self.start(process, self.now)
        else:
            places.waiting.append(process)
