"""
Where data comes from and goes to, as OpenLineage and Airflow's hook lineage collector learn it; code: lineage.py.

It runs on Airflow 2.11 as well. Events of real runs: tests/system/test_standalone.py.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION, ObjectStoragePath
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.lineage import dataset_name, operator_lineage
from airflow_provider_alloincognito.operators.outcome import Outcome
from airflow_provider_alloincognito.sandbox import Sandbox

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))
NEXT_DAY = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Moscow"))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("file:///data/day=1/calls.csv", ("file", "/data/day=1/calls.csv")),
        ("/data/calls.csv", ("file", "/data/calls.csv")),
        ("s3://aws_default@calls/day=1/calls.csv", ("s3://calls", "day=1/calls.csv")),
        ("s3a://calls/calls.csv", ("s3://calls", "calls.csv")),
        ("gcs://google@calls/день/calls.csv", ("gs://calls", "день/calls.csv")),
        ("sftp://files@server/calls.csv", ("sftp://server", "calls.csv")),
    ],
)
def test_files_have_the_names_of_openlineages_specification(path: str, name: tuple[str, str]) -> None:
    assert dataset_name(path) == name


def test_a_file_in_azure_is_named_by_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    class Account:
        account_name = "company"

    monkeypatch.setattr(ObjectStoragePath, "fs", Account())
    assert dataset_name("abfs://azure@calls/a.csv") == ("abfss://calls@company.dfs.core.windows.net", "a.csv")


def test_names_of_columns_hold_no_number() -> None:
    columns = {"caller": "string", "79161234567": "int64"}
    outcome = Outcome(source="/list", path="/data/a.csv", counts={"rows": 1, "bytes": 2}, columns=columns)
    (output,) = operator_lineage("https://server.example", outcome).outputs
    assert [field.name for field in output.facets["schema"].fields] == ["caller", "<number>"]


def test_the_hook_reports_what_it_reads_and_writes(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = new_collector(monkeypatch)
    hook = AlloincognitoHook()
    with hook.get_call_list(DAY, NEXT_DAY) as calls:
        one = next(row["recordFileId"] for rows in calls for row in rows if row["recordFileId"])
    target = tmp_path / "день.mp3"
    hook.get_call_record_file(one, target=ObjectStoragePath(f"file://{target}"))
    collected = collector.collected_datasets if AIRFLOW_VERSION < (3, 0) else collector.collected_assets
    inputs, outputs = (
        [getattr(one, "asset", None) or one.dataset for one in side] for side in (collected.inputs, collected.outputs)
    )
    assert sorted(one.uri for one in inputs) == [
        f"{sandbox.url}/api/v1/request/getcalllist",
        f"{sandbox.url}/api/v1/request/getcallrecordfile",
    ]
    assert [one.uri for one in outputs] == [target.as_uri()]


def new_collector(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have Airflow collect, as it does where a plugin reads what is collected."""
    if AIRFLOW_VERSION >= (3, 2):
        from airflow.sdk import lineage as module
    else:
        from airflow.lineage import hook as module
    collector = module.HookLineageCollector()
    monkeypatch.setattr(module, "get_hook_lineage_collector", lambda: collector)
    return collector
