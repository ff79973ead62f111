"""The unit costs: what one of each kind takes, measured on this machine over the loopback."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from airflow_provider_alloincognito.sandbox import Sandbox
from benchmarks.calls.plan import check_rows
from benchmarks.common.figures_of import figures_of
from benchmarks.common.in_task import make_airflow
from benchmarks.common.race import Contender, race
from benchmarks.common.server import running
from benchmarks.common.stopwatch import Figures
from benchmarks.recordings.__main__ import check_recordings
from benchmarks.scale import airflow_costs
from benchmarks.scale.airflow_costs import AirflowCosts
from benchmarks.watchers.__main__ import BEGAN

FEW_ROWS, MANY_ROWS = 1, 100_000
RECORDING, RECORDINGS, LATENCY = 300_000, 200, 0.05
IN_FLIGHT = (1, 4, 16)
WATCHERS, WATCHERS_SPEED, CALLS_OF_A_CONTRACT = 200, 10, 10_000


@dataclass(frozen=True)
class InFlight:
    """
    Recordings of which some are in flight at a time, each with 50 ms of latency.

    :param per_second: how many land in a second.
    :param cpu: seconds for each.
    """

    per_second: float
    cpu: float


@dataclass(frozen=True)
class UnitCosts:
    """
    What one of each kind takes, in seconds.

    :param list_wall: a call list of one row, around the operator's ``execute``.
    :param rows_wall: 1,000 rows more, to Parquet.
    :param recordings: of 300 KB each, by how many are in flight.
    :param look_cpu: one look of a watcher at a window of its calls.
    :param peak: MB of a process that lands a call list of 100,000 rows as Parquet.
    :param airflow: of Airflow itself, and of the token stores.
    """

    list_wall: float
    list_cpu: float
    rows_wall: float
    rows_cpu: float
    recordings: dict[int, InFlight]
    look_cpu: float
    peak: float
    airflow: AirflowCosts


@dataclass(frozen=True)
class Effort:
    """
    How much is measured.

    :param rounds: of calls and recordings.
    :param seconds: of the watchers' looks.
    :param tasks: of Airflow's task instances.
    :param runs: of Airflow's DAG runs.
    """

    rounds: int
    seconds: float
    tasks: int
    runs: int


def measure(effort: Effort) -> UnitCosts:
    """Measure all of them."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-airflow-")))
        airflow = make_airflow(home)
        few, many = _lists(airflow, effort.rounds)
        recordings = _recordings(airflow, effort.rounds)
    rows = (MANY_ROWS - FEW_ROWS) / 1000
    return UnitCosts(
        list_wall=few.wall,
        list_cpu=few.cpu,
        rows_wall=(many.wall - few.wall) / rows,
        rows_cpu=(many.cpu - few.cpu) / rows,
        recordings=recordings,
        look_cpu=_look(effort.seconds),
        peak=many.peak,
        airflow=airflow_costs.measure(effort.tasks, effort.runs),
    )


def _lists(airflow: dict[str, str], rounds: int) -> list[Figures]:
    with running("benchmarks.common.server", f"--rows={FEW_ROWS}", f"--rows={MANY_ROWS}") as server:
        contenders = [
            Contender(
                f"{rows:,} rows",
                "operator",
                ("calls", server, str(rows), "parquet", "1"),
                environment=airflow,
                check=partial(check_rows, rows),
            )
            for rows in (FEW_ROWS, MANY_ROWS)
        ]
        return list(race(contenders, rounds).values())


def _recordings(airflow: dict[str, str], rounds: int) -> dict[int, InFlight]:
    with running("benchmarks.common.server", f"--recording={RECORDING}", f"--latency={LATENCY}") as server:
        contenders = [
            Contender(
                f"{in_flight} in flight",
                "operator",
                ("recordings", server, str(RECORDING), str(RECORDINGS), str(in_flight)),
                environment=airflow,
                check=partial(check_recordings, RECORDING, RECORDINGS),
            )
            for in_flight in IN_FLIGHT
        ]
        medians = race(contenders, rounds).values()
    return {
        in_flight: InFlight(RECORDINGS / figures.wall, figures.cpu / RECORDINGS)
        for in_flight, figures in zip(IN_FLIGHT, medians, strict=True)
    }


def _look(seconds: float) -> float:
    """Return what a look takes, at calls as many as a contract has, with the start of its watcher."""
    print(f"  {WATCHERS:,} watchers", file=sys.stderr)
    with Sandbox(calls_per_day=CALLS_OF_A_CONTRACT) as sandbox:
        connection = json.dumps(sandbox.connection(pair_store="memory"))
        arguments = (WATCHERS, seconds, WATCHERS_SPEED, BEGAN.timestamp())
        watchers = figures_of("benchmarks.watchers.contender", *arguments, connection=connection)
        return watchers["cpu"] * seconds / sandbox.count("getcalllist")
