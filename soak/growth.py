"""Memory and open files of the processes that live as long as the soak."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

import psutil

INTERVAL = 10.0
# The first part of the run, at least six samples: imports, caches, pools of connections.
WARM_UP = 0.2
SHORTEST_WARM_UP = 6
SANDBOX = "sandbox"
LOOP = "triggerer's loop"
# By a part of the title of their processes.
ROLES = {
    "airflow triggerer": "triggerer",
    "airflow scheduler": "scheduler",
    "-- LocalExecutor": "executor",
    "airflow api_server": "API server",
    "airflow dag-processor": "DAG processor",
}
MOST_MEMORY = 1.1
"""For the processes that run this package's code for long: the triggerer's loop and the sandbox."""
MOST_MEMORY_OF_AIRFLOW = 1.25
MOST_FILES = 8


@dataclass(frozen=True)
class Growth:
    """
    A role's memory in megabytes and open files: the least in the first and the last quarter after the warm-up.

    Work in progress takes both, at times; what is never given back raises the least, too.

    :param role: the processes, together.
    """

    role: str
    memory: tuple[float, float]
    files: tuple[int, int]

    @property
    def is_flat(self) -> bool:
        """Whether both stay within their bounds."""
        most = MOST_MEMORY if self.role in (LOOP, SANDBOX) else MOST_MEMORY_OF_AIRFLOW
        return self.memory[1] <= self.memory[0] * most and self.files[1] <= self.files[0] + MOST_FILES


class Samples:
    """
    Samples of all roles.

    :param airflow: the pid of Airflow.
    :param sandbox: the sandbox's.
    """

    def __init__(self, airflow: int, sandbox: int) -> None:
        self._airflow = psutil.Process(airflow)
        self._sandbox = psutil.Process(sandbox)
        self._taken = 0.0
        self._samples: dict[str, list[tuple[float, int]]] = defaultdict(list)

    def take(self) -> None:
        """Take a sample of each, unless the last one was a moment ago."""
        if time.monotonic() - self._taken < INTERVAL:
            return
        self._taken = time.monotonic()
        memory: dict[str, float] = defaultdict(float)
        files: dict[str, int] = defaultdict(int)
        for process in (self._sandbox, *self._airflow.children(recursive=True)):
            try:
                role = SANDBOX if process == self._sandbox else _role(process)
                if role:
                    memory[role] += process.memory_info().rss / 1e6
                    files[role] += process.num_fds()
            except psutil.Error:  # it has just ended
                continue
        for role in memory:
            self._samples[role].append((memory[role], files[role]))

    def growth(self) -> list[Growth]:
        """Compare the first quarter after the warm-up with the last one."""
        return [_growth(role, samples[_warm_up(len(samples)) :]) for role, samples in sorted(self._samples.items())]


def _role(process: psutil.Process) -> str | None:
    role = _by_title(process)
    parent = process.parent()
    is_loop = role == "triggerer" and parent is not None and _by_title(parent) == role
    return LOOP if is_loop else role


def _by_title(process: psutil.Process) -> str | None:
    title = " ".join(process.cmdline())
    return next((role for part, role in ROLES.items() if part in title), None)


def _warm_up(samples: int) -> int:
    return min(max(int(samples * WARM_UP), SHORTEST_WARM_UP), samples - 1)


def _growth(role: str, samples: list[tuple[float, int]]) -> Growth:
    quarter = max(1, len(samples) // 4)
    first, last = samples[:quarter], samples[-quarter:]
    return Growth(
        role,
        (min(memory for memory, _ in first), min(memory for memory, _ in last)),
        (min(files for _, files in first), min(files for _, files in last)),
    )
