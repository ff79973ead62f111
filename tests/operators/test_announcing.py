"""
What Airflow learns of what a task has landed: events of assets, hook lineage, links; code: operators/announcing.py.

It runs on Airflow 2.11 as well.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asset_runs import START, Announced, announce
from dag_runs import StartSandbox
from s3_server import S3

from airflow_provider_alloincognito.assets import landed_asset
from airflow_provider_alloincognito.compat import AIRFLOW_VERSION, DAG, Asset, AssetAlias
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.sandbox import Sandbox

MOSCOW = ZoneInfo("Europe/Moscow")
DAY, NEXT_DAY = datetime(2026, 3, 3, tzinfo=MOSCOW), datetime(2026, 3, 4, tzinfo=MOSCOW)
BY_DAY: dict[str, Any] = {"partition_by_day": True} if AIRFLOW_VERSION >= (3, 3) else {}
only_with_partitions = pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="tasks have partition keys from 3.3 on")


def land(path: Path, **arguments: Any) -> Announced:
    """Land the calls of a day."""
    return announce(
        lambda: AlloincognitoCallListOperator(task_id="calls", output_path=path.as_uri(), **arguments), NEXT_DAY
    )


def test_calls_that_land_are_an_event(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "calls.parquet"
    landed = land(path)
    assert landed.states == ["success"]
    assert landed.event == (
        f"alloincognito://{landed.dag_id}/calls",
        {
            "path": path.as_uri(),
            "format": "parquet",
            "period_start": "2026-03-03T00:00:00+03:00",
            "period_end": "2026-03-04T00:00:00+03:00",
            "request_hashes": ",".join(landed.xcoms["calls", "return_value"]["request_hashes"]),
            "rows": len(sandbox.truth(DAY, NEXT_DAY)),
            "bytes": path.stat().st_size,
        },
        None,
    )
    numbers = sandbox.phone_numbers(DAY, NEXT_DAY)
    assert numbers
    assert not [number for number in numbers if number[-10:] in repr(landed)]


def test_recordings_that_land_are_an_event(sandbox: Sandbox, tmp_path: Path) -> None:
    ids = [row["recordFileId"] for row in sandbox.truth(DAY, NEXT_DAY) if row["recordFileId"]]
    sandbox.add_fault("error", method="getcallrecordfile", code=1742)
    folder = tmp_path.as_uri()
    landed = announce(
        lambda: AlloincognitoRecordingOperator(
            task_id="recordings", record_file_ids=ids, output_path=folder, on_error="skip"
        ),
        NEXT_DAY,
    )
    assert landed.event.extra == {
        "path": folder,
        "manifest": f"{folder}/manifest.jsonl",
        "fetched": len(ids) - 1,
        "skipped": 0,
        "failed": 1,
        "bytes": sum(file.stat().st_size for file in tmp_path.glob("*.mp3")),
    }


def test_recordings_of_a_day_say_which_day_and_where_its_calls_are(sandbox: Sandbox, tmp_path: Path) -> None:
    def make() -> None:
        calls: Any = AlloincognitoCallListOperator(
            task_id="calls", output_path=f"{tmp_path.as_uri()}/calls.parquet", outlets=[]
        )
        folder = f"{tmp_path.as_uri()}/recordings"
        AlloincognitoRecordingOperator(task_id="recordings", calls=calls.output, output_path=folder, **BY_DAY)

    landed = announce(make, NEXT_DAY)
    extra = landed.event.extra
    assert extra["calls"] == f"{tmp_path.as_uri()}/calls.parquet"
    assert extra["manifest"] == f"{tmp_path.as_uri()}/recordings/manifest.jsonl"
    assert (extra["period_start"], extra["period_end"]) == (DAY.isoformat(), NEXT_DAY.isoformat())
    assert landed.event.partition_key == ("2026-03-03" if BY_DAY else None)


def test_results_that_land_are_events(sandbox: Sandbox, tmp_path: Path) -> None:
    one = next(row["recordFileId"] for row in sandbox.truth(DAY, NEXT_DAY) if row["recordFileId"])
    hook = AlloincognitoHook()
    with hook.get_call_list(DAY, NEXT_DAY) as calls, hook.get_call_record_file(one) as recording:
        rows, _ = sum(map(len, calls)), b"".join(recording)
        hashes = {"calls.csv": calls.request_hash, "one.mp3": recording.request_hash}

    def make() -> None:
        for name, request_hash in hashes.items():
            path = f"{tmp_path.as_uri()}/{name}"
            AlloincognitoRequestResultOperator(task_id=name, request_hash=request_hash or "", output_path=path)

    landed = announce(make, NEXT_DAY)
    size = {name: (tmp_path / name).stat().st_size for name in hashes}
    paths = {name: f"{tmp_path.as_uri()}/{name}" for name in hashes}
    assert sorted(landed.events) == [
        (
            f"alloincognito://{landed.dag_id}/calls.csv",
            {
                "path": paths["calls.csv"],
                "format": "csv",
                "request_hashes": hashes["calls.csv"],
                "rows": rows,
                "bytes": size["calls.csv"],
            },
            None,
        ),
        (
            f"alloincognito://{landed.dag_id}/one.mp3",
            {"path": paths["one.mp3"], "request_hashes": hashes["one.mp3"], "bytes": size["one.mp3"]},
            None,
        ),
    ]


def test_a_request_that_is_only_submitted_is_no_event(sandbox: Sandbox) -> None:
    submitted = announce(lambda: AlloincognitoCallListOperator(task_id="ask"), NEXT_DAY)
    assert (submitted.states, submitted.events) == (["success"], [])


def test_a_task_that_fails_is_no_event(sandbox: Sandbox, tmp_path: Path) -> None:
    landed = land(tmp_path / "calls.jsonl", min_rows=10_000)
    assert (landed.states, landed.events) == (["failed"], [])


def test_outlets_of_the_dag_take_the_place_of_the_tasks_own(sandbox: Sandbox, tmp_path: Path) -> None:
    outlets = [Asset(uri="x-test://calls"), AssetAlias("other calls"), "no asset"]
    landed = land(tmp_path / "calls.jsonl", outlets=outlets)
    given, by_alias = sorted(landed.events, reverse=True)
    assert given.uri == "x-test://calls"
    assert by_alias.uri == f"alloincognito://{landed.dag_id}/calls"
    assert given.extra == by_alias.extra
    assert given.extra["rows"] == len(sandbox.truth(DAY, NEXT_DAY))


def test_mapped_tasks_are_events_of_the_outlets_that_they_are_given(sandbox: Sandbox, tmp_path: Path) -> None:
    paths = [f"{tmp_path.as_uri()}/{number}.jsonl" for number in range(2)]

    def make() -> None:
        for name, outlets in {"given": [Asset(uri="x-test://mapped")], "none": []}.items():
            task = AlloincognitoCallListOperator.partial(task_id=name, outlets=outlets)
            task.expand(output_path=[path.replace(".jsonl", f"-{name}.jsonl") for path in paths])

    landed = announce(make, NEXT_DAY)
    assert landed.states == ["success"] * 4
    assert sorted((one.uri, Path(one.extra["path"]).name) for one in landed.events) == [
        ("x-test://mapped", "0-given.jsonl"),
        ("x-test://mapped", "1-given.jsonl"),
    ]
    assert landed.xcoms["none", "alloincognito_api_documentation"] == f"{sandbox.url}/docs"


def test_ids_may_have_letters_of_any_alphabet() -> None:
    with DAG("выгрузка", schedule=None, start_date=START):
        task = AlloincognitoCallListOperator(task_id="звонки", output_path="calls.jsonl")
    assert task.outlets == [landed_asset("выгрузка", "звонки")]


def days_into(path: Path, days: float) -> Announced:
    return land(path, period_start=DAY, period_end=DAY + timedelta(days=days), partition_by_day=True)


@only_with_partitions
def test_each_day_has_an_event_with_its_partition_key(sandbox: Sandbox, tmp_path: Path) -> None:
    landed = days_into(tmp_path / "calls.jsonl", 3)
    assert sorted(one.partition_key or "" for one in landed.events) == ["2026-03-03", "2026-03-04", "2026-03-05"]
    assert {one.extra["path"] for one in landed.events} == {(tmp_path / "calls.jsonl").as_uri()}


@only_with_partitions
def test_the_partition_key_of_a_part_of_a_day_is_its_name(sandbox: Sandbox, tmp_path: Path) -> None:
    key = days_into(tmp_path / "calls.jsonl", 0.5).event.partition_key
    assert key == "2026-03-03T00-00-00_2026-03-03T12-00-00"


@only_with_partitions
def test_recordings_whose_period_is_not_known_have_no_partition_key(
    sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def make() -> None:
        AlloincognitoRecordingOperator(
            task_id="recordings", record_file_ids=[], output_path=tmp_path.as_uri(), partition_by_day=True
        )

    assert announce(make, NEXT_DAY).event.partition_key is None
    assert "The period of what has landed is not known" in capfd.readouterr().out


@pytest.mark.skipif(AIRFLOW_VERSION >= (3, 3), reason="tasks have partition keys from 3.3 on")
def test_without_partition_keys_there_is_one_event(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert days_into(tmp_path / "calls.jsonl", 3).event.extra["rows"] > 0
    assert "no partition keys" in caplog.text


def test_the_documentation_is_linked_also_if_the_task_fails(
    connected_sandbox: StartSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = connected_sandbox({"call_list_path": "/api/v1/wrong"})
    landed = land(tmp_path / "calls.jsonl")
    assert landed.states == ["failed"]
    assert landed.xcoms["calls", "alloincognito_api_documentation"] == f"{sandbox.url}/docs"
    assert not landed.xcoms.get(("calls", "alloincognito_landed_file"))


def test_a_file_in_a_store_is_linked(sandbox: Sandbox, s3: S3, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if AIRFLOW_VERSION >= (3, 0):
        from airflow.sdk.io.store import _STORE_CACHE, ObjectStore
    else:
        from airflow.io.store import _STORE_CACHE, ObjectStore
    monkeypatch.setitem(_STORE_CACHE, "s3", ObjectStore("s3", None, s3.file_system()))
    monkeypatch.setenv("AIRFLOW__ALLOINCOGNITO__FILE_LINK", "https://console.example/{bucket}?key={key}")
    path = f"s3://{bucket}/day=1/calls.csv"
    landed = announce(lambda: AlloincognitoCallListOperator(task_id="calls", output_path=path), NEXT_DAY)
    assert landed.event.extra["path"] == path
    link = landed.xcoms["calls", "alloincognito_landed_file"]
    assert link == f"https://console.example/{bucket}?key=day%3D1/calls.csv"


def test_a_connection_that_cannot_be_read_fails_the_task_and_not_the_link(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connection = {"conn_type": "alloincognito", "password": "a-token", "extra": {"timezone": "Europe/Nowhere"}}
    monkeypatch.setenv("AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT", json.dumps(connection))
    landed = land(tmp_path / "calls.jsonl")
    assert landed.states == ["failed"]
    assert not landed.xcoms.get(("calls", "alloincognito_api_documentation"))
