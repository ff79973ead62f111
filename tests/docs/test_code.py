"""
The Python code of README.md and the documentation, on this Airflow: 3.3 and 2.11.

Airflow reads each block as it reads a DAG file; each DAG in it then lands a day from the sandbox.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from blocks import REPOSITORY, Block, blocks, pages
from dag_runs import run_dag

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION, DAG
from airflow_provider_alloincognito.sandbox import Sandbox

MOSCOW = ZoneInfo("Europe/Moscow")
DAY, NEXT_DAY = datetime(2026, 3, 3, tzinfo=MOSCOW), datetime(2026, 3, 4, tzinfo=MOSCOW)
BUCKET = "s3://aws_default@bucket"
DAILY = "alloincognito_daily_calls"

PYTHON = [
    (page, [block for block in blocks(page) if block.language == "python" and "--8<--" not in block.text])
    for page in pages()
]


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Block], Path]:
    """Write a block to a file, in a folder that is on the path; what goes to S3 goes to a folder of the test."""
    folder = tmp_path / "code"
    for part in (REPOSITORY / "example_dags", folder, folder / "dags"):
        monkeypatch.syspath_prepend(str(part))
    monkeypatch.setenv("ALLOINCOGNITO_FILES", f"{tmp_path.as_uri()}/files")
    monkeypatch.delitem(sys.modules, DAILY, raising=False)  # it reads the variable as it is imported

    def write(block: Block) -> Path:
        path = folder / (block.file or f"block_{block.line}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text.replace(BUCKET, f"{tmp_path.as_uri()}/bucket"), encoding="utf-8")
        sys.modules.pop(path.stem, None)
        return path

    return write


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.parametrize("page", [pytest.param(on, id=str(page.relative_to(REPOSITORY))) for page, on in PYTHON if on])
def test_the_code_of_a_page(
    page: list[Block], code: Callable[[Block], Path], connect: Callable[..., None], sandbox: Sandbox, tmp_path: Path
) -> None:
    for block in page:
        if block.airflow > AIRFLOW_VERSION:
            continue
        for dag in read_dags(code(block)):
            if block.how.startswith("parsed only"):
                continue
            for task in dag.tasks:
                connect(sandbox, getattr(task, "alloincognito_conn_id", "alloincognito_default"))
            run = run_dag(dag, NEXT_DAY)
            assert run.state == "success", f"{block}: {run.errors}"
    tests = tmp_path / "code" / "tests"
    if list(tests.glob("test_*.py")):
        assert run_tests(tests) == pytest.ExitCode.OK


def read_dags(path: Path) -> list[DAG]:
    """Read a file as Airflow's DAG processor does, and return its DAGs."""
    place = "airflow.models.dagbag" if AIRFLOW_VERSION < (3, 1) else "airflow.dag_processing.dagbag"
    bag: Any = importlib.import_module(place).DagBag(dag_folder=str(path), safe_mode=False)
    assert not bag.import_errors, bag.import_errors
    return list(bag.dags.values())


def run_tests(folder: Path) -> int:
    """Run the tests of a folder in this process, whose Airflow is ready, and return pytest's exit code."""
    return pytest.main(
        ["--quiet", "-p", "no:cacheprovider", f"--rootdir={folder}", "--override-ini=addopts=", str(folder)]
    )


def test_there_is_code() -> None:
    assert sum(len(on) for _, on in PYTHON) > 20
