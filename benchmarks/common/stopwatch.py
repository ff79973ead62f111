"""
What one contender's process takes: wall, CPU, memory.

Runs in peers' environments too, so it imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

RESULT = "BENCHMARK_RESULT"
"""The environment variable with the file that the figures go to."""

_MEGABYTE = 1000**2


class Stopwatch:
    """Started when everything is imported; stopped when the work is done."""

    def start(self, *_: Any) -> None:
        """Begin."""
        with suppress(OSError):  # the peak of the imports is not the work's
            Path("/proc/self/clear_refs").write_text("5")
        self._memory = _status("VmRSS")
        self._cpu = time.process_time()
        self._wall = time.perf_counter()

    def stop(self, *_: Any) -> None:
        """End, and hand the figures to the parent process."""
        wall, cpu, peak = time.perf_counter() - self._wall, time.process_time() - self._cpu, _status("VmHWM")
        figures = {
            "wall": wall,
            "cpu": cpu,
            "growth": (peak - self._memory) / _MEGABYTE,
            "peak": peak / _MEGABYTE,
        }
        Path(os.environ[RESULT]).write_text(json.dumps(figures))


@contextmanager
def measured() -> Iterator[None]:
    """Measure what is done within."""
    stopwatch = Stopwatch()
    stopwatch.start()
    yield
    stopwatch.stop()


def _status(name: str) -> int:
    """A process' own memory; getrusage's would begin with its parent's."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
