"""
Runs all entries that were selected before the first of them is judged.

With ``FAULTS_TIMES`` in the environment, a table of how long each took is written to the file of that name.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from entry import Entry
from judge import times
from runs import Outcome, Runner


@pytest.fixture(scope="session")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, airflow_database: None
) -> dict[str, Outcome]:
    """What came of each selected entry."""
    selected = [item.callspec.params["entry"] for item in request.session.items if _has_entry(item)]
    folder: Path = tmp_path_factory.mktemp("faults")
    s3 = request.getfixturevalue("s3") if any(entry.s3 for entry in selected) else None
    came = Runner(folder, s3).run_all(selected)
    if os.environ.get("FAULTS_TIMES"):
        Path(os.environ["FAULTS_TIMES"]).write_text(times(came))
    return came


def _has_entry(item: pytest.Item) -> bool:
    return isinstance(getattr(item, "callspec", None) and item.callspec.params.get("entry"), Entry)  # type: ignore[attr-defined]
