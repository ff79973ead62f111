"""The workflows: every action is pinned by its commit, and no job has more rights than it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v[\d.]+")
READING: dict[str, str] = {"contents": "read"}


def jobs(path: Path) -> dict[str, Any]:
    jobs: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return jobs


def test_there_are_workflows() -> None:
    assert WORKFLOWS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_commit(path: Path) -> None:
    used = [line.strip(" -") for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_only_read_and_only_one_may_say_who_it_is(path: Path) -> None:
    default = yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"]
    rights = {name: job.get("permissions", default) for name, job in jobs(path).items()}
    assert {name for name, given in rights.items() if given != READING} == ({"publish"} & set(rights))
    assert rights.get("publish", {"id-token": "write"}) == {"id-token": "write"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_checkout_leaves_its_token_behind(path: Path) -> None:
    steps = [step for job in jobs(path).values() for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert [step for step in steps if step["with"]["persist-credentials"] is not False] == []
