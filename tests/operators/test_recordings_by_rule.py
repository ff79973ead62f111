"""Recordings by rule in tasks: the arguments only, share and keep_file_names; code: operators/recording_rule.py."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import Run, StartSandbox, one_task_dag, run_dag
from logged import package_lines

from airflow_provider_alloincognito.errors import AlloincognitoError, AlloincognitoFormatError, AlloincognitoQueryError
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
)
from airflow_provider_alloincognito.sandbox import Sandbox

DAY = datetime(2026, 3, 3, tzinfo=ZoneInfo("Europe/Moscow"))
NEXT_DAY = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Moscow"))


def recorded(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [row for row in sandbox.truth(DAY, NEXT_DAY) if row["recordFileId"]]


def land(folder: Path, **arguments: Any) -> Run:
    def make() -> None:
        calls = AlloincognitoCallListOperator(task_id="calls", output_path=f"{folder.as_uri()}/calls.parquet")
        AlloincognitoRecordingOperator(
            task_id="recordings", output_path=f"{folder.as_uri()}/mp3", calls=calls.output, **arguments
        )

    return run_dag(one_task_dag("rule", make), NEXT_DAY)


def again(folder: Path, **arguments: Any) -> dict[str, Any]:
    operator = AlloincognitoRecordingOperator(
        task_id="recordings",
        output_path=f"{folder.as_uri()}/mp3",
        calls=None if "record_file_ids" in arguments else f"{folder.as_uri()}/calls.parquet",
        **arguments,
    )
    return operator.execute({})


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "mp3" / "manifest.jsonl").read_text().splitlines()]


def test_only_recordings_that_meet_the_conditions_land(sandbox: Sandbox, tmp_path: Path) -> None:
    number = recorded(sandbox)[0]["callerNumber"]
    (tmp_path / "quiet.txt").write_text(f"8{str(number)[1:]}\n\n")
    only = {"duration": {"from": "{{ 30 }}"}, "callerNumber": {"not_numbers": f"{tmp_path.as_uri()}/quiet.txt"}}
    with package_lines() as lines:
        run = land(tmp_path, only=only)
    assert run.state == "success", run.errors
    wanted = [
        row["recordFileId"] for row in recorded(sandbox) if row["duration"] >= 30 and row["callerNumber"] != number
    ]
    assert 0 < len(wanted) < len(recorded(sandbox)) - 1
    assert [line["id"] for line in manifest(tmp_path)] == wanted
    assert {file.stem for file in (tmp_path / "mp3").glob("*.mp3")} == set(wanted)
    assert f"The rule keeps {len(wanted)} of {len(recorded(sandbox))} recordings" in lines
    assert str(number)[1:] not in "".join(lines)
    assert run.rendered["recordings"]["only"]["duration"] == {"from": "30"}


def test_a_rule_that_keeps_fewer_deletes_nothing_but_lists_only_what_it_keeps(sandbox: Sandbox, tmp_path: Path) -> None:
    land(tmp_path)
    files = set((tmp_path / "mp3").glob("*.mp3"))
    landed = again(tmp_path, share=0.5)
    assert 0 < landed["skipped"] == len(manifest(tmp_path)) < len(files)
    assert set((tmp_path / "mp3").glob("*.mp3")) == files
    assert again(tmp_path, share=0.5, record_file_ids=[row["recordFileId"] for row in recorded(sandbox)]) == landed


@pytest.mark.parametrize("killed", [False, True])
def test_file_names_are_left_out_and_not_taken_from_an_earlier_run(
    sandbox: Sandbox, tmp_path: Path, killed: bool
) -> None:
    land(tmp_path)
    assert all(line["file_name"] for line in manifest(tmp_path))
    if killed:
        (tmp_path / "mp3" / "manifest.jsonl").rename(tmp_path / "mp3" / ".manifest.jsonl.journal")
    else:
        next((tmp_path / "mp3").glob("*.mp3")).unlink()
    assert again(tmp_path, keep_file_names=False)["fetched"] == (0 if killed else 1)
    assert {line["file_name"] for line in manifest(tmp_path)} == {None}
    assert not list((tmp_path / "mp3").glob(".*"))


def test_no_file_name_is_left_in_the_journal_of_a_run_that_ends_early(
    connected_sandbox: StartSandbox, tmp_path: Path
) -> None:
    sandbox = connected_sandbox()
    land(tmp_path)
    (tmp_path / "mp3" / "manifest.jsonl").rename(tmp_path / "mp3" / ".manifest.jsonl.journal")
    for file in sorted((tmp_path / "mp3").glob("*.mp3"))[:3]:
        file.unlink()
    sandbox.add_fault("reject", method="getcallrecordfile", times=None, skip=1)
    sandbox.add_fault("reject", method="create", times=None)
    sandbox.add_fault("reject", method="refresh", times=None)
    with pytest.raises(AlloincognitoError):
        again(tmp_path, keep_file_names=False, concurrency=1)
    lines = (tmp_path / "mp3" / ".manifest.jsonl.journal").read_text().splitlines()
    assert lines
    assert {json.loads(line)["file_name"] for line in lines} == {None}


PATH = "file:///no/such/file.txt"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"only": "duration > 30"}, "only is not a mapping of conditions"),
        ({"only": {"duration": {}}}, "is a mapping with nothing in it. A condition is a value"),
        ({"only": {"duration": {"form": 30}}}, "is a mapping with form"),
        ({"only": {"duration": {"from": 30, "numbers": PATH}}}, "is a mapping with from, numbers"),
        ({"only": {"duration": {"from": 30, "to": 10}}}, "begins after its end"),
        ({"only": {"duration": {"from": "short"}}}, "must be a number, or left out"),
        ({"only": {"duration": {"from": True}}}, "must be a number, or left out"),
        ({"only": {"direction": []}}, "is an empty list"),
        ({"only": {"startTime": DAY}}, "has a value of the type datetime"),
        ({"only": {"callerNumber": 79161234567}}, "what looks like a phone number"),
        ({"only": {"callerNumber": {"numbers": PATH}}}, r"is the path of a file that cannot be read \(FileNotFound"),
        ({"only": {"callerNumber": {"not_numbers": "{folder}/empty.txt"}}}, "is the path of a file without a number"),
        (
            {"only": {"callerNumber": {"not_numbers": "{folder}/words.txt"}}},
            "with a line that is no number",
        ),
        ({"share": 1.5}, "share is 1.5, which is invalid. It must be a number from 0 to 1"),
        ({"share": "half"}, "a number from 0 to 1"),
        ({"share": True}, "a number from 0 to 1"),
        ({"only": {"direction": "in"}, "record_file_ids": ["a"]}, "only needs calls"),
    ],
)
def test_an_invalid_rule_is_a_final_error(tmp_path: Path, sandbox: Sandbox, arguments: Any, text: str) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "words.txt").write_text("79161234567\nnumbers\n")
    if isinstance(only := arguments.get("only"), dict) and "folder" in str(only):
        arguments = {"only": json.loads(json.dumps(only).replace("{folder}", tmp_path.as_uri()))}
    with pytest.raises(Exception, match=text) as raised:
        again(tmp_path, **arguments)
    error = raised.value.__cause__ or raised.value
    assert isinstance(error, AlloincognitoQueryError)
    assert not error.retryable
    assert "916" not in str(error)
    assert sandbox.count("getcallrecordfile") == 0


def test_a_field_that_the_calls_lack_is_a_final_error(sandbox: Sandbox, tmp_path: Path) -> None:
    run = land(tmp_path, only={"length": {"from": 30}})
    assert isinstance(run.error, AlloincognitoFormatError)
    assert not run.error.retryable
    assert run.tries["recordings"] == 1
    assert sandbox.count("getcallrecordfile") == 0
