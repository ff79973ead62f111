"""Commands as processes: Airflow's own command on 3.3, and ``python -m`` there and on 2.11."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from canary import assert_no_leak

from airflow_provider_alloincognito.sandbox import Sandbox

DAY = ("--period-start", "2025-06-02", "--period-end", "2025-06-03")
PYTHON_M = ("-m", "airflow_provider_alloincognito")
AIRFLOW = ("-m", "airflow", "alloincognito")
Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = [pytest.mark.long, pytest.mark.cli]


@pytest.fixture(params=["3.3 airflow", "3.3 python -m", "2.11 python -m"])
def command(request: pytest.FixtureRequest) -> list[str]:
    version, _, kind = request.param.partition(" ")
    there = Path(__file__).parents[2] / ".venv-2.11" / "bin" / "python"
    python = sys.executable if version == "3.3" else os.environ.get("AIRFLOW_2_PYTHON") or str(there)
    if not Path(python).exists():
        pytest.skip(f"No Airflow 2.11 at {python}: run make environment-2.11, or set AIRFLOW_2_PYTHON.")
    return [python, *(AIRFLOW if kind == "airflow" else PYTHON_M)]


@pytest.fixture
def run(tmp_path: Path, command: list[str]) -> Run:
    """Run a command, or another one of the same Airflow, with a home of its own."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "ALLOINCOGNITO"))}
    environment = {**bare, "AIRFLOW_HOME": str(tmp_path / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}

    def call(*arguments: object, airflow: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
        program = [command[0], "-m", "airflow"] if airflow else command
        return subprocess.run(
            [*program, *map(str, arguments)],
            env={**environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return call


def connect(run: Run, sandbox: Sandbox, tmp_path: Path, **extra: Any) -> None:
    """Initialize Airflow's database, with the Connection in it."""
    assert run("db", "migrate", airflow=True).returncode == 0
    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"alloincognito_default": sandbox.connection(**extra)}))
    assert run("connections", "import", file, airflow=True).returncode == 0


def test_a_first_pair_is_stored_for_tasks(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    connect(run, sandbox, tmp_path, retries=0)
    ran = run("calls", *DAY, "-o", "json")
    assert ran.returncode == 1, ran.stderr
    assert "No token pair is stored yet" in json.loads(ran.stdout)["error"]["message"]
    assert sandbox.rotations == []

    made = run("check", "--make-pair", "-o", "json")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "made and stored a token pair" in json.loads(made.stdout)["findings"][-1]["text"]

    calls = run("calls", *DAY, "--output-path", tmp_path / "calls.csv", "-o", "json", "-v")
    assert calls.returncode == 0, calls.stdout + calls.stderr
    assert json.loads(calls.stdout)["rows"] == len(sandbox.truth("2025-06-02", "2025-06-03"))
    shown = run("calls", *DAY)
    assert shown.returncode == 0
    checked = run("check")
    assert checked.returncode == 0
    assert [line.split()[0] for line in checked.stdout.splitlines()] == ["ok"] * 8
    assert [one.by for one in sandbox.rotations] == ["create"]
    every = [one for ran in (ran, made, calls, shown, checked) for one in (ran.stdout, ran.stderr)]
    assert_no_leak(sandbox, "2025-06-02", "2025-06-03", *every)


def test_an_airflow_without_a_database(run: Run) -> None:
    ran = run("check", "-o", "json")
    assert ran.returncode == 1
    (finding,) = json.loads(ran.stdout)["findings"]
    assert "not initialized" in finding["text"]
    assert "airflow db migrate" in finding["text"]
    assert "Traceback" not in ran.stderr


def test_a_token_without_a_database(run: Run, sandbox: Sandbox) -> None:
    ran = run("check", "--host", sandbox.url, "-o", "json", ALLOINCOGNITO_TOKEN=sandbox.authorization_token)
    assert ran.returncode == 1
    (finding,) = (one for one in json.loads(ran.stdout)["findings"] if one["outcome"] == "failed")
    assert "run 'airflow db migrate' once" in finding["text"].lower()
    assert "Traceback" not in ran.stderr


def test_a_host_and_a_token_from_the_environment(run: Run, sandbox: Sandbox) -> None:
    access = ("--host", sandbox.url, "--set", "pair_store=memory")
    ran = run("check", *access, "-o", "json", ALLOINCOGNITO_TOKEN=sandbox.authorization_token)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["ok"]


def test_help_has_examples(run: Run, command: list[str]) -> None:
    ran = run("calls", "--help")
    assert ran.returncode == 0
    program = "airflow alloincognito" if "airflow" in command else "python -m airflow_provider_alloincognito"
    assert f"{program} calls --period-start 2026-03-01" in ran.stdout
