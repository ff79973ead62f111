"""
What one contender's process takes: wall time, CPU time, memory.

Runs in the environments of other packages too, so it imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RESULT = "BENCHMARK_RESULT"
"""The environment variable with the path of the file that gets the figures."""
MEGABYTE = 1000**2


@dataclass(frozen=True)
class Figures:
    """
    What a run took: seconds and megabytes.

    :param growth: the peak of the memory beyond what was in use after the imports.
    """

    wall: float
    cpu: float
    growth: float
    peak: float


class Stopwatch:
    """Started when everything is imported; stopped when the work is done."""

    def start(self, *_: Any) -> None:
        """Start measuring."""
        forget_peak()
        self._memory = memory("VmRSS")
        self._cpu = time.process_time()
        self._wall = time.perf_counter()

    def stop(self, *_: Any) -> None:
        """Stop, and write the figures for the parent process."""
        wall, cpu, peak = time.perf_counter() - self._wall, time.process_time() - self._cpu, memory("VmHWM")
        figures = Figures(wall, cpu, (peak - self._memory) / MEGABYTE, peak / MEGABYTE)
        Path(os.environ[RESULT]).write_text(json.dumps(asdict(figures)))


@contextmanager
def measured() -> Iterator[None]:
    """Measure what is done in the ``with``."""
    stopwatch = Stopwatch()
    stopwatch.start()
    yield
    stopwatch.stop()


def forget_peak() -> None:
    """Start a new peak of this process' memory, so that the imports' does not count."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def memory(name: str) -> int:
    """Return ``VmRSS`` or ``VmHWM`` (the peak) in bytes; getrusage's peak would start at the parent's."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
