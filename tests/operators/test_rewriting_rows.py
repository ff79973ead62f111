"""
Numbers that never land, and keys that stay: from the DAG to the file; code: operators/rewriting.py, landing/rewriting/.

Runs on Airflow 2.11 as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet
import pytest
from dag_runs import Run, StartSandbox, one_task_dag, run_dag
from logged import package_lines

from airflow_provider_alloincognito.errors import AlloincognitoFieldError, AlloincognitoSettingsError
from airflow_provider_alloincognito.landing.rewriting.phone_numbers import digest, mask
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.sandbox import Sandbox

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))
NEXT_DAY = DAY + timedelta(days=1)
KEY = "a key for tests: 32 bytes of it."
ARGUMENTS: dict[str, Any] = {
    "row_key": "row_key",
    "row_key_fields": ["startTime", "callerNumber", "calledNumber"],
    "protect": {"callerNumber": "digest", "calledNumber": "mask"},
    "digest_key": "variable://digest_secret",
}


@pytest.fixture(autouse=True)
def digest_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_DIGEST_SECRET", KEY)


def land(path: Path, *, retries: int = 0, **arguments: Any) -> Run:
    def make() -> None:
        AlloincognitoCallListOperator(task_id="calls", output_path=path.as_uri(), **{**ARGUMENTS, **arguments})

    return run_dag(one_task_dag("rewriting", make, retries=retries), NEXT_DAY)


def rows_in(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pyarrow.parquet.read_table(path).to_pylist())
    return [json.loads(line) for line in path.read_text().splitlines()]


def keys_in(path: Path) -> list[str]:
    return [row["row_key"] for row in rows_in(path)]


def numbers_in(text: str, sandbox: Sandbox) -> Iterator[str]:
    """The numbers of the day that a text holds, with or without the country code, grouped in any way."""
    digits = re.sub(r"(?<=\d)[ ()-]{1,2}(?=\d)", "", text)
    return (number for number in sandbox.phone_numbers(DAY, NEXT_DAY) if number[-10:] in digits)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_no_number_is_in_any_file_log_or_xcom(sandbox: Sandbox, tmp_path: Path, suffix: str) -> None:
    truth = sandbox.truth(DAY, NEXT_DAY)
    schema = {name: "string" for name in truth[0] if name != "comment"}  # which may quote a number
    with package_lines() as lines:
        run = land(tmp_path / f"calls.{suffix}", schema=schema, unknown_fields="drop")
    assert run.state == "success", run.errors
    assert any(numbers_in(json.dumps(truth), sandbox)), "a search that finds nothing would prove nothing"
    (file,) = tmp_path.iterdir()
    seen = "\n".join([*lines, str(run.xcoms), str(run.rendered)])
    landed = file.read_bytes().decode(errors="replace")
    if suffix == "parquet":
        landed += json.dumps(rows_in(file))
    assert list(numbers_in(f"{landed}\n{seen}", sandbox)) == []
    assert KEY not in seen
    said = "Rows: callerNumber as digest; calledNumber as mask; key row_key of startTime, callerNumber, calledNumber"
    assert said in lines


def test_every_call_lands_with_its_digest(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "calls.parquet"
    assert land(path).state == "success"
    rows, truth = rows_in(path), sandbox.truth(DAY, NEXT_DAY)
    assert [row["callerNumber"] for row in rows] == [digest(row["callerNumber"], KEY.encode()) for row in truth]
    assert [row["calledNumber"] for row in rows] == [mask(row["calledNumber"]) for row in truth]
    assert len(set(keys_in(path))) == len(truth)


def test_keys_are_the_same_in_parts_after_a_cut_and_on_a_retry(connected_sandbox: StartSandbox, tmp_path: Path) -> None:
    sandbox = connected_sandbox({"retries": 2})
    paths = [tmp_path / f"{name}.jsonl" for name in ("whole", "parts", "cut", "retry")]
    # Rows alike in these fields: their numbers have to run over the whole file.
    fields = {"row_key_fields": ["direction", "status"]}
    land(paths[0], **fields)
    land(paths[1], window=3600, **fields)
    sandbox.add_fault("cut", method="getcalllist", after_fraction=0.7)
    land(paths[2], **fields)
    sandbox.add_fault("error", method="getcalllist")
    run = land(paths[3], retries=1, **fields)
    assert run.tries == {"calls": 2}
    assert sandbox.count("getcalllist") + sandbox.count("getrequestresultbyhash") == 1 + 24 + 2 + 2
    keys = keys_in(paths[0])
    assert len(set(keys)) == len(sandbox.truth(DAY, NEXT_DAY))
    assert [keys_in(path) for path in paths[1:]] == [keys] * 3


def test_the_result_operator_lands_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    asked, by_hash = tmp_path / "asked.jsonl", tmp_path / "by_hash.jsonl"
    (request_hash,) = land(asked).xcoms["calls"]["request_hashes"]

    def make() -> None:
        arguments = {**ARGUMENTS, "protect": "{{ var.json.protect | tojson }}"}
        AlloincognitoRequestResultOperator(
            task_id="land", request_hash=request_hash, output_path=by_hash.as_uri(), **arguments
        )

    with pytest.MonkeyPatch.context() as patch, package_lines() as lines:
        patch.setenv("AIRFLOW_VAR_PROTECT", json.dumps(ARGUMENTS["protect"]))
        run = run_dag(one_task_dag("by_hash", make), NEXT_DAY)
    assert run.state == "success", run.errors
    assert by_hash.read_bytes() == asked.read_bytes()
    assert any(line.startswith("Rows: ") and "callerNumber as digest; " in line for line in lines)


def test_nothing_lands_in_clear_by_a_misspelt_name(sandbox: Sandbox, tmp_path: Path) -> None:
    run = land(tmp_path / "calls.jsonl", retries=2, protect={"callerNumber": "mask", "calledNumer": "mask"})
    assert isinstance(run.error, AlloincognitoFieldError)
    assert "['calledNumer'] of protect" in str(run.error)
    assert run.tries == {"calls": 1}
    assert list(tmp_path.iterdir()) == []


def test_without_a_key_nothing_is_requested(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_VAR_DIGEST_SECRET")
    run = land(tmp_path / "calls.jsonl", retries=2)
    assert isinstance(run.error, AlloincognitoSettingsError)
    assert run.tries == {"calls": 1}
    assert sandbox.requests == []
    # Where no digest is asked for, none is needed.
    run = land(tmp_path / "calls.jsonl", protect={"callerNumber": "mask"})
    assert run.state == "success", run.errors
