"""The days that are simulated: with more and more workers, and with one thing changed."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat

from benchmarks.scale.day import Day, simulate
from benchmarks.scale.plan import HOUR, Plan
from benchmarks.scale.units import UnitCosts

WORKERS = (1, 2, 4, 8, 16)
AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Days:
    """
    All simulated days.

    :param by_workers: with so many workers.
    :param needed: the fewest workers with which all has landed by the deadline; the most, if it never has.
    :param changed: with one thing changed, for ``needed`` workers and for the most.
    """

    by_workers: dict[int, Day]
    needed: int
    changed: dict[str, tuple[Day, Day]]


def changes(plan: Plan) -> dict[str, Plan]:
    """Return the plan with one thing changed, by what that is."""
    rate = plan.server_rate
    return {
        AS_IT_IS: plan,
        "twice the slots of a worker": replace(plan, slots=2 * plan.slots),
        "twice the cores of a worker": replace(plan, cores=2 * plan.cores),
        "two schedulers": replace(plan, schedulers=2),
        "two processes of the API server": replace(plan, api_processes=2),
        "twice the bandwidth": replace(plan, bandwidth=2 * plan.bandwidth),
        f"AlloIncognito takes {2 * rate:.0f} requests/s": replace(plan, server_rate=2 * rate),
        f"AlloIncognito takes {rate / 2:.0f} requests/s": replace(plan, server_rate=rate / 2),
        "twice `concurrency` and `requests_per_second`": replace(
            plan, concurrency=2 * plan.concurrency, requests_per_second=2 * plan.requests_per_second
        ),
        "the sensor waits in the triggerer": replace(plan, reschedules=False),
        "the pairs in Redis": replace(plan, store="redis"),
        "a pair lives for an hour": replace(plan, pair_life=HOUR),
        "the DAGs start within an hour": replace(plan, spread=HOUR),
        "one DAG, mapped over the contracts": replace(plan, mapped=True),
        "two Airflows, half of the contracts each": replace(plan, environments=2),
    }


def simulate_all(plan: Plan, units: UnitCosts) -> Days:
    """Simulate all days, as many at a time as there are cores."""
    with ProcessPoolExecutor() as pool:

        def each(plans: Iterable[Plan]) -> list[Day]:
            return list(pool.map(simulate, plans, repeat(units)))

        by_workers = dict(zip(WORKERS, each(replace(plan, workers=number) for number in WORKERS), strict=True))
        on_time = [number for number, day in by_workers.items() if day.on_time == 1]
        needed = min(on_time, default=max(WORKERS))
        few, many = (changes(replace(plan, workers=number)) for number in (needed, max(WORKERS)))
        pairs = zip(each(few.values()), each(many.values()), strict=True)
        return Days(by_workers, needed, dict(zip(few, pairs, strict=True)))
