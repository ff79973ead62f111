"""The hook's methods on a Connection to a sandbox."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList, RecordFile
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoQueryError,
    AlloincognitoResponseError,
)
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.sandbox import Sandbox

Connect = Callable[..., AlloincognitoHook]
StartSandbox = Callable[..., Sandbox]
START, END = "2025-06-02", "2025-06-03"


def rows(result: CallList | RecordFile) -> list[dict[str, Any]]:
    assert isinstance(result, CallList)
    with result:
        return [row for batch in result for row in batch]


def recording_id(sandbox: Sandbox) -> str:
    return next(row["recordFileId"] for row in sandbox.truth(START, END) if row["recordFileId"])


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, END),
        ("2025-06-02 00:00:00", "2025-06-03T00:00:00"),
        ("2025-06-01T21:00:00Z", "2025-06-02T21:00:00+00:00"),
        (datetime(2025, 6, 2), datetime(2025, 6, 3)),
        (datetime(2025, 6, 2, tzinfo=ZoneInfo("Europe/Moscow")), datetime(2025, 6, 2, 21, tzinfo=ZoneInfo("UTC"))),
    ],
)
def test_calls_of_a_period_are_listed(sandbox: Sandbox, connect: Connect, start: Any, end: Any) -> None:
    assert rows(connect(sandbox).get_call_list(start, end)) == sandbox.truth(START, END)


def test_every_filter_is_sent(sandbox: Sandbox, connect: Connect) -> None:
    rows(
        connect(sandbox).get_call_list(
            START,
            END,
            numbers="+7 916 123-45-67",
            direction="incoming",
            duration_from=1,
            duration_to=2,
            is_call_record=True,
            is_read=0,
        )
    )
    (request,) = [one for one in sandbox.requests if one.method == "getcalllist"]
    assert request.body == {
        "periodStart": "2025-06-02 00:00:00",
        "periodEnd": "2025-06-03 00:00:00",
        "numbers": ["+79161234567"],
        "direction": 2,
        "durationFrom": 1,
        "durationTo": 2,
        "isCallRecord": 1,
        "isRead": 0,
    }


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"period_start": "+7 916 123-45-67"}, "period_start"),
        ({"period_end": None}, "period_end"),
        ({"period_end": START}, "period_start"),
        ({"direction": "sideways"}, "direction"),
        ({"numbers": ["nobody"]}, "numbers"),
        ({"duration_from": -1}, "duration_from"),
    ],
)
def test_an_invalid_query_is_an_error_before_any_request(
    sandbox: Sandbox, connect: Connect, given: dict[str, Any], name: str
) -> None:
    with pytest.raises(AlloincognitoQueryError, match=f"^{name}") as caught:
        connect(sandbox).get_call_list(**{"period_start": START, "period_end": END, **given})
    assert "916" not in str(caught.value)
    assert sandbox.requests == []


@pytest.mark.parametrize("server", ["inclusive", "exclusive"])
@pytest.mark.parametrize("setting", ["unknown", "inclusive", "exclusive"])
def test_rows_outside_the_period_are_dropped_if_the_start_field_is_set(
    server: str, setting: str, start_sandbox: StartSandbox, connect: Connect
) -> None:
    sandbox = start_sandbox(period_end=server, start_fractions=True, row_fields={"startTime": "begin"})
    hook = connect(sandbox, period_end=setting, start_time_field="begin")
    end = datetime(2025, 6, 3)
    days = [
        row
        for day in range(3)
        for row in rows(hook.get_call_list(end + timedelta(days=day - 1), end + timedelta(days=day)))
    ]
    assert days == sandbox.truth("2025-06-02", "2025-06-05")


def test_the_start_field_of_the_hook_replaces_the_connections(start_sandbox: StartSandbox, connect: Connect) -> None:
    sandbox = start_sandbox(period_end="inclusive")
    connect(sandbox, start_time_field="wrong")
    assert rows(AlloincognitoHook(start_time_field="startTime").get_call_list(START, END)) == sandbox.truth(START, END)
    with pytest.raises(AlloincognitoResponseError, match="'wrong'"):
        rows(AlloincognitoHook().get_call_list(START, END))


def test_a_result_by_hash_equals_the_first_result(sandbox: Sandbox, connect: Connect) -> None:
    hook = connect(sandbox)
    with hook.get_call_list(START, END) as calls:
        listed = [row for batch in calls for row in batch]
    assert calls.request_hash
    assert rows(hook.get_request_result(calls.request_hash)) == listed
    with hook.get_call_record_file(recording_id(sandbox)) as recording:
        content = b"".join(recording)
    assert recording.request_hash
    again = hook.get_request_result(recording.request_hash)
    assert isinstance(again, RecordFile)
    with again:
        assert b"".join(again) == content == sandbox.recording(recording_id(sandbox))


def test_a_result_by_hash_drops_rows_outside_the_period(start_sandbox: StartSandbox, connect: Connect) -> None:
    sandbox = start_sandbox(period_end="inclusive")
    hook = connect(sandbox, start_time_field="startTime")
    zone = hook.settings.zone
    query = CallListQuery.checked(
        period_start=datetime(2025, 6, 2, tzinfo=zone), period_end=datetime(2025, 6, 3, tzinfo=zone)
    )
    with hook.list_calls(query) as calls:
        pass
    assert calls.request_hash is not None
    assert rows(hook.get_request_result(calls.request_hash, query)) == sandbox.truth(START, END)


def test_a_recording_is_saved_whole(sandbox: Sandbox, connect: Connect, tmp_path: Path) -> None:
    from airflow_provider_alloincognito.compat import ObjectStoragePath

    record_file_id = recording_id(sandbox)
    connect(sandbox).get_call_record_file(record_file_id, ObjectStoragePath(f"file://{tmp_path}/one.mp3"))
    assert (tmp_path / "one.mp3").read_bytes() == sandbox.recording(record_file_id)
    assert [path.name for path in tmp_path.iterdir()] == ["one.mp3"]


@pytest.mark.parametrize("fault", ["cut", "malformed_json", "no_result", "error"])
def test_a_recording_that_fails_leaves_nothing(fault: str, sandbox: Sandbox, connect: Connect, tmp_path: Path) -> None:
    from airflow_provider_alloincognito.compat import ObjectStoragePath

    sandbox.add_fault(fault, method="getcallrecordfile")
    with pytest.raises((AlloincognitoResponseError, AlloincognitoApiError)):
        connect(sandbox).get_call_record_file(recording_id(sandbox), ObjectStoragePath(f"file://{tmp_path}/one.mp3"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["get_call_list", "get_call_record_file", "get_request_result"])
def test_a_rejected_token_error_names_the_connection(sandbox: Sandbox, connect: Connect, call: str) -> None:
    hook = connect(sandbox, "my_connection", connection={"password": "not.a.token"})
    arguments = (START, END) if call == "get_call_list" else ("handle",)
    with pytest.raises(AlloincognitoAuthError, match=r"'my_connection'.*personal account") as caught:
        getattr(hook, call)(*arguments)
    assert "not.a.token" not in str(caught.value)
    assert (sandbox.count("create"), len(sandbox.requests)) == (1, 1)


def test_two_connections_with_one_token_share_one_pair(sandbox: Sandbox, connect: Connect) -> None:
    one = connect(sandbox, "one")
    password = f" Bearer {sandbox.authorization_token}\n"
    same_server = {"host": f"HTTP://127.0.0.1:{sandbox.port}/", "port": 0, "password": password}
    two = connect(sandbox, "two", connection=same_server)
    assert rows(one.get_call_list(START, END)) == rows(two.get_call_list(START, END))
    assert (sandbox.count("create"), sandbox.count("refresh")) == (1, 0)
    sandbox.expire_access()
    rows(one.get_call_list(START, END))
    rows(two.get_call_list(START, END))
    assert (sandbox.count("create"), sandbox.count("refresh")) == (1, 1)


def test_threads_with_their_own_hooks_make_one_pair(sandbox: Sandbox, connect: Connect) -> None:
    connect(sandbox)
    got: list[int] = []

    def list_calls() -> None:
        got.append(len(rows(AlloincognitoHook().get_call_list(START, END))))

    threads = [threading.Thread(target=list_calls) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [len(sandbox.truth(START, END))] * 6
    assert sandbox.count("create") == 1


def test_no_request_is_sent_before_the_first_method_call(sandbox: Sandbox, connect: Connect) -> None:
    connect(sandbox).get_conn()
    AlloincognitoHook("there_is_no_such_connection")
    assert sandbox.requests == []


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda hook: pickle.loads(pickle.dumps(hook))])
def test_a_hook_in_use_can_be_copied(copied: Any, sandbox: Sandbox, connect: Connect) -> None:
    """Airflow copies operators, and with them the hooks that users keep there."""
    connect(sandbox)
    hook = AlloincognitoHook(start_time_field="startTime", ready_check="a.b")
    hook.log.info("A hook that has logged")
    hook.get_conn()
    hook.stopped.set()
    one = copied(hook)
    assert sandbox.authorization_token not in repr(vars(one))
    assert (one.alloincognito_conn_id, one.start_time_field, one.ready_check) == (
        "alloincognito_default",
        "startTime",
        "a.b",
    )
    assert not one.stopped.is_set()
    one.ready_check = None
    assert rows(one.get_call_list(START, END)) == sandbox.truth(START, END)
