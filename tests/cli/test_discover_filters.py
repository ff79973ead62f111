"""What ``discover`` proposes also lets every filter, and a result by its hash, work as the sandbox's own list says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from api_documents import API_DOCUMENTS, ApiDocument
from command_runs import DAY

from airflow_provider_alloincognito.api.results import CallList
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

# Servers without some of them; one has no call list in its document, but that of the API's text.
LACKING = {"nestjs": ["is_read"], "examples_only": ["is_read"], "cyclic": ["numbers"]}
PERIOD = (DAY[1], DAY[3])


def rows_of(calls: Any) -> list[dict[str, Any]]:
    assert isinstance(calls, CallList)
    with calls:
        return [row for batch in calls for row in batch]


@pytest.mark.parametrize("document", API_DOCUMENTS.values(), ids=lambda one: one.name)
def test_every_filter_is_understood(
    document: ApiDocument, start_sandbox: Callable[..., Any], connect: Callable[..., None]
) -> None:
    sandbox = start_sandbox(**document.settings)
    expected = document.expected
    connect(sandbox, **expected["extra"])
    hook = AlloincognitoHook()
    names = {
        "direction": "direction",
        "duration": "duration",
        "callerNumber": "callerNumber",
        "recordFileId": "recordFileId",
    }
    names = {ours: document.sandbox.get("row_fields", {}).get(ours, ours) for ours in names}
    every = sandbox.truth(*PERIOD)
    number = every[0][names["callerNumber"]]
    other = every[5][names["callerNumber"]]
    wanted: dict[str, Callable[[dict[str, Any]], bool]] = {
        "direction": lambda row: row[names["direction"]] == 1,
        "duration_from": lambda row: row[names["duration"]] >= 20,
        "duration_to": lambda row: row[names["duration"]] <= 200,
        "is_call_record": lambda row: row[names["recordFileId"]] is not None,
        "numbers": lambda row: not {number, other}.isdisjoint(map(str, row.values())),
    }
    values = {
        "direction": 1,
        "duration_from": 20,
        "duration_to": 200,
        "is_call_record": True,
        "numbers": [number, other],
    }
    asked = {name: value for name, value in values.items() if name not in LACKING.get(document.name, ())}
    for name, value in asked.items():
        found = rows_of(hook.get_call_list(*PERIOD, **{name: value}))
        assert found == [row for row in every if wanted[name](row)], name
        assert 0 < len(found) <= len(every)
    incoming = rows_of(hook.get_call_list(*PERIOD, direction=2))
    assert incoming == [row for row in every if row[names["direction"]] == 2]
    if "is_read" not in LACKING.get(document.name, ()):
        rows_of(hook.get_call_list(*PERIOD, is_read=0))
        rows_of(hook.get_call_list(*PERIOD, is_read=1))
    calls = hook.get_call_list(*PERIOD)
    assert rows_of(calls) == every
    if document.name != "examples_only":  # its server has no such method
        request_hash = calls.request_hash
        assert request_hash
        assert rows_of(hook.get_request_result(request_hash)) == every
