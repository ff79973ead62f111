"""The tables and promises of the page."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from benchmarks.common import page
from benchmarks.common.bodies import ROW_BYTES
from benchmarks.scale.day import Day
from benchmarks.scale.plan import HOUR, Plan
from benchmarks.scale.scenarios import AS_IT_IS, WORKERS, Days
from benchmarks.scale.units import RECORDING, UnitCosts
from benchmarks.scale.watching import watch

WINDOWS = (5, 15, 60)
MOST_LATER = 0.1


def units_table(units: UnitCosts) -> str:
    """Return what one of each kind takes."""
    airflow = units.airflow
    lines = [
        ("a call list of one row, the operator's `execute`", _ms(units.list_wall), _ms(units.list_cpu)),
        (f"1,000 rows ({1000 * ROW_BYTES / 1e6:.1f} MB) more, to Parquet", _ms(units.rows_wall), _ms(units.rows_cpu)),
    ]
    lines += [
        (f"a recording of {RECORDING // 1000} KB, {number} in flight", _ms(1 / each.per_second), _ms(each.cpu))
        for number, each in units.recordings.items()
    ]
    lines.append(("a look of a watcher at five minutes", "", _ms(units.look_cpu)))
    of_airflow = {
        "a task instance that does nothing": airflow.task,
        "what one takes more that lands a call list of one row": airflow.calls,
        "a DAG run, with an asset event": airflow.run,
        "a second of an idle Airflow": airflow.idle,
    }
    parts = [
        (name, *map(_ms, (cpu.tasks, cpu.scheduler, cpu.api_server, cpu.database))) for name, cpu in of_airflow.items()
    ]
    columns = ("CPU ms of", "tasks", "scheduler", "API server", "PostgreSQL")
    return "\n\n".join(
        (
            "### What one takes: this package",
            page.table(("one", "ms", "CPU ms"), lines),
            "### What one takes: Airflow",
            page.table(columns, parts),
            f"All of it on this machine, {airflow.starts:.1f} task instances started in a second.",
        )
    )


def stores_table(units: UnitCosts) -> str:
    """Return what the token stores take."""
    lines = [
        (
            f"`{name}`",
            _ms(store.call),
            _ms(store.call_cpu),
            str(store.calls_of_a_task),
            f"{store.refresh:.2f}",
            str(store.refresh_calls),
            f"{store.create:.2f}",
            str(store.create_calls),
        )
        for name, store in units.airflow.stores.items()
    ]
    columns = (
        "`pair_store`",
        "a call, ms",
        "its CPU ms",
        "calls of a task",
        "a request waits for `refresh`, s",
        "calls",
        "for `create`, s",
        "calls",
    )
    return f"### What the token stores take\n\n{page.table(columns, lines)}"


def assumed_table(plan: Plan) -> str:
    """Return what is assumed."""
    lines = [
        ("contracts, each with an authorization token", f"{plan.contracts:,}"),
        ("calls a day", f"{plan.calls:,}"),
        ("recordings a day", f"{plan.recordings:,}, of {plan.recording_bytes // 1000} KB"),
        ("sizes of the contracts", f"log-normal, sigma {plan.skew:g}"),
        ("the night", f"fetched from {_clock(plan.settled)} on, landed by {_clock(plan.deadline)}"),
        ("a worker", f"{plan.slots} slots, {plan.cores} cores"),
        ("AlloIncognito's server, all contracts together", f"{plan.server_rate:.0f} requests/s"),
        ("until a call list, a recording begins to arrive", f"{plan.list_latency:g} s, {plan.recording_latency:g} s"),
        ("bandwidth", f"{plan.bandwidth * 8 / 1e9:g} Gbit/s"),
        ("`concurrency`, `requests_per_second` of a task", f"{plan.concurrency}, {plan.requests_per_second:g}"),
        ("an access token's life", f"{plan.pair_life / HOUR:.0f} h (AlloIncognito's API says so)"),
        ("the load of a contract's day", f"{plan.load_seconds:g} s of the warehouse"),
    ]
    return f"### What is assumed\n\n{page.table(('', ''), lines)}"


def workers_table(days: Days) -> str:
    """Return when all has landed, and what is busy meanwhile, by the number of workers."""
    names = list(days.by_workers[WORKERS[0]].used)
    lines = [
        (
            f"**{number}**" if number == days.needed else str(number),
            _clock(day.mostly_landed),
            _clock(day.landed),
            f"{day.on_time:.0%}",
            str(day.most_running),
            *(f"{day.used[name]:.0%}" for name in names),
        )
        for number, day in days.by_workers.items()
    ]
    columns = ("workers", "9 of 10 landed", "all landed", "on time", "tasks at a time", *(f"{n} busy" for n in names))
    return f"### The night, by the number of workers\n\n{page.table(columns, lines)}"


def day_table(plan: Plan, units: UnitCosts, days: Days) -> str:
    """Return what a day takes with the workers that are needed."""
    each = (days.by_workers[days.needed], days.changed["the sensor waits in the triggerer"][0])
    memory = plan.slots * units.peak / 1000
    figures: dict[str, Callable[[Day], str]] = {
        "task instances": lambda day: f"{day.tasks:,}",
        "DAG runs": lambda day: f"{day.runs:,}",
        "waits in the triggerer": lambda day: f"{day.triggers:,}",
        "hours of worker slots": lambda day: f"{day.slot_hours:.1f}",
        "CPU hours of tasks": lambda day: f"{day.core_hours:.2f}",
        "CPU hours of the scheduler": lambda day: f"{_scheduler_hours(day, units):.2f}",
        "requests": lambda day: f"{day.requests:,}",
        "rotations": lambda day: f"{day.rotations:,}",
        "calls to the token store": lambda day: f"{day.store_calls:,}",
        "received, GB": lambda day: f"{day.received / 1e9:.0f}",
        "memory of a worker at most, GB": lambda day: f"{memory:.1f}",
    }
    lines = [(name, *map(text, each)) for name, text in figures.items()]
    columns = (f"a day, with {days.needed} workers", "as the example DAG is", "the sensor in the triggerer")
    return f"### What a day takes\n\n{page.table(columns, lines)}"


def _scheduler_hours(day: Day, units: UnitCosts) -> float:
    """Return what a scheduler takes in a day: in idle seconds, and for task instances and runs."""
    airflow = units.airflow
    busy = day.tasks * airflow.task.scheduler + day.runs * airflow.run.scheduler
    return 24 * airflow.idle.scheduler + busy / HOUR


def changes_table(days: Days) -> str:
    """Return what moves the limit."""
    lines = [
        (name, f"{few.tasks:,}", _clock(few.landed), _clock(many.landed)) for name, (few, many) in days.changed.items()
    ]
    landed = [f"all landed, {number} workers" for number in (days.needed, max(WORKERS))]
    columns = ("one thing changed", "task instances", *landed)
    return f"### What moves the limit\n\n{page.table(columns, lines)}"


def watching_table(plan: Plan, units: UnitCosts) -> str:
    """Return what windows of some minutes take."""
    lines = [
        (
            f"{one.minutes} min",
            f"{one.looks:,}",
            f"{one.triggerer:.3f}",
            f"{one.runs:,}",
            f"{one.tasks:,}",
            f"{one.scheduler:.2f}",
            f"{one.api_server:.2f}",
            f"{one.cores:.1f}",
        )
        for one in (watch(minutes, plan, units) for minutes in WINDOWS)
    ]
    columns = (
        "a window of",
        "looks a day",
        "triggerer, cores",
        "DAG runs a day",
        "task instances a day",
        "schedulers",
        "API server, processes",
        "workers, cores",
    )
    return f"### Every contract, every few minutes\n\n{page.table(columns, lines)}"


def promises(plan: Plan, days: Days) -> dict[str, bool]:
    """Return what must hold of the simulation, and whether it does."""
    every = [*days.by_workers.values(), *(day for pair in days.changed.values() for day in pair)]
    landed = {day.recordings for day in every}
    most = max(day.most_requests for day in days.by_workers.values())
    later = max(after.landed - before.landed for before, after in pairwise(days.by_workers.values()))
    needed = days.by_workers[days.needed]
    return {
        f"each of {plan.recordings:,} recordings landed once, in each of {len(every)} days": landed
        == {plan.recordings},
        f"never more than {plan.server_rate:.0f} requests in a second; there were {most}": most <= plan.server_rate,
        f"with twice the workers all has landed at most {MOST_LATER * 100:.0f} % of the night later": later
        <= MOST_LATER * (plan.deadline - plan.settled),
        f"with {days.needed} workers all has landed by {_clock(plan.deadline)}: at {_clock(needed.landed)}": (
            needed.landed <= plan.deadline
        ),
    }


def first_limit(days: Days) -> str:
    """Say which one thing, if it is changed, gets the day landed earliest."""
    texts = []
    for index, number in enumerate((days.needed, max(WORKERS))):
        landed = {name: pair[index].landed for name, pair in days.changed.items()}
        best = min(landed, key=lambda name: landed[name])
        texts.append(
            f"With {number} workers all has landed at {_clock(landed[AS_IT_IS])}. What moves it most: {best}, "
            f"{_clock(landed[best])}."
        )
    return "\n".join(f"- {text}" for text in texts)


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"
