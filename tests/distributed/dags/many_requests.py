"""Tasks that make requests at the same time, one after the other, for some seconds; see test_deployments.py."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pendulum
import tenacity

from airflow_provider_alloincognito.compat import DAG, task

PLAN = json.loads(os.environ["MANY_REQUESTS"])
LONGEST_START = 240.0
LONGEST_REQUEST = 30.0
PAUSE = 0.075
UNKNOWN_HASH = "1000"
"""The sandbox's ``errorCode`` for a hash that it does not know, in a response to an accepted token."""


@task
def load(number: int) -> None:
    """Wait for the other tasks, then make requests."""
    from airflow_provider_alloincognito.errors import AlloincognitoApiError
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

    hook = AlloincognitoHook()
    _wait_for_all(Path(PLAN["folder"]), number)
    end = time.monotonic() + PLAN["seconds"]
    while (began := time.monotonic()) < end:
        try:
            hook.get_request_result("bm9ib2R5cyBoYXNo")
        except AlloincognitoApiError as error:
            if str(error.code) != UNKNOWN_HASH:
                raise
        took = time.monotonic() - began
        if took > LONGEST_REQUEST:
            raise RuntimeError(f"A request took {took:.1f} s.")
        time.sleep(random.uniform(0.5, 1.5) * PAUSE)


@tenacity.retry(stop=tenacity.stop_after_delay(LONGEST_START), wait=tenacity.wait_fixed(0.05))
def _wait_for_all(folder: Path, number: int) -> None:
    """Airflow starts tasks one after the other; the test is about tasks that run at the same time."""
    (folder / f"started-{number}").touch()
    missing = PLAN["tasks"] - len(list(folder.glob("started-*")))
    if missing:
        raise RuntimeError(f"{missing} tasks have not started.")


with DAG("many_requests", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
    load.expand(number=list(range(PLAN["tasks"])))
