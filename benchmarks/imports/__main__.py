"""``python -m benchmarks.imports [--rounds 15] [--write docs/performance.md]``"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.common import page
from benchmarks.common.race import ROOT

BASE_NAMES = "BaseHook, BaseOperator, BaseSensorOperator, ObjectStoragePath, conf"
BASE = f"from airflow_provider_alloincognito.compat import {BASE_NAMES}"
PACKAGE = "airflow_provider_alloincognito"
OPERATORS, SENSORS = f"{PACKAGE}.operators.alloincognito", f"{PACKAGE}.sensors.alloincognito"
IMPORTS = {
    "operators": f"import {OPERATORS}",
    "sensors": f"import {SENSORS}",
    "operators and sensors": f"import {OPERATORS}, {SENSORS}",
}
BOTH = "operators and sensors"
HEAVY = ("cryptography", "httpx", "ijson", "pyarrow", "pybase64", "requests", "tenacity", "urllib3")
MOST_CPU_MS = 60.0

# Runs in a fresh interpreter: the base first, then what is measured.
MEASURE = """
import gc, json, sys, time
{base}
gc.collect()
base, began = set(sys.modules), time.process_time()
{imports}
cpu = time.process_time() - began
print(json.dumps([cpu * 1000, sorted(base), sorted(set(sys.modules) - base)]))
"""


@dataclass(frozen=True)
class Cost:
    """
    What some imports cost beyond the base.

    :param cpu: user and system time of each round, in milliseconds.
    :param base: the modules that were loaded before.
    :param loaded: the modules that were loaded by these imports.
    """

    cpu: list[float]
    base: list[str]
    loaded: list[str]

    @property
    def own(self) -> list[str]:
        """The provider's own modules among those loaded."""
        return [name for name in self.loaded if _package(name) == PACKAGE]

    @property
    def others(self) -> list[str]:
        """The modules of third-party packages and of Airflow among those loaded."""
        known = {PACKAGE, *sys.stdlib_module_names}
        return [name for name in self.loaded if _package(name) not in known]


def main() -> int:
    """Measure and print; return 1 if a promise was not kept."""
    parser = page.command_line("imports")
    parser.add_argument("--rounds", type=int, default=15, help="fresh interpreters for each import (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-airflow-") as home:
        _run(home, "-c", MEASURE.format(base=BASE, imports=IMPORTS[BOTH]))  # writes airflow.cfg and the .pyc files
        costs = _measure(home, options.rounds)
        times = _own_times(home, costs[BOTH].loaded)
    parts = [page.machine(), _table(costs), _modules(costs[BOTH], times)]
    return page.publish("imports", parts, promises(costs), options.write)


def _measure(home: str, rounds: int) -> dict[str, Cost]:
    """Run each import in fresh interpreters, round after round."""
    costs: dict[str, Cost] = {}
    for _ in range(rounds):
        for name, imports in IMPORTS.items():
            cpu, base, loaded = json.loads(_run(home, "-c", MEASURE.format(base=BASE, imports=imports)).stdout)
            costs.setdefault(name, Cost([], base, loaded)).cpu.append(cpu)
    return costs


def _own_times(home: str, loaded: Iterable[str]) -> dict[str, float]:
    """Return each module's own import time in milliseconds, without what it imports itself."""
    log = _run(home, "-X", "importtime", "-c", f"{BASE}\n{IMPORTS[BOTH]}").stderr
    own = {name: int(us) / 1000 for us, name in re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", log, re.M)}
    return {name: own.get(name, 0.0) for name in loaded}


def _run(home: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AIRFLOW_HOME": home, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=home, capture_output=True, text=True, check=True
    )


def promises(costs: dict[str, Cost]) -> dict[str, bool]:
    """Return what is promised, and whether it was kept."""
    cpu, heavy = statistics.median(costs[BOTH].cpu), _heavy(costs[BOTH].loaded)
    return {
        f"{BOTH}: at most {MOST_CPU_MS:.0f} ms of CPU; it is {cpu:.0f} ms": cpu <= MOST_CPU_MS,
        f"{BOTH}: load none of {', '.join(HEAVY)}; they load {_listed(heavy)}": not heavy,
    }


def _table(costs: dict[str, Cost]) -> str:
    lines = [
        (name, f"{statistics.median(cost.cpu):.1f}", f"{min(cost.cpu):.1f}", str(len(cost.own)), str(len(cost.others)))
        for name, cost in costs.items()
    ]
    return page.table(("imported", "CPU ms, median", "CPU ms, least", "own modules", "others' modules"), lines)


def _modules(cost: Cost, times: dict[str, float]) -> str:
    """List what was loaded, with each module's own time where it is not next to nothing."""

    def timed(names: Iterable[str]) -> str:
        slowest = sorted(names, key=lambda name: -times[name])
        return _listed(f"`{name.removeprefix(f'{PACKAGE}.')}` {times[name]:.1f}" for name in slowest)

    other_stdlib = set(cost.loaded) - {*cost.own, *cost.others}
    return "\n".join(
        [
            f"- Own modules, with their own time in ms (`-X importtime`): {timed(cost.own)}.",
            f"- Modules of other packages: {timed(cost.others)}.",
            f"- Modules of the standard library: {timed(other_stdlib)}.",
            f"- Heavy packages that the base has loaded already: {_listed(_heavy(cost.base))}.",
        ]
    )


def _heavy(modules: Iterable[str]) -> list[str]:
    return sorted({_package(name) for name in modules} & set(HEAVY))


def _package(module: str) -> str:
    return module.partition(".")[0]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


if __name__ == "__main__":
    sys.exit(main())
