"""The example DAGs as one chain, on real Airflow in this process: landed, loaded, reported, reconciled, deleted."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dag_runs import Run, run_dag

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION

EXAMPLES = Path(__file__).parents[1] / "example_dags"
UNDATED = None if AIRFLOW_VERSION >= (3, 0) else datetime(2026, 3, 10, tzinfo=UTC)


class Chain:
    """
    The example DAGs in a folder of DAGs, without their retries.

    :param folder: gets the DAGs, and their files.
    :param warehouses: what loads, with the name that retention and erasure have for it.
    :param variables: environment variables besides.
    """

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        warehouses: Mapping[str, str],
        variables: Mapping[str, str],
    ) -> None:
        self.folder, self.files = folder, folder / "files"
        self._warehouses = warehouses
        dags = folder / "dags"
        shutil.copytree(EXAMPLES, dags, ignore=shutil.ignore_patterns("__pycache__"))
        for path in dags.glob("*.py"):
            path.write_text(path.read_text().replace('"retries": 3', '"retries": 0'))  # they are minutes apart
            monkeypatch.delitem(sys.modules, path.stem, raising=False)
        monkeypatch.delitem(sys.modules, "alloincognito_report_page", raising=False)
        monkeypatch.syspath_prepend(str(dags))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        own = {
            "ALLOINCOGNITO_FILES": self.files.as_uri(),
            "ALLOINCOGNITO_WAREHOUSE": str(folder / "calls.duckdb"),
            "ALLOINCOGNITO_WAREHOUSES": json.dumps(list(warehouses.values())),
        }
        for name, value in {**own, **variables}.items():
            monkeypatch.setenv(name, value)
        importlib.invalidate_caches()

    def run(self, name: str, params: Mapping[str, Any] | None = None) -> Run:
        """Run a DAG of the chain, which has to succeed."""
        module = importlib.import_module(f"alloincognito_{name}")
        run = run_dag(module.dag, UNDATED, dict(params or {}))
        assert run.state == "success", run.errors
        return run

    def land(self, *days: date) -> None:
        """Land days."""
        for day in days:
            self.run("daily_calls", _period(day))

    def load(self, *days: date) -> None:
        """Load days into each warehouse."""
        for day in days:
            for name in self._warehouses:
                self.run(f"load_{name}", _period(day))

    def reconcile(self, first: date, last: date) -> Run:
        """Compare days with the server's calls."""
        return self.run("reconcile", {**_period(first), "period_end": _period(last)["period_end"]})

    def erase(self, number: str) -> Run:
        """Erase all of a number."""
        numbers = self.folder / "numbers.txt"
        numbers.write_text(f"{number}\n")
        return self.run("erasure", {"numbers": numbers.as_uri(), "request": "DSR-2026-17"})


def _period(day: date) -> dict[str, str]:
    return {"period_start": f"{day}T00:00:00+03:00", "period_end": f"{day + timedelta(days=1)}T00:00:00+03:00"}
