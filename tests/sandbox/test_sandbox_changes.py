"""Changes: a day is another at the second look, in its rows, its recordings and the truth alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from sandbox_client import PlainClient

from airflow_provider_alloincognito.sandbox import Sandbox, SandboxSettings

DAY, NEXT_DAY = "2025-06-02", "2025-06-03"


def index_of(sandbox: Sandbox, fits: Callable[[dict[str, Any]], object]) -> int:
    """The index of a call in the middle of the day."""
    return next(index for index, row in enumerate(sandbox.truth(DAY, NEXT_DAY)) if index > 20 and fits(row))


def changed(index: int, change: str) -> dict[str, Any]:
    return {"day": DAY, "index": index, "change": change}


def without_recording(row: dict[str, Any]) -> bool:
    return row["recordFileId"] is None


def with_recording(row: dict[str, Any]) -> bool:
    return row["recordFileId"] is not None


def test_rows_and_truth_follow_all_changes_at_once(sandbox: Sandbox, client: PlainClient) -> None:
    before = client.rows()
    recorded, unrecorded = index_of(sandbox, with_recording), index_of(sandbox, without_recording)
    sandbox.configure(
        changes=[
            changed(recorded, "add"),
            changed(recorded + 1, "remove"),
            changed(recorded, "longer"),
            changed(unrecorded, "record"),
        ]
    )
    after = client.rows()
    assert after == sandbox.truth(DAY, NEXT_DAY)
    assert [row["startTime"] for row in after] == sorted(row["startTime"] for row in after)
    old, new = ({row["callId"]: row for row in rows} for rows in (before, after))
    (added,) = new.keys() - old.keys()
    assert old.keys() - new.keys() == {before[recorded + 1]["callId"]}
    twin = before[recorded]
    assert new[added]["startTime"] == twin["startTime"]
    assert (new[added]["callerNumber"], new[added]["calledNumber"]) == (twin["calledNumber"], twin["callerNumber"])
    different = {call: row for call, row in new.items() if call != added and row != old[call]}
    assert different == {
        twin["callId"]: {**twin, "duration": twin["duration"] + 60},
        before[unrecorded]["callId"]: {
            **before[unrecorded],
            "recordFileId": different[before[unrecorded]["callId"]]["recordFileId"],
        },
    }
    for row in filter(with_recording, after):
        assert client.mp3(row["recordFileId"]) == sandbox.recording(row["recordFileId"])


def test_changes_of_one_day_leave_the_others_alone_and_can_be_taken_back(sandbox: Sandbox) -> None:
    before = sandbox.truth(DAY, NEXT_DAY), sandbox.truth(NEXT_DAY, "2025-06-04")
    sandbox.configure(changes=[changed(0, "remove")])
    assert (sandbox.truth(DAY, NEXT_DAY), sandbox.truth(NEXT_DAY, "2025-06-04")) == (before[0][1:], before[1])
    sandbox.configure(changes=[])
    assert sandbox.truth(DAY, NEXT_DAY) == before[0]


def test_a_recording_appears_late_under_an_id_that_was_known(sandbox: Sandbox, client: PlainClient) -> None:
    rows = client.rows()
    index = index_of(sandbox, with_recording)
    late = rows[index]["recordFileId"]
    sandbox.configure(changes=[changed(index, "no_recording")])
    assert client.rows() == rows
    assert late in client.record_file(late).json()["error"]["errorMessage"]
    with pytest.raises(KeyError):
        sandbox.recording(late)
    sandbox.configure(changes=[])
    assert client.mp3(late) == sandbox.recording(late)


def test_a_removed_call_takes_its_recording_along_and_a_longer_one_keeps_it(sandbox: Sandbox) -> None:
    sandbox.configure(recording_bytes=None)
    index = index_of(sandbox, with_recording)
    record_file_id = sandbox.truth(DAY, NEXT_DAY)[index]["recordFileId"]
    recording = sandbox.recording(record_file_id)
    sandbox.configure(changes=[changed(index, "longer"), changed(0, "remove")])
    assert sandbox.recording(record_file_id) == recording
    sandbox.configure(changes=[changed(index, "remove")])
    with pytest.raises(KeyError):
        sandbox.recording(record_file_id)


@pytest.mark.parametrize(
    ("fits", "change", "says"),
    [
        (with_recording, "record", "has a recording already"),
        (without_recording, "no_recording", "has no recording"),
    ],
)
def test_a_change_that_would_change_nothing_is_an_error(
    sandbox: Sandbox, fits: Callable[[dict[str, Any]], bool], change: str, says: str
) -> None:
    changes = [changed(index_of(sandbox, fits), change)]
    with pytest.raises(ValueError, match=says):
        sandbox.configure(changes=changes)
    assert sandbox.settings.changes == ()
    with pytest.raises(ValueError, match=says):
        Sandbox(sandbox.settings, changes=changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([changed(10**6, "longer")], "none with the index 1000000"),
        ([changed(3, "remove")] * 2, "one change is there twice"),
        ([changed(3, "shorter")], "changes.0.change\n.*'add'"),
        ([{"day": "30.10.2025", "index": 1, "change": "add"}], "changes.0.day"),
    ],
)
def test_a_bad_change_is_an_error(sandbox: Sandbox, changes: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sandbox.configure(changes=changes)


def test_changes_are_set_as_json_too(sandbox: Sandbox, client: PlainClient) -> None:
    json = {"changes": [changed(5, "longer")]}
    shown = client.session.patch(f"{sandbox.url}/_sandbox/settings", json=json, timeout=10).json()
    assert shown["changes"] == [{**changed(5, "longer"), "after": None}]
    assert SandboxSettings.of(shown).changes == sandbox.settings.changes
    assert client.rows() == sandbox.truth(DAY, NEXT_DAY)


def test_a_change_happens_some_time_after_its_call(sandbox: Sandbox, client: PlainClient) -> None:
    changes = [{**changed(20, "longer"), "after": 100_000.0}, {**changed(21, "add"), "after": 3 * 86_400.0}]
    for moment, happened in (("2025-06-03 00:30:00", 0), ("2025-06-04 18:00:00", 1), ("2025-06-09 00:00:00", 2)):
        sandbox.configure(changes=changes[:happened])
        wanted = sandbox.truth(DAY, NEXT_DAY)
        sandbox.configure(changes=changes, clock_start=moment)
        assert client.rows() == wanted, moment
    assert sandbox.truth(DAY, NEXT_DAY) == wanted, "the truth has all changes"


def test_calls_are_listed_by_a_clock_of_their_own(sandbox: Sandbox, client: PlainClient) -> None:
    sandbox.configure(clock_start=f"{DAY} 06:00:00", clock_speed=3600.0)
    before = client.rows()
    deadline = time.monotonic() + 10
    while len(client.rows()) == len(before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(before) < len(client.rows()) < len(sandbox.truth(DAY, NEXT_DAY))
