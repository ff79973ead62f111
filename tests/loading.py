"""Load what the daily DAG has landed into DuckDB, by the example DAG's functions, without Airflow's database."""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from airflow_provider_alloincognito.loading import LandedPeriod

LOADING = Path(__file__).parents[1] / "example_dags" / "alloincognito_load_duckdb.py"
DAILY = "alloincognito_daily_calls"
_importing = threading.Lock()


def load_into_duckdb(daily: ModuleType, warehouse: Path, period: LandedPeriod) -> int:
    """
    Load a period, and return the number of its calls.

    :param daily: the daily DAG's file, imported under any name: the other file imports from it.
    :param warehouse: the DuckDB file.
    """
    module = _importing_from(daily)
    module.WAREHOUSE = str(warehouse)
    with module.locked_warehouse() as db:
        rows: int = module.replace(db, period)
        return rows


def _importing_from(daily: ModuleType) -> Any:
    spec = importlib.util.spec_from_file_location("loading_into_duckdb", LOADING)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _importing:
        before = sys.modules.get(DAILY)
        sys.modules[DAILY] = daily
        try:
            spec.loader.exec_module(module)
        finally:
            del sys.modules[DAILY]
            if before is not None:
                sys.modules[DAILY] = before
    return module
