"""Contenders, each in a fresh process, one after the other, round after round."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common.stopwatch import RESULT

ROOT = Path(__file__).parents[2]
LONGEST_RUN = 600.0


@dataclass(frozen=True)
class Contender:
    """
    One way to do the work.

    :param name: as the table says it.
    :param module: run as ``python -m`` with ``arguments`` and the folder for its output.
    :param python: of the environment that it runs in; of this process' by default.
    :param check: told the folder when the work is done; raises if it was not.
    :param rounds: at most so many, if it is slow.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict, hash=False)
    check: Callable[[Path], None] = field(default=lambda folder: None, hash=False)
    rounds: int | None = None


@dataclass(frozen=True)
class Figures:
    """What a run took: seconds, and megabytes (``growth`` is the peak's beyond what there was after imports)."""

    wall: float
    cpu: float
    growth: float
    peak: float


def race(contenders: Sequence[Contender], rounds: int) -> dict[str, Figures]:
    """Run all, interleaved, and give the medians by the contenders' names."""
    runs: dict[str, list[Figures]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders:
            if contender.rounds is None or number < contender.rounds:
                figures = run(contender)
                runs[contender.name].append(figures)
                print(f"  {contender.name}: {figures.wall:.3f} s, +{figures.growth:.1f} MB", file=sys.stderr)
    return {name: _median(each) for name, each in runs.items()}


def run(contender: Contender) -> Figures:
    """Run one once, in a fresh process and an empty folder."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    result, log = folder / "result.json", folder / "log.txt"
    output = folder / "output"
    output.mkdir()
    try:
        with log.open("wb") as told:
            process = subprocess.run(
                [contender.python, "-m", contender.module, *contender.arguments, str(output)],
                env={**os.environ, **contender.environment, "PYTHONPATH": str(ROOT), RESULT: str(result)},
                cwd=folder,
                stdout=told,
                stderr=subprocess.STDOUT,
                timeout=LONGEST_RUN,
                check=False,
            )
        if process.returncode or not result.exists():
            raise RuntimeError(f"{contender.name} failed:\n{log.read_text()[-4000:]}")
        contender.check(output)
        return Figures(**json.loads(result.read_text()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _median(runs: Iterable[Figures]) -> Figures:
    each = list(runs)
    return Figures(
        *(statistics.median(getattr(one, name) for one in each) for name in ("wall", "cpu", "growth", "peak"))
    )
