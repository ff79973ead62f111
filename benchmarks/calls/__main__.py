"""``python -m benchmarks.calls [--sizes 100000,1000000] [--peers all|none|dlt,...] [--write docs/performance.md]``"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.calls import plan
from benchmarks.calls.plan import Contenders
from benchmarks.common import page
from benchmarks.common.bodies import ROW_BYTES
from benchmarks.common.environments import PEERS
from benchmarks.common.race import race
from benchmarks.common.server import running
from benchmarks.common.stopwatch import Figures

FORMATS = {"jsonl": "JSON lines", "parquet": "Parquet, with a schema"}
DAYS, ROWS_A_DAY = 30, 100_000
MOST_DIFFERENCE = 1.1
OURS = (plan.READER, plan.OPERATOR)


@dataclass
class Results:
    """Medians by format and size, and then by contender; ``days`` by format and number of windows."""

    races: dict[tuple[str, int], dict[str, Figures]] = field(default_factory=dict)
    days: dict[str, dict[int, Figures]] = field(default_factory=dict)


def main() -> int:
    """Measure what the command line says; return 1 if a promise was not kept."""
    options = _options()
    with ExitStack() as stack:
        sizes = [f"--rows={rows}" for rows in {*options.sizes, ROWS_A_DAY}]
        server = stack.enter_context(running("benchmarks.common.server", *sizes))
        contenders = Contenders(server, options.peers, stack)
        results = Results()
        for suffix in FORMATS:
            for rows in options.sizes:
                print(f"{rows} rows, {suffix}", file=sys.stderr)
                results.races[suffix, rows] = race(contenders.all(rows, suffix), options.rounds)
            days = [contenders.operator(ROWS_A_DAY, suffix, number) for number in (1, DAYS)]
            results.days[suffix] = dict(zip((1, DAYS), race(days, options.rounds).values(), strict=True))
    parts = [page.machine(["floors", *options.peers])]
    parts += [_table(suffix, rows, medians) for (suffix, rows), medians in results.races.items()]
    return page.publish("calls", [*parts, _days_table(results)], promises(results), options.write)


def _options() -> argparse.Namespace:
    parser = page.command_line("calls")
    parser.add_argument("--sizes", type=_numbers, default=[100_000, 1_000_000], help="rows, with commas")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender (%(default)s)")
    parser.add_argument("--peers", type=_names, default=list(PEERS), help=f"all, none, or of {','.join(PEERS)}")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _names(text: str) -> list[str]:
    names = {"all": list(PEERS), "none": []}.get(text) or [name for name in text.split(",") if name != "none"]
    if unknown := set(names) - set(PEERS):
        raise argparse.ArgumentTypeError(f"unknown peers: {', '.join(sorted(unknown))}")
    return names


def promises(results: Results) -> dict[str, bool]:
    """Return what is promised, and whether it was kept."""
    kept: dict[str, bool] = {}
    for (suffix, rows), medians in results.races.items():
        for ours in OURS:
            mine, where = medians[ours], f"{rows:,} rows to {FORMATS[suffix]}, {ours.strip('*')}"
            part, most = mine.wall / medians[plan.ORJSON].wall, 0.7 if suffix == "jsonl" else 1.0
            if suffix == "jsonl" or (rows >= plan.MANY_ROWS and ours == plan.READER):
                kept[f"{where}: at most {most} x the time of `orjson.loads` alone; it is {part:.2f} x"] = part <= most
            most = 16 if suffix == "jsonl" else 130
            kept[f"{where}: at most {most} MB; it is {mine.growth:.0f} MB"] = mine.growth <= most
            for peer, least in _least(suffix, rows):
                if peer in medians:
                    times = medians[peer].wall / mine.wall
                    kept[f"{where}: at least {least} x faster than {peer}; it is {times:.1f} x"] = times >= least
    for suffix, days in results.days.items():
        part = days[DAYS].peak / days[1].peak
        text = f"{DAYS} days to {FORMATS[suffix]}: peak memory within 10 % of one day's; it is {part:.2f} x"
        kept[text] = part <= MOST_DIFFERENCE
    return kept | _flat(results)


def _least(suffix: str, rows: int) -> Sequence[tuple[str, int]]:
    if suffix == "jsonl":
        return [(plan.HTTP_OPERATOR, 7), (plan.DLT, 20)]
    return [(plan.DLT, 10)] if rows >= plan.MANY_ROWS else []


def _flat(results: Results) -> dict[str, bool]:
    """Compare the memory of all sizes: the process' peak, as the growth itself is close to zero."""
    kept = {}
    for suffix, name in FORMATS.items():
        for ours in OURS:
            peaks = [medians[ours].peak for (known, _), medians in results.races.items() if known == suffix]
            part = max(peaks) / min(peaks)
            where = f"{name}, {ours.strip('*')}"
            kept[f"{where}: peak memory within 10 % for all sizes; largest / smallest is {part:.2f}"] = (
                part <= MOST_DIFFERENCE
            )
    return kept


def _table(suffix: str, rows: int, medians: dict[str, Figures]) -> str:
    orjson, operator = medians[plan.ORJSON], medians[plan.OPERATOR]
    lines = [
        (
            name,
            f"{figures.wall:.2f}",
            f"{figures.cpu:.2f}",
            f"{figures.growth:,.0f}",
            f"{figures.wall / orjson.wall:.2f}",
            f"{figures.wall / operator.wall:.1f}",
        )
        for name, figures in sorted(medians.items(), key=lambda item: item[1].wall)
    ]
    columns = ("", "s", "CPU s", "RSS +MB", "x `orjson.loads`", "x the operator")
    return f"### {rows:,} rows ({rows * ROW_BYTES / 1e6:,.0f} MB) to {FORMATS[suffix]}\n\n{page.table(columns, lines)}"


def _days_table(results: Results) -> str:
    lines = [
        (
            f"{FORMATS[suffix]}, {number} x {ROWS_A_DAY:,} rows",
            f"{figures.wall:.2f}",
            f"{figures.cpu:.2f}",
            f"{figures.growth:.0f}",
            f"{figures.peak:.0f}",
        )
        for suffix, days in results.days.items()
        for number, figures in days.items()
    ]
    columns = ("", "s", "CPU s", "RSS +MB", "RSS at its peak, MB")
    return f"### A month of daily windows in one task, compared with a day\n\n{page.table(columns, lines)}"


if __name__ == "__main__":
    sys.exit(main())
