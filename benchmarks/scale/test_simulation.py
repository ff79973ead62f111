"""The simulation's arithmetic, with unit costs that are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.scale.airflow_costs import AirflowCosts, Cpu
from benchmarks.scale.contracts import contracts
from benchmarks.scale.day import simulate
from benchmarks.scale.events import Line, Places, Process, Simulation
from benchmarks.scale.plan import HOUR, Plan
from benchmarks.scale.token_store import StoreCosts
from benchmarks.scale.units import InFlight, UnitCosts
from benchmarks.scale.watching import watch

STORE = StoreCosts(
    call=0.01, call_cpu=0.001, calls_of_a_task=1, refresh=4.0, refresh_calls=18, create=4.5, create_calls=20
)
UNITS = UnitCosts(
    list_wall=0.1,
    list_cpu=0.1,
    rows_wall=0.003,
    rows_cpu=0.003,
    recordings={1: InFlight(19, 0.003), 4: InFlight(74, 0.0025)},
    look_cpu=0.001,
    peak=350,
    airflow=AirflowCosts(
        task=Cpu(0.05, 0.05, 0.02, 0.2),
        calls=Cpu(0, 0.02, 0, 1.0),
        run=Cpu(0.01, 0.03, 0.01, 0),
        idle=Cpu(0.02, 0, 0, 0),
        starts=1.0,
        stores={"variable": STORE, "redis": replace(STORE, call=0.001, refresh=0.1, refresh_calls=7)},
    ),
)
SMALL = Plan(contracts=60, calls=600_000, recordings=6_000, workers=2)
VARIANTS = {
    "as it is": SMALL,
    "mapped": replace(SMALL, mapped=True),
    "two environments": replace(SMALL, environments=2),
    "a deferred sensor": replace(SMALL, reschedules=False),
    "no limit of a task": replace(SMALL, requests_per_second=0),
    "a slow server": replace(SMALL, server_rate=3),
    "spread": replace(SMALL, spread=HOUR),
    "redis": replace(SMALL, store="redis"),
    "one core": replace(SMALL, workers=1, slots=1, cores=1),
}


@pytest.mark.parametrize("plan", VARIANTS.values(), ids=VARIANTS)
def test_each_recording_lands_once_and_is_asked_for_once(plan: Plan) -> None:
    day = simulate(plan, UNITS)
    assert day.recordings == plan.recordings
    assert day.requests == plan.contracts + plan.recordings + day.rotations
    assert day.landed <= day.loaded


@pytest.mark.parametrize("plan", VARIANTS.values(), ids=VARIANTS)
def test_nothing_is_busier_than_it_can_be(plan: Plan) -> None:
    day = simulate(plan, UNITS)
    assert max(day.used.values()) <= 1.001
    assert day.most_requests <= plan.server_rate
    assert day.most_running <= plan.workers * plan.slots


def test_a_task_keeps_to_its_requests_per_second() -> None:
    plan = replace(SMALL, contracts=1, recordings=600, concurrency=50, requests_per_second=2.0)
    day = simulate(plan, UNITS)
    assert day.landed - plan.settled >= 600 / 2.0
    assert day.most_requests <= 3


def test_calls_and_recordings_are_divided_without_loss() -> None:
    shared = contracts(SMALL)
    assert sum(contract.calls for contract in shared) == SMALL.calls
    assert sum(contract.recordings for contract in shared) == SMALL.recordings
    assert len(shared) == SMALL.contracts


def test_the_same_plan_gives_the_same_day() -> None:
    assert simulate(SMALL, UNITS) == simulate(SMALL, UNITS)


def test_more_workers_are_never_later_if_they_share_nothing_else() -> None:
    free = replace(SMALL, server_rate=1e6, bandwidth=1e12, schedulers=1000, api_processes=1000)
    landed = [simulate(replace(free, workers=workers), UNITS).landed for workers in (1, 2, 4, 8, 16)]
    assert landed == sorted(landed, reverse=True)
    assert landed[0] > landed[-1]


def test_a_slower_server_is_never_earlier() -> None:
    landed = [simulate(replace(SMALL, server_rate=rate), UNITS).landed for rate in (100, 10, 5, 2)]
    assert landed == sorted(landed)
    assert landed[-1] - SMALL.settled >= SMALL.recordings / 2


def test_each_contract_renews_its_pair_once_a_day() -> None:
    assert simulate(SMALL, UNITS).rotations == SMALL.contracts
    assert simulate(replace(SMALL, pair_life=900.0, server_rate=3), UNITS).rotations > SMALL.contracts


def test_a_sensor_that_is_rescheduled_is_a_task_instance_every_ten_minutes() -> None:
    deferred, rescheduled = (simulate(replace(SMALL, reschedules=reschedules), UNITS) for reschedules in (False, True))
    # To begin, and after its wait; or at 0:00, 0:10 ... 4:00. Then calls, recordings, alarm and load.
    assert deferred.tasks == SMALL.contracts * (2 + 4)
    assert rescheduled.tasks == SMALL.contracts * (25 + 4)
    assert (deferred.triggers, rescheduled.triggers) == (SMALL.contracts, 0)


def test_windows_of_half_the_length_take_twice_the_looks_and_tasks() -> None:
    long, short = watch(10, SMALL, UNITS), watch(5, SMALL, UNITS)
    assert (short.looks, short.tasks) == (2 * long.looks, 2 * long.tasks)
    assert short.looks == SMALL.contracts * 2 * 288


def test_places_go_to_who_came_first() -> None:
    simulation, places, order = Simulation(), Places(1), list[int]()

    def hold(number: int) -> Process:
        yield places
        order.append(number)
        yield simulation.now + 10
        simulation.free(places)

    for number in range(4):
        simulation.start(hold(number), at=number)
    simulation.run()
    assert order == [0, 1, 2, 3]
    assert simulation.now == 40


def test_a_line_works_on_as_many_jobs_as_it_has_servers() -> None:
    line = Line(2)
    assert [line.take(0, 5), line.take(0, 5), line.take(1, 5), line.take(20, 1)] == [5, 5, 10, 21]
    assert line.busy == 16
