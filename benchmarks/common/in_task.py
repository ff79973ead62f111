"""Run an operator in a task of real Airflow, with the stop-watch around its ``execute``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.common.stopwatch import Stopwatch


def airflow_environment(home: Path) -> dict[str, str]:
    """The environment of processes that share one Airflow."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }


def make_airflow(home: Path, python: str = sys.executable) -> dict[str, str]:
    """Make Airflow's tables; gives the environment of processes that use them."""
    (home / "dags").mkdir(parents=True, exist_ok=True)
    environment = airflow_environment(home)
    subprocess.run(
        [python, "-m", "airflow", "db", "migrate"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return environment


def run_in_task(make: Callable[[Any, Any], Any]) -> None:
    """
    Run a DAG of one task.

    :param make: makes the operator, with what is to be done before and after ``execute``.
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.providers.common.compat.sdk import DAG

    stopwatch = Stopwatch()
    with DAG("benchmark", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        make(stopwatch.start, stopwatch.stop)
    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(collect_dags=False)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    run = dag.test()
    if str(run.state) != "success":
        raise SystemExit(f"the task ended in {run.state}")
