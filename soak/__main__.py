"""
``make soak``, or ``python -m soak --minutes 60``: run Airflow amid trouble, then count.

The exit code is 0 if all that landed equals the truth, no task failed but by a fault, and nothing grew.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_alloincognito.sandbox import Sandbox, SandboxSettings
from services.sandbox import RunningSandbox, running_sandbox
from services.standalone import Standalone
from soak.growth import Samples
from soak.landed import Landed
from soak.report import report
from soak.runs import DAGS, Runs
from soak.trouble import Trouble

REPOSITORY = Path(__file__).resolve().parents[1]
SANDBOX = {
    "seed": "soak",
    "calls_per_day": 40,
    "recording_bytes": [700, 7000],
    "access_lifetime": 60,
    "refresh_lifetime": 75,
    # At first results are not ready, so that the triggerer does its part from the beginning.
    "call_list_answer": "hash_only",
    "pending_seconds": 5.0,
    # The sandbox's own memory is measured, too.
    "log_limit": 1000,
    "cache_megabytes": 8,
}
REQUEST_TIMEOUT = 10
LONGEST_END = 900.0


def main() -> int:
    """Run the soak."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=60.0, help="of trouble (%(default)s)")
    options.add_argument("--folder", type=Path, default=REPOSITORY / ".soak", help="for all files (%(default)s)")
    given = options.parse_args()
    folder = given.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with running_sandbox(SANDBOX) as sandbox, _airflow(folder, sandbox) as airflow:
        runs, trouble = Runs(airflow), Trouble(sandbox.url, airflow.pid)
        samples = Samples(airflow.pid, sandbox.pid)
        _soak(given.minutes * 60, runs, trouble, samples)
        trouble.stop()
        _wait_for_end(runs)
        trouble.read_log()
        landed = Landed(folder / "files", Sandbox(SandboxSettings.of(SANDBOX)))
        return report(given.minutes, runs, trouble, samples.growth(), landed)


@contextmanager
def _airflow(folder: Path, sandbox: RunningSandbox) -> Iterator[Standalone]:
    """Run Airflow with the DAGs and a Connection to the sandbox."""
    connection = {**json.loads(sandbox.connection), "extra": {"timeout": REQUEST_TIMEOUT}}
    environment = {
        "AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT": json.dumps(connection),
        "SOAK_FILES": str(folder / "files"),
        "PYTHONPATH": str(REPOSITORY),
    }
    airflow = Standalone(folder, **environment)
    try:
        shutil.copy(REPOSITORY / "soak" / "dags.py", airflow.dags)
        airflow.wait_until_healthy()
        airflow.until(lambda: all(f'"{dag_id}"' in airflow.text_of("dags") for dag_id in DAGS), 120)
        yield airflow
    finally:
        airflow.stop()


def _soak(seconds: float, runs: Runs, trouble: Trouble, samples: Samples) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        runs.trigger()
        trouble.make()
        samples.take()
        time.sleep(1)


def _wait_for_end(runs: Runs) -> None:
    give_up = time.monotonic() + LONGEST_END
    while runs.active() and time.monotonic() < give_up:
        time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
