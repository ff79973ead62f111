"""``python -m benchmarks.watchers [--count 200] [--seconds 120] [--speed 10]`` prints figures, and what is promised."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.sandbox import Sandbox
from benchmarks.common.figures_of import figures_of

BEGAN = datetime(2026, 3, 3, 10, tzinfo=ZoneInfo("Europe/Moscow"))
CALLS_A_DAY = 5_000


def main() -> int:
    """Measure; return 1 if a promise was not kept."""
    options = _options()
    with Sandbox(calls_per_day=CALLS_A_DAY) as sandbox:
        connection = json.dumps(sandbox.connection(pair_store="memory"))
        arguments = (options.count, options.seconds, options.speed, BEGAN.timestamp())
        figures = figures_of("benchmarks.watchers.contender", *arguments, connection=connection)
        requests, pairs = sandbox.count("getcalllist"), len(sandbox.rotations)
    print(
        f"{options.count} watchers for {options.seconds:.0f} s at {options.speed:g} times their speed: {requests} "
        f"requests, {figures['events']} events, {figures['growth']:.0f} MB"
    )
    promises = {
        f"less than half a core; it is {figures['cpu']:.2f}": figures["cpu"] < 0.5,
        f"the loop is never blocked for more than 100 ms; it was for {figures['block'] * 1000:.0f} ms": (
            figures["block"] <= 0.1
        ),
        f"nor without the garbage collector's pauses; it was {figures['block_uncollected'] * 1000:.0f} ms": (
            figures["block_uncollected"] <= 0.1
        ),
        f"one pair for the token; there were {pairs}": pairs == 1,
    }
    for text, is_kept in promises.items():
        print(f"{'kept' if is_kept else 'BROKEN'}: {text}")
    return 0 if all(promises.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watchers", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="watchers (%(default)s)")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long (%(default)s)")
    parser.add_argument("--speed", type=float, default=10.0, help="of their clock (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
