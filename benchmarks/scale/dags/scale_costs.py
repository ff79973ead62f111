"""DAGs whose tasks do nothing, so that what they cost is Airflow's own; one lands, one measures token stores."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pendulum

from airflow_provider_alloincognito.compat import DAG, Asset, task
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator
from benchmarks.common.bodies import SCHEMA

LANDED = Asset("alloincognito://scale_runs/nothing")
NUMBERS = list(range(int(os.environ["SCALE_TASKS"])))
START = pendulum.datetime(2026, 1, 1, tz="UTC")


@task
def nothing(number: int) -> None:
    """Only start and end."""


@task
def store_costs(conn_id: str) -> None:
    """Measure the token store of a Connection."""
    from benchmarks.scale.token_store import measure

    Path(os.environ["SCALE_FOLDER"], f"{conn_id}.json").write_text(json.dumps(asdict(measure(conn_id))))


with DAG("scale_tasks", schedule=None, start_date=START):
    nothing.expand(number=NUMBERS)

with DAG("scale_calls", schedule=None, start_date=START):
    AlloincognitoCallListOperator.partial(
        task_id="calls", period_start="2026-03-01 00:00:00", period_end="2026-03-02 00:00:00", schema=SCHEMA
    ).expand(output_path=[f"file://{os.environ['SCALE_FOLDER']}/calls-{number}.parquet" for number in NUMBERS])

with DAG("scale_runs", schedule=None, start_date=START):
    nothing.override(outlets=[LANDED])(0)

with DAG("scale_loads", schedule=[LANDED], start_date=START):
    nothing(0)

with DAG("scale_stores", schedule=None, start_date=START):
    store_costs.expand(conn_id=["variable", "redis"])
