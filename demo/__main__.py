"""
``make demo``: two DAGs copy three days of calls and recordings from the sandbox to files and to a warehouse table.

The exit code is 0 if what landed equals the sandbox's own list of these days.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.place import REPOSITORY, Place
from demo.report import Report
from demo.truth import compare
from services.sandbox import RunningSandbox, dump_truth, running_sandbox

# Thursday, Friday, and a Saturday in the next month.
DAYS = ["2025-10-30", "2025-10-31", "2025-11-01"]
AFTER = "2025-11-02"
# With an inclusive period_end the server lists calls that start at midnight in both days; the DAG keeps them once.
# Recordings of a few seconds keep the demo small.
SANDBOX = {"seed": "demo", "period_end": "inclusive", "recording_bytes": [2_000, 20_000]}


def main() -> int:
    """Run the demo."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, default=REPOSITORY / ".demo", help="for all files (%(default)s)")
    place = Place(options.parse_args().folder.resolve())
    place.make()
    report = Report(place)
    dump_truth(SANDBOX, DAYS[0], AFTER, place.truth)
    with running_sandbox(SANDBOX) as sandbox:
        report.start(sandbox.url)
        code = 0
        for event in _run_days(place, sandbox):
            code = event.get("code", code)
            report.event(event)
    if code:
        report.failed(code)
        return 1
    checks = compare(place, DAYS, SANDBOX)
    report.summary(DAYS, checks)
    return 0 if all(check.equal for check in checks) else 1


def _run_days(place: Place, sandbox: RunningSandbox) -> Iterator[dict[str, Any]]:
    """Run Airflow in a process that logs to a file; yield what it reports about its tasks."""
    reading, writing = os.pipe()
    environment = {
        **place.environment(first_day=DAYS[0]),
        "AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT": sandbox.connection,
        "DEMO_PROGRESS": str(writing),
    }
    with place.log.open("wb") as log:
        airflow = subprocess.Popen(
            [sys.executable, "-m", "demo.days", *DAYS],
            cwd=REPOSITORY,
            env=environment,
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    os.close(writing)
    try:
        with os.fdopen(reading, encoding="utf-8") as lines:
            yield from map(json.loads, lines)
        yield {"code": airflow.wait()}
    finally:
        airflow.terminate()
        airflow.wait()


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"\nThis took {time.monotonic() - began:.0f} s.")
    sys.exit(code)
