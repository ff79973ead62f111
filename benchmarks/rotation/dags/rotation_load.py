"""Tasks that all ask at once, and go on asking; what the benchmark's mode ``airflow`` runs."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

PLAN = json.loads(os.environ["ROTATION_PLAN"])
LONGEST_GATHERING = 240.0


@task
def load(number: int) -> dict[str, int]:
    """Wait for the other tasks, then ask."""
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
    from airflow_provider_alloincognito.hooks.shared import shared_pair
    from benchmarks.rotation.measured import MeasuredClient, Notes

    folder = Path(PLAN["folder"])
    hook = AlloincognitoHook()
    client = MeasuredClient(hook.settings, *shared_pair(hook.settings, hook.access.authorization_token))
    notes = Notes(folder)
    _gather(folder, number)
    end, asked, failed = time.monotonic() + PLAN["seconds"], 0, 0
    while time.monotonic() < end:
        request = client.ask()
        notes.add(request)
        asked += 1
        failed += request.failed
        time.sleep(random.uniform(0.5, 1.5) * PLAN["pause"])
    if failed:
        raise RuntimeError(f"{failed} of {asked} requests failed")
    return {"asked": asked}


def _gather(folder: Path, number: int) -> None:
    """Airflow starts tasks one after the other; the worst is when all are there."""
    (folder / f"here-{number}").touch()
    give_up = time.monotonic() + LONGEST_GATHERING
    while len(list(folder.glob("here-*"))) < PLAN["tasks"]:
        if time.monotonic() > give_up:
            raise RuntimeError("not all tasks run at the same time")
        time.sleep(0.05)


with DAG("rotation_load", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
    load.expand(number=list(range(PLAN["tasks"])))
