"""Make the DAGs of a test known to Airflow, on any version of it."""

from __future__ import annotations

import importlib
from typing import Any

_known: set[str] = set()


def make_known(dag: Any) -> None:
    """Save a DAG, once, as the DAG processor does: from 3.1 on, Airflow runs only DAGs of its database."""
    if dag.dag_id in _known:
        return
    for place in ("airflow.dag_processing.dagbag", "airflow.models.dagbag"):
        try:
            module = importlib.import_module(place)
            bag, sync = module.DagBag(collect_dags=False), module.sync_bag_to_db
        except (ImportError, AttributeError):  # another version of Airflow
            continue
        bag.bag_dag(dag)
        sync(bag, "dags-folder", None)
        break
    _known.add(dag.dag_id)
