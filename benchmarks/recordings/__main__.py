"""``python -m benchmarks.recordings [--rounds 3] [--peers all|none] [--write docs/performance.md]``"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.common import page
from benchmarks.common.environments import python_of
from benchmarks.common.in_task import make_airflow
from benchmarks.common.race import Contender, Figures, race
from benchmarks.common.server import Server

MODULES = "benchmarks.recordings.contenders"
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
    """Run what the command line says; gives 1 if something promised was not kept."""
    options = _options()
    peers = ["HttpOperator"] if options.peers == "all" else []
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-airflow-")))
        airflow = make_airflow(home / "provider")
        large = race(_one_large(stack, airflow, home, peers), options.large_rounds)
        many = _many(stack, airflow, options.rounds)
    kept = promises(large, many)
    parts = [page.machine(peers), _large_table(large), *(_many_table(ours, many) for ours in OURS)]
    page.publish("recordings", "\n\n".join([*parts, page.promises(kept)]), options.write)
    return 0 if all(kept.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recordings")
    parser.add_argument("--large-rounds", type=int, default=7, help="runs with one large recording (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs with many small ones (%(default)s)")
    parser.add_argument("--peers", choices=("all", "none"), default="all", help="others (%(default)s)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables there, in place of the ones before")
    return parser.parse_args()


def _one_large(stack: ExitStack, airflow: dict[str, str], home: Path, peers: list[str]) -> list[Contender]:
    stand = stack.enter_context(Server(recordings=(LARGE,))).url
    url = f"{stand}/recording/{LARGE}"
    found = [
        Contender(TO_FILE, f"{MODULES}.floor", ("to-file", url)),
        Contender(HASHED, f"{MODULES}.floor", ("hashed", url)),
        *(_ours(ours, stand, LARGE, 1, 1, airflow) for ours in OURS),
        Contender(WHOLE, f"{MODULES}.floor", ("whole", url), check=Lands(LARGE, 1)),
    ]
    if peers:
        python = python_of("HttpOperator")
        environment = make_airflow(home / "peer", python)
        module = f"{MODULES}.http_operator"
        found.append(Contender(HTTP_OPERATOR, module, (url,), python, environment, Lands(LARGE, 1)))
    return found


def _many(stack: ExitStack, airflow: dict[str, str], rounds: int) -> ByConcurrency:
    stand = stack.enter_context(Server(recordings=(SMALL,), latency=LATENCY)).url
    contenders = {
        (ours, in_flight): _ours(ours, stand, SMALL, COUNT, in_flight, airflow)
        for in_flight in IN_FLIGHT
        for ours in OURS
    }
    medians = race(list(contenders.values()), rounds)
    return {in_flight: {ours: medians[contenders[ours, in_flight].name] for ours in OURS} for in_flight in IN_FLIGHT}


def _ours(ours: str, stand: str, size: int, count: int, in_flight: int, airflow: dict[str, str]) -> Contender:
    name = ours if count == 1 else f"{ours}, {in_flight} in flight"
    arguments = (stand, str(size), str(count), str(in_flight))
    return Contender(name, f"{MODULES}.{OURS[ours]}", arguments, environment=airflow, check=Lands(size, count))


class Lands:
    """
    Checks that the recordings did land, all of them.

    :param size: of each, in bytes.
    :param count: so many.
    """

    def __init__(self, size: int, count: int) -> None:
        self._sizes = [size] * count

    def __call__(self, folder: Path) -> None:
        """Look at the files that a contender left."""
        if [path.stat().st_size for path in folder.glob("*.mp3")] != self._sizes:
            raise RuntimeError("recordings are missing, or not whole")


def promises(large: dict[str, Figures], many: ByConcurrency) -> dict[str, bool]:
    """What is promised, and whether it was kept."""
    kept: dict[str, bool] = {}
    for ours in OURS:
        who = ours.strip("*")
        part, growth = large[ours].wall / large[TO_FILE].wall, large[ours].growth
        kept[f"40 MB, {who}: at most 2 x `requests` to a file; it is {part:.2f} x"] = part <= MOST_OF_FLOOR
        kept[f"40 MB, {who}: at most 8 MB; it is {growth:.0f} MB"] = growth <= MOST_GROWTH_OF_LARGE
        for in_flight, least in LEAST_GAIN.items():
            gain = _gain(many, ours, in_flight)
            kept[f"{in_flight} in flight, {who}: at least {least} x the throughput of 1; it is {gain:.1f} x"] = (
                gain >= least
            )
            growth = many[in_flight][ours].growth
            kept[f"{in_flight} in flight, {who}: at most 32 MB; it is {growth:.0f} MB"] = growth <= MOST_GROWTH_OF_MANY
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
    return f"### {title}\n\n{page.table(('in flight', 'a second', 'x one', 'CPU ms each', 'RSS +MB'), lines)}"


if __name__ == "__main__":
    sys.exit(main())
