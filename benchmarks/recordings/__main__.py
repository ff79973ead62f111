"""``python -m benchmarks.recordings [--rounds 3] [--peers all|none] [--write docs/performance.md]``"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.common import page
from benchmarks.common.environments import python_of
from benchmarks.common.in_task import make_airflow
from benchmarks.common.race import Contender, race
from benchmarks.common.server import running
from benchmarks.common.stopwatch import Figures

TO_FILE, WHOLE = "*floor:* `requests` to a file, nothing decoded", "`requests`, `.json()`, `b64decode`"
HASHED = "*floor:* the same, and its SHA-256"
READER, OPERATOR = "**the provider's reader**", "**the provider's operator, in a task**"
HTTP_OPERATOR = "Airflow HttpOperator, in a task"
OURS = {READER: "reader", OPERATOR: "operator"}

LARGE = 40_000_000
SMALL, COUNT, LATENCY = 300_000, 500, 0.05
IN_FLIGHT = (1, 4, 16, 32)
LEAST_GAIN = {16: 14, 32: 20}
MOST_OF_FLOOR = 2.0
MOST_GROWTH_OF_LARGE, MOST_GROWTH_OF_MANY = 8, 32

ByConcurrency = dict[int, dict[str, Figures]]


def main() -> int:
    """Measure what the command line says; return 1 if a promise was not kept."""
    options = _options()
    peers = ["HttpOperator"] if options.peers == "all" else []
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-airflow-")))
        airflow = make_airflow(home / "provider")
        large = race(_one_large(stack, airflow, home, peers), options.large_rounds)
        many = _many(stack, airflow, options.rounds)
    parts = [page.machine(peers), _large_table(large), *(_many_table(ours, many) for ours in OURS)]
    return page.publish("recordings", parts, promises(large, many), options.write)


def _options() -> argparse.Namespace:
    parser = page.command_line("recordings")
    parser.add_argument("--large-rounds", type=int, default=7, help="runs with one large recording (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs with many small ones (%(default)s)")
    parser.add_argument("--peers", choices=("all", "none"), default="all", help="others (%(default)s)")
    return parser.parse_args()


def _one_large(stack: ExitStack, airflow: dict[str, str], home: Path, peers: list[str]) -> list[Contender]:
    server = stack.enter_context(running("benchmarks.common.server", f"--recording={LARGE}"))
    url, check = f"{server}/recording/{LARGE}", partial(check_recordings, LARGE, 1)
    contenders = [
        Contender(TO_FILE, "floor", ("to-file", url)),
        Contender(HASHED, "floor", ("hashed", url)),
        *(_ours(ours, server, LARGE, 1, 1, airflow) for ours in OURS),
        Contender(WHOLE, "floor", ("json", url), check=check),
    ]
    if peers:
        python = python_of("HttpOperator")
        environment = make_airflow(home / "peer", python)
        contenders.append(
            Contender(HTTP_OPERATOR, "http_operator", ("recordings", url), python, environment, check=check)
        )
    return contenders


def _many(stack: ExitStack, airflow: dict[str, str], rounds: int) -> ByConcurrency:
    options = (f"--recording={SMALL}", f"--latency={LATENCY}")
    server = stack.enter_context(running("benchmarks.common.server", *options))
    contenders = {
        (ours, in_flight): _ours(ours, server, SMALL, COUNT, in_flight, airflow)
        for in_flight in IN_FLIGHT
        for ours in OURS
    }
    medians = race(list(contenders.values()), rounds)
    return {in_flight: {ours: medians[contenders[ours, in_flight].name] for ours in OURS} for in_flight in IN_FLIGHT}


def _ours(ours: str, server: str, size: int, count: int, in_flight: int, airflow: dict[str, str]) -> Contender:
    name = ours if count == 1 else f"{ours}, {in_flight} in flight"
    arguments = ("recordings", server, str(size), str(count), str(in_flight))
    check = partial(check_recordings, size, count)
    return Contender(name, OURS[ours], arguments, environment=airflow, check=check)


def check_recordings(size: int, count: int, folder: Path) -> None:
    """Raise unless a contender's folder has so many recordings of one size."""
    if [path.stat().st_size for path in folder.glob("*.mp3")] != [size] * count:
        raise RuntimeError("Recordings are missing or incomplete.")


def promises(large: dict[str, Figures], many: ByConcurrency) -> dict[str, bool]:
    """Return what is promised, and whether it was kept."""
    kept: dict[str, bool] = {}
    for ours in OURS:
        name = ours.strip("*")
        part, growth = large[ours].wall / large[TO_FILE].wall, large[ours].growth
        kept[f"40 MB, {name}: at most 2 x `requests` to a file; it is {part:.2f} x"] = part <= MOST_OF_FLOOR
        kept[f"40 MB, {name}: at most 8 MB; it is {growth:.0f} MB"] = growth <= MOST_GROWTH_OF_LARGE
        for in_flight, least in LEAST_GAIN.items():
            gain = _gain(many, ours, in_flight)
            kept[f"{in_flight} in flight, {name}: at least {least} x the throughput of 1; it is {gain:.1f} x"] = (
                gain >= least
            )
            growth = many[in_flight][ours].growth
            kept[f"{in_flight} in flight, {name}: at most 32 MB; it is {growth:.0f} MB"] = growth <= MOST_GROWTH_OF_MANY
    return kept


def _gain(many: ByConcurrency, ours: str, in_flight: int) -> float:
    return many[1][ours].wall / many[in_flight][ours].wall


def _large_table(medians: dict[str, Figures]) -> str:
    floor = medians[TO_FILE]
    lines = [
        (
            name,
            f"{figures.wall:.3f}",
            f"{figures.cpu:.3f}",
            f"{figures.growth:.0f}",
            f"{figures.wall / floor.wall:.2f}",
        )
        for name, figures in sorted(medians.items(), key=lambda item: item[1].wall)
    ]
    columns = ("", "s", "CPU s", "RSS +MB", "x the floor")
    return f"### One recording of 40 MB\n\n{page.table(columns, lines)}"


def _many_table(ours: str, many: ByConcurrency) -> str:
    lines = [
        (
            str(in_flight),
            f"{COUNT / medians[ours].wall:.0f}",
            f"{_gain(many, ours, in_flight):.1f}",
            f"{medians[ours].cpu / COUNT * 1000:.1f}",
            f"{medians[ours].growth:.0f}",
        )
        for in_flight, medians in many.items()
    ]
    title = f"{COUNT} recordings of 300 KB, {LATENCY * 1000:.0f} ms latency: {ours.strip('*')}"
    return f"### {title}\n\n{page.table(('in flight', 'per second', 'x one', 'CPU ms each', 'RSS +MB'), lines)}"


if __name__ == "__main__":
    sys.exit(main())
