"""``python -m benchmarks.triggers [--count 1000 5000] [--seconds 90] [--write docs/performance.md]``"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from airflow_provider_alloincognito.api.settings import Settings
from benchmarks.common import page
from benchmarks.common.figures_of import figures_of
from benchmarks.common.provider import connection_json
from benchmarks.common.server import running
from benchmarks.triggers.contender import INTERVAL

LEAST_SECONDS = 90.0
"""One interval in which the triggers start, and two in which all are there."""


@dataclass(frozen=True)
class Figures:
    """
    What a process took.

    :param late: how late its waits ended, in seconds: the 99th percentile.
    :param block: the longest time that the loop was blocked, in seconds.
    :param block_uncollected: the same without the pauses of Python's garbage collector.
    :param collection: seconds that a full collection took before the first wait.
    :param cpu: cores.
    :param growth: megabytes beyond the memory before.
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
        """Return the ratio of CPU, without what an idle loop takes."""
        return (self.triggers.cpu - idle.cpu) / (self.bare.cpu - idle.cpu)


def main() -> int:
    """Measure; return 1 if a promise was not kept."""
    options = _options()
    with running("benchmarks.triggers.server") as url:
        idle = _run("idle", 0, options.seconds, url)
        rounds = [
            Round(count, *(_run(contender, count, options.seconds, url) for contender in ("triggers", "bare")))
            for count in options.count
        ]
    machine = page.machine(own_load="below 0.5", others=["httpx"])
    return page.publish("triggers", [machine, _table(rounds, idle)], promises(rounds, idle), options.write)


def _options() -> argparse.Namespace:
    parser = page.command_line("triggers")
    parser.add_argument("--seconds", type=float, default=LEAST_SECONDS, help="for each contender (%(default)s)")
    parser.add_argument("--count", type=int, nargs="+", default=[1000, 5000], help="triggers (%(default)s)")
    return parser.parse_args()


def _run(contender: str, count: int, seconds: float, server: str) -> Figures:
    print(f"{count} {contender}", file=sys.stderr)
    arguments = (contender, count, seconds, server + Settings().request_result_path)
    connection = connection_json(server, "/rows/1")
    return Figures(**figures_of("benchmarks.triggers.contender", *arguments, connection=connection))


def promises(rounds: list[Round], idle: Figures) -> dict[str, bool]:
    """Return what is promised, and whether it was kept."""
    kept: dict[str, bool] = {}
    for each in rounds:
        mine, where = each.triggers, f"{each.count:,} triggers"
        kept[f"{where}: p99 lateness below 1 s; it is {mine.late * 1000:.0f} ms"] = mine.late < 1
        text = f"{where}: the loop is never blocked for more than 100 ms; it was for {mine.block * 1000:.0f} ms"
        kept[text] = mine.block <= 0.1
        text = f"{where}: nor without the garbage collector's pauses; it was {mine.block_uncollected * 1000:.0f} ms"
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
        "a full collection, ms",
        "CPU, cores",
        "RSS +MB",
    )
    return page.table(columns, lines)


if __name__ == "__main__":
    sys.exit(main())
