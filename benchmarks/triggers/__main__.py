"""``python -m benchmarks.triggers [--count 1000 5000] [--seconds 90] [--write docs/performance.md]``"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from airflow_provider_alloincognito.api.settings import Settings
from benchmarks.common import page
from benchmarks.common.provider import connection_to
from benchmarks.triggers.waiters import INTERVAL

LEAST_SECONDS = 90.0
"""One interval in which the triggers come, and two in which all are there."""


@dataclass(frozen=True)
class Figures:
    """
    What a process took.

    :param late: how late its waits ended, in seconds: the 99th percentile.
    :param block: how long the loop was held at the most; ``block_uncollected`` by anything but the collector.
    :param collection: seconds of a full collection before anything waited.
    :param cpu: cores.
    :param growth: megabytes beyond what there was before.
    """

    late: float
    polls: float
    block: float
    block_uncollected: float
    collection: float
    cpu: float
    growth: float


@dataclass(frozen=True)
class Round:
    """The triggers, and the same polls by bare httpx."""

    count: int
    triggers: Figures
    bare: Figures

    def ratio(self, idle: Figures) -> float:
        """Of CPU, without what an idle loop takes."""
        return (self.triggers.cpu - idle.cpu) / (self.bare.cpu - idle.cpu)


def main() -> int:
    """Measure; gives 1 if something promised was not kept."""
    options = _options()
    with _stand() as url:
        idle = _run("idle", 0, options.seconds, url)
        rounds = [
            Round(count, *(_run(contender, count, options.seconds, url) for contender in ("triggers", "bare")))
            for count in options.count
        ]
    kept = promises(rounds, idle)
    told = f"{page.machine(own_load='below 0.5')[:-1]}; beside them httpx {version('httpx')}."
    page.publish("triggers", "\n\n".join([told, _table(rounds, idle), page.promises(kept)]), options.write)
    return 0 if all(kept.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.triggers")
    parser.add_argument("--seconds", type=float, default=LEAST_SECONDS, help="for each contender (%(default)s)")
    parser.add_argument("--count", type=int, nargs="+", default=[1000, 5000], help="triggers (%(default)s)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables there, in place of the ones before")
    return parser.parse_args()


@contextmanager
def _stand() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.triggers.stand"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stand:
        assert stand.stdout is not None
        try:
            yield f"http://127.0.0.1:{stand.stdout.readline().strip()}"
        finally:
            stand.kill()


def _run(contender: str, count: int, seconds: float, stand: str) -> Figures:
    print(f"{count} {contender}", file=sys.stderr)
    arguments = [contender, str(count), str(seconds), stand + Settings().request_result_path]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as home:
        environment = {"AIRFLOW_HOME": home, "AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT": connection_to(stand, "/rows/1")}
        ran = subprocess.run(
            [sys.executable, "-m", "benchmarks.triggers.waiters", *arguments],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return Figures(**json.loads(ran.stdout.splitlines()[-1]))


def promises(rounds: list[Round], idle: Figures) -> dict[str, bool]:
    """What thousands of triggers may take, and whether they did."""
    kept: dict[str, bool] = {}
    for each in rounds:
        mine, where = each.triggers, f"{each.count:,} triggers"
        kept[f"{where}: p99 lateness below 1 s; it is {mine.late * 1000:.0f} ms"] = mine.late < 1
        text = f"{where}: the loop is never held for more than 100 ms; it was for {mine.block * 1000:.0f} ms"
        kept[text] = mine.block <= 0.1
        text = f"{where}: nor, but for Python's garbage collector; it was for {mine.block_uncollected * 1000:.0f} ms"
        kept[text] = mine.block_uncollected <= 0.1
        kept[f"{where}: less than one core; it is {mine.cpu:.2f}"] = mine.cpu < 1
        kept[f"{where}: less than 250 MB; it is {mine.growth:.0f} MB"] = mine.growth < 250
        ratio = each.ratio(idle)
        kept[f"{where}: at most 1.5 x the CPU of bare httpx; it is {ratio:.2f} x"] = ratio <= 1.5
    return kept


def _table(rounds: list[Round], idle: Figures) -> str:
    named = [("an idle loop", idle)]
    for each in rounds:
        named += [
            (f"**{each.count:,} triggers**", each.triggers),
            (f"{each.count:,} tasks of bare httpx", each.bare),
        ]
    lines = [
        (
            name,
            f"{figures.polls:,.0f}",
            f"{figures.late * 1000:.0f}",
            f"{figures.block * 1000:.0f}",
            f"{figures.block_uncollected * 1000:.0f}",
            f"{figures.collection * 1000:.0f}",
            f"{figures.cpu:.3f}",
            f"{figures.growth:.0f}",
        )
        for name, figures in named
    ]
    columns = (
        f"polls every {INTERVAL:.0f} s",
        "polls",
        "late, p99, ms",
        "longest block, ms",
        "without the collector, ms",
        "a collection before, ms",
        "CPU, cores",
        "RSS +MB",
    )
    return page.table(columns, lines)


if __name__ == "__main__":
    sys.exit(main())
