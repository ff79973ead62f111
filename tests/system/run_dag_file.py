"""
Run the DAG of a DAG file for some logical dates, with the Airflow of this Python, and write the outcome as JSON.

Arguments: the DAG file, whose DAG has the name ``dag``; the file for the outcome; logical dates. A logical date may be
followed by ``=`` and the run's params as JSON.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow import __version__
from airflow.providers_manager import ProvidersManager
from airflow.utils.db import initdb

from airflow_provider_alloincognito.compat import DAG


def main(file: str, outcome: str, *logical_dates: str) -> None:
    initdb()
    dag = dag_of(file)
    argument = "execution_date" if "execution_date" in inspect.signature(dag.test).parameters else "logical_date"
    states = []
    for given in logical_dates:
        logical_date, _, params = given.partition("=")
        conf = json.loads(params) if params else None
        run = dag.test(**{argument: datetime.fromisoformat(logical_date)}, run_conf=conf)  # type: ignore[arg-type]
        states.append(str(run.state))
    result = {"airflow": __version__, "states": states, "form": form_fields()}
    Path(outcome).write_text(json.dumps(result))


def dag_of(file: str) -> DAG:
    spec = importlib.util.spec_from_file_location("dag_file", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dag_file"] = module
    sys.path.insert(0, str(Path(file).parent))  # as Airflow does: one file imports from another
    spec.loader.exec_module(module)
    dag: DAG = module.dag
    return dag


def form_fields() -> list[str]:
    """Return the fields of the Connection's form, as Airflow 2 knows them."""
    widgets: dict[str, Any] = ProvidersManager().connection_form_widgets  # type: ignore[no-untyped-call]
    prefix = "extra__alloincognito__"
    return [name.removeprefix(prefix) for name in widgets if name.startswith(prefix)]


if __name__ == "__main__":
    main(*sys.argv[1:])
