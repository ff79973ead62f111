"""What a DAG file imports costs little: the libraries that only a running task needs are not imported with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PACKAGE = "airflow_provider_alloincognito"
LIGHT = [
    "errors",
    "scrubbing",
    "api.settings",
    "api.query",
    "api.methods",
    "api.times",
    "api.results",
    "api.answer",
    "api.answer.rows",
]
HEAVY = ["airflow", "cryptography", "httpx", "ijson", "pybase64", "requests", "tenacity", "urllib3"]


@pytest.mark.parametrize("module", LIGHT)
def test_a_module_that_dag_files_import_does_not_import_heavy_libraries(module: str) -> None:
    assert heavy_imports_of(f"{PACKAGE}.{module}") == set()


def test_a_heavy_import_would_be_found() -> None:
    assert {"requests", "urllib3", "ijson"} <= heavy_imports_of(f"{PACKAGE}.api.transport.client")


def heavy_imports_of(module: str) -> set[str]:
    program = f"import sys, {module}; print(*sys.modules.keys() & {set(HEAVY)})"
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    return set(output.split())
