"""Run an operator in a task of real Airflow, with the stopwatch around its ``execute``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.common.stopwatch import Stopwatch

MakeOperator = Callable[..., Any]


def make_airflow(home: Path, python: str = sys.executable) -> dict[str, str]:
    """Create Airflow's database; return the environment variables for processes that use it."""
    (home / "dags").mkdir(parents=True, exist_ok=True)
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }
    command = [python, "-m", "airflow", "db", "migrate"]
    subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=True)
    return environment


def run_in_task(make: MakeOperator) -> None:
    """
    Run a DAG with one task.

    :param make: an operator's class, all its arguments given but ``pre_execute`` and ``post_execute``.
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    from airflow_provider_alloincognito.compat import DAG

    stopwatch = Stopwatch()
    with DAG("benchmark", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        make(pre_execute=stopwatch.start, post_execute=stopwatch.stop)
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    bag = DagBag(collect_dags=False)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    run = dag.test()
    if str(run.state) != "success":
        raise SystemExit(f"The task ended in the state {run.state}.")
