"""An object store that is down for two tries: the call list is requested once, then fetched by its hash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cutting_proxy import CuttingProxy
from dag_runs import one_task_dag, run_dag
from s3_server import S3, SECRET_KEY

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.errors import AlloincognitoTargetError
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator
from airflow_provider_alloincognito.sandbox import Sandbox

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))
NEXT_DAY = DAY + timedelta(days=1)

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(AIRFLOW_VERSION < (3, 0), reason="Airflow 2 has no task state store"),
]


@pytest.fixture
def proxy_to_s3(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[CuttingProxy]:
    """The proxy that ``s3://`` paths go through."""
    from airflow.sdk.io.store import _STORE_CACHE, ObjectStore

    with CuttingProxy(s3.port) as proxy:
        fs = S3(proxy.port).file_system()
        fs.retries = 1
        monkeypatch.setitem(_STORE_CACHE, "s3", ObjectStore("s3", None, fs))
        yield proxy


def rows_in(fs: Any, path: str) -> list[dict[str, Any]]:
    with fs.open(path) as file:
        if path.endswith("jsonl"):
            return [json.loads(line) for line in file]
        import pyarrow.parquet

        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(file).to_pylist()
        return rows


@pytest.mark.parametrize("suffix", ["parquet", pytest.param("jsonl", marks=[pytest.mark.long, pytest.mark.stores])])
def test_a_store_that_is_down_for_two_tries(
    sandbox: Sandbox, s3: S3, bucket: str, proxy_to_s3: CuttingProxy, suffix: str
) -> None:
    proxy_to_s3.down()

    def before_try(context: Any) -> None:
        if context["ti"].try_number == 3:
            proxy_to_s3.up()

    def make() -> None:
        path = f"s3://{bucket}/calls.{suffix}"
        AlloincognitoCallListOperator(task_id="land", output_path=path, pre_execute=before_try)

    run = run_dag(one_task_dag("store_down", make, retries=2), NEXT_DAY)
    assert (run.state, run.tries["land"]) == ("success", 3), run.errors
    assert [type(error) for error in run.errors] == [AlloincognitoTargetError] * 2
    assert all("the store can be reached" in str(error) and SECRET_KEY not in str(error) for error in run.errors)
    assert (sandbox.count("getcalllist"), sandbox.count("getrequestresultbyhash")) == (1, 2)

    truth, fs = sandbox.truth(DAY, NEXT_DAY), s3.file_system()
    landed = rows_in(fs, f"{bucket}/calls.{suffix}")
    if suffix == "jsonl":
        assert landed == truth
    else:
        assert [row["callId"] for row in landed] == [row["callId"] for row in truth]
    assert fs.ls(bucket, detail=False) == [f"{bucket}/calls.{suffix}"]
    assert fs.list_multipart_uploads(bucket) == []
