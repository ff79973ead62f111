"""Tasks that all make requests at the same time: what the benchmark's mode ``airflow`` runs."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pendulum

from airflow_provider_alloincognito.compat import DAG, task

PLAN = json.loads(os.environ["ROTATION_PLAN"])
LONGEST_START = 240.0


@task
def load(number: int) -> dict[str, int]:
    """Wait for the other tasks, then make requests."""
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
    from airflow_provider_alloincognito.hooks.shared import shared_pair
    from benchmarks.rotation.measured_client import MeasuredClient, RequestLog

    folder = Path(PLAN["folder"])
    hook = AlloincognitoHook()
    client = MeasuredClient(hook.settings, *shared_pair(hook.settings, hook.access.authorization_token))
    log = RequestLog(folder)
    _wait_for_others(folder, number)
    end, made, failed = time.monotonic() + PLAN["seconds"], 0, 0
    while time.monotonic() < end:
        request = client.request()
        log.add(request)
        made += 1
        failed += request.failed
        time.sleep(random.uniform(0.5, 1.5) * PLAN["pause"])
    if failed:
        raise RuntimeError(f"{failed} of {made} requests failed.")
    return {"requests": made}


def _wait_for_others(folder: Path, number: int) -> None:
    """Wait until all tasks run: Airflow starts them one after the other, and all at once is the hardest case."""
    (folder / f"here-{number}").touch()
    give_up = time.monotonic() + LONGEST_START
    while len(list(folder.glob("here-*"))) < PLAN["tasks"]:
        if time.monotonic() > give_up:
            raise RuntimeError("Not all tasks run at the same time.")
        time.sleep(0.05)


with DAG("rotation_load", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
    load.expand(number=list(range(PLAN["tasks"])))
