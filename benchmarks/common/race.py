"""Run contenders, each in a fresh process, one after the other, round after round."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

from benchmarks.common.stopwatch import RESULT, Figures

ROOT = Path(__file__).parents[2]
CONTENDERS = "benchmarks.contenders"
RUN_TIMEOUT = 600.0


@dataclass(frozen=True)
class Contender:
    """
    One program that does the work.

    :param name: as in the table.
    :param module: a module of ``benchmarks.contenders``, run with ``arguments`` and the folder for its output.
    :param python: the interpreter; by default this process' own.
    :param check: called with the output folder when the work is done; raises if it is not right.
    :param rounds: at most so many, for a slow one.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)
    check: Callable[[Path], None] = lambda folder: None
    rounds: int | None = None


def race(contenders: Sequence[Contender], rounds: int) -> dict[str, Figures]:
    """Run all, interleaved; return the medians by the contenders' names."""
    runs: dict[str, list[Figures]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders:
            if contender.rounds is None or number < contender.rounds:
                figures = run(contender)
                runs[contender.name].append(figures)
                print(f"  {contender.name}: {figures.wall:.3f} s, +{figures.growth:.1f} MB", file=sys.stderr)
    return {
        name: Figures(*map(statistics.median, zip(*map(astuple, each), strict=True))) for name, each in runs.items()
    }


def run(contender: Contender) -> Figures:
    """Run one once, in a fresh process and an empty folder."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as folder:
        result, log, output = Path(folder, "result.json"), Path(folder, "log.txt"), Path(folder, "output")
        output.mkdir()
        with log.open("wb") as messages:
            process = subprocess.run(
                [contender.python, "-m", f"{CONTENDERS}.{contender.module}", *contender.arguments, str(output)],
                env={**os.environ, **contender.environment, "PYTHONPATH": str(ROOT), RESULT: str(result)},
                cwd=folder,
                stdout=messages,
                stderr=subprocess.STDOUT,
                timeout=RUN_TIMEOUT,
                check=False,
            )
        if process.returncode or not result.exists():
            raise RuntimeError(f"{contender.name} failed:\n{log.read_text()[-4000:]}")
        contender.check(output)
        return Figures(**json.loads(result.read_text()))
