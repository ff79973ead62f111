"""``python -m benchmarks.scale [--contracts 1000] [--units FILE] [--write docs/scale.md]``"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from benchmarks.common import page
from benchmarks.scale import tables
from benchmarks.scale.plan import Plan
from benchmarks.scale.scenarios import simulate_all
from benchmarks.scale.units import Effort, UnitCosts, measure


def main() -> int:
    """Measure the unit costs and simulate; return 1 if the simulation does not hold."""
    options = _options()
    plan = Plan(contracts=options.contracts, calls=options.calls, recordings=options.recordings)
    units = _units(options)
    days = simulate_all(plan, units)
    parts = [
        page.machine(own_load="about 2"),
        tables.units_table(units),
        tables.stores_table(units),
        tables.assumed_table(plan),
        tables.workers_table(days),
        tables.day_table(plan, units, days),
        tables.changes_table(days),
        tables.first_limit(days),
        tables.watching_table(plan, units),
    ]
    return page.publish("scale", parts, tables.promises(plan, days), options.write)


def _options() -> argparse.Namespace:
    plan = Plan()
    parser = page.command_line("scale")
    parser.add_argument("--contracts", type=int, default=plan.contracts, help="authorization tokens (%(default)s)")
    parser.add_argument("--calls", type=int, default=plan.calls, help="calls a day (%(default)s)")
    parser.add_argument("--recordings", type=int, default=plan.recordings, help="recordings a day (%(default)s)")
    parser.add_argument(
        "--units", type=Path, metavar="FILE", help="unit costs: read from it, or measured and kept in it"
    )
    parser.add_argument("--rounds", type=int, default=3, help="measurements of calls and recordings (%(default)s)")
    parser.add_argument("--seconds", type=float, default=90.0, help="measurement of looks (%(default)s)")
    parser.add_argument("--tasks", type=int, default=100, help="measured task instances of Airflow (%(default)s)")
    parser.add_argument("--runs", type=int, default=30, help="measured DAG runs of Airflow (%(default)s)")
    return parser.parse_args()


def _units(options: argparse.Namespace) -> UnitCosts:
    if options.units is not None and options.units.exists():
        return msgspec.json.decode(options.units.read_bytes(), type=UnitCosts)
    units = measure(Effort(options.rounds, options.seconds, options.tasks, options.runs))
    if options.units is not None:
        options.units.write_bytes(msgspec.json.encode(units))
    return units


if __name__ == "__main__":
    sys.exit(main())
