"""Loads of an example DAG in processes of their own, which may be killed."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import re
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from warehouses import EXAMPLES, Warehouse

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.loading import LandedPeriod

DAILY = "alloincognito_daily_calls.py"
EVENTS = "triggering_asset_events" if AIRFLOW_VERSION >= (3, 0) else "triggering_dataset_events"
LONGEST_LOAD = 300.0

PROCESSES = multiprocessing.get_context("forkserver")
IMPORTED = [
    "airflow.models",
    "airflow.providers.clickhousedb.hooks.clickhouse",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.standard.sensors.python",
    "airflow.timetables.interval",
    "airflow_provider_alloincognito.assets",
    "airflow_provider_alloincognito.landing.reading",
    "airflow_provider_alloincognito.operators.alloincognito",
    "clickhouse_connect",
    "duckdb",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
]
"""What a load imports on first use: before its memory is measured."""
PROCESSES.set_forkserver_preload(IMPORTED)


@dataclass(frozen=True)
class Outcome:
    """
    The outcome of a load.

    :param returned: what the task returns; None if it failed.
    :param growth: the peak of its memory beyond what it had when its task began, in bytes.
    """

    returned: dict[str, int] | None
    error: str
    growth: int
    seconds: float


class Load:
    """
    A load that has begun: its DAG file is imported, its task about to run.

    :param fresh: start a new interpreter. In a fork, pages of the parent that are touched look like growth.
    """

    def __init__(
        self,
        dags: Path,
        name: str,
        variables: Mapping[str, str],
        periods: Sequence[LandedPeriod],
        *,
        fresh: bool = False,
    ) -> None:
        processes: Any = multiprocessing.get_context("spawn") if fresh else PROCESSES
        self._receiver, sender = processes.Pipe(duplex=False)
        arguments = (str(dags), name, dict(variables), [_extra(period) for period in periods], sender)
        self.process = processes.Process(target=_load, args=arguments)
        self.process.start()
        sender.close()
        assert self._receiver.poll(LONGEST_LOAD)
        assert self._receiver.recv() == "started"

    def kill(self) -> bool:
        """Kill it, and return whether it was still running."""
        self.process.kill()
        self.process.join()
        return bool(self.process.exitcode)

    def wait(self) -> Outcome:
        """Wait for its end."""
        assert self._receiver.poll(LONGEST_LOAD), "the load does not end"
        outcome: Outcome = self._receiver.recv()
        self.process.join()
        return outcome


def _load(dags: str, name: str, variables: dict[str, str], events: list[dict[str, str]], result: Any) -> None:
    os.environ.update(variables)
    sys.path.insert(0, dags)
    task = importlib.import_module(name).load.function
    context = {EVENTS: {"calls": [SimpleNamespace(extra=extra, timestamp=n) for n, extra in enumerate(events)]}}
    for module in IMPORTED:
        importlib.import_module(module)
    result.send("started")
    Path("/proc/self/clear_refs").write_text("5")  # the imports' peak does not count; getrusage's is the parent's
    before, began = _memory("VmRSS"), time.monotonic()
    returned, error = None, ""
    try:
        returned = task(**context)
    except Exception:  # noqa: BLE001 - sent
        error = traceback.format_exc()
    result.send(Outcome(returned, error, _memory("VmHWM") - before, time.monotonic() - began))


def _memory(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def _extra(period: LandedPeriod) -> dict[str, str]:
    extra = {"period_start": period.start.isoformat(), "period_end": period.end.isoformat(), "calls": period.calls}
    return extra | ({"manifest": period.manifest} if period.manifest else {})


class Loader:
    """
    The example DAG of a warehouse, in a folder of DAGs.

    :param folder: gets the folders of DAGs and of files.
    """

    def __init__(self, warehouse: Warehouse, folder: Path) -> None:
        self.warehouse = warehouse
        self.name = f"alloincognito_load_{warehouse.name}"
        self.files, self.dags = folder / "files", folder / "dags"
        self.dags.mkdir()
        for file in (DAILY, f"{self.name}.py", f"{self.name}.sql"):
            shutil.copy(EXAMPLES / file, self.dags)

    def edit(self, file: str, change: Callable[[str], str]) -> None:
        """Change a file as a user would."""
        path = self.dags / file
        before = path.read_text()
        after = change(before)
        assert after != before
        path.write_text(after)

    def start(self, *periods: LandedPeriod, fresh: bool = False) -> Load:
        """Start a load, by events in this order; see :class:`Load`."""
        variables = {**self.warehouse.variables, "ALLOINCOGNITO_FILES": f"file://{self.files}"}
        return Load(self.dags, self.name, variables, periods, fresh=fresh)

    def load(self, *periods: LandedPeriod, fresh: bool = False) -> Outcome:
        """Load, and wait."""
        outcome = self.start(*periods, fresh=fresh).wait()
        assert not outcome.error, outcome.error
        return outcome
