"""Call lists and recordings over HTTP: ``api/results.py``. Its ``RowFilter``: ``test_row_filter.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from plain_server import RECORD_FILE_PATH, PlainServer, Said
from sent_requests import END, START, call_hash, calls, calls_by_hash, query, recording

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.results import CallList, RecordFile
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoRecordingError,
    AlloincognitoResponseError,
)
from airflow_provider_alloincognito.sandbox import Sandbox


def by_hash(client: Client, request_hash: str) -> CallList:
    return CallList(client.open(methods.request_result(client.settings, request_hash)))


@pytest.mark.parametrize(
    ("sandbox_settings", "settings"),
    [
        ({"pending_style": "202"}, {}),
        ({"pending_style": "no_rowset"}, {}),
        ({"pending_style": "error_code"}, {"pending_error_codes": ("1100",)}),
        ({"pending_style": "error_code", "pending_error_code": "WAIT"}, {"pending_error_codes": ("WAIT",)}),
        ({"pending_style": "error_code", "error_status": 404}, {"pending_error_codes": ("1100",)}),
    ],
)
def test_every_form_of_not_ready_yet_is_recognised(
    sandbox_settings: dict[str, Any],
    settings: dict[str, Any],
    start_sandbox: Callable[..., Sandbox],
    new_client: Callable[..., Client],
) -> None:
    sandbox = start_sandbox(pending_polls=2, call_list_answer="hash_only", **sandbox_settings)
    client = new_client(sandbox, **settings)
    with CallList(client.open(methods.call_list(client.settings, query()))) as first:
        assert first.is_pending
        request_hash = first.request_hash
        assert request_hash
    for _ in range(2):
        with by_hash(client, request_hash) as result:
            assert result.is_pending
            assert result.request_hash == request_hash
    with by_hash(client, request_hash) as result:
        assert not result.is_pending
        assert isinstance(result, CallList)
        assert [row for batch in result for row in batch] == sandbox.truth(START, END)


def test_a_pending_code_that_is_not_in_the_settings_is_an_error(
    start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    sandbox = start_sandbox(pending_polls=1, pending_style="error_code")
    client = new_client(sandbox)
    request_hash = call_hash(client)
    with pytest.raises(AlloincognitoApiError) as caught:
        calls_by_hash(client, request_hash)
    assert caught.value.code == 1100


@pytest.mark.parametrize(("setting", "pending"), [("empty", False), ("pending", True)])
def test_a_null_rowset_means_no_calls_or_not_ready(
    setting: str, pending: bool, start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    sandbox = start_sandbox(empty_rowset="null", calls_per_day=0)
    client = new_client(sandbox, null_rowset=setting)
    with CallList(client.open(methods.call_list(client.settings, query()))) as result:
        assert result.is_pending is pending
        if pending:  # a result that is not ready must not look like a day without calls
            with pytest.raises(AlloincognitoResponseError, match="not ready"):
                list(result)
        else:
            assert list(result) == []


def test_an_empty_rowset_is_ready(start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]) -> None:
    assert calls(new_client(start_sandbox(calls_per_day=0), null_rowset="pending")) == []


@pytest.mark.parametrize("status", [200, 404])
def test_an_unknown_hash_is_the_apis_error(
    status: int, start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    sandbox = start_sandbox(unknown_hash_status=status)
    client = new_client(sandbox)
    request_hash = call_hash(client)
    sandbox.forget_hashes()
    with pytest.raises(AlloincognitoApiError, match="getrequestresultbyhash"):
        calls_by_hash(client, request_hash)


def test_a_server_that_runs_the_query_again_returns_the_rows_too(
    start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    sandbox = start_sandbox(hash_reruns_query=True)
    client = new_client(sandbox)
    request_hash = call_hash(client)
    with by_hash(client, request_hash) as result:
        assert [row for batch in result for row in batch] == sandbox.truth(START, END)
        assert result.request_hash not in (None, request_hash)


@pytest.mark.parametrize("variant", ["plain", "escaped_slashes", "line_breaks", "no_padding", "urlsafe", "data_uri"])
@pytest.mark.parametrize("key_order", ["error_first", "result_first", "rowset_first"])
def test_a_recording_is_the_same_in_every_variant_of_base64(
    variant: str, key_order: str, start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    sandbox = start_sandbox(base64_dressing=variant, key_order=key_order, file_name="hostile")
    client = new_client(sandbox)
    ids = [row["recordFileId"] for row in sandbox.truth(START, END) if row["recordFileId"]][:3]
    for record_file_id in ids:
        assert recording(client, record_file_id) == sandbox.recording(record_file_id)


def test_a_recordings_file_name_is_known_at_its_end_and_not_in_its_repr(
    start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    sandbox = start_sandbox()
    client = new_client(sandbox)
    row = next(row for row in sandbox.truth(START, END) if row["recordFileId"])
    with RecordFile(client.open(methods.call_record_file(client.settings, row["recordFileId"]))) as result:
        content = b"".join(result)
        assert isinstance(result, RecordFile)
        assert result.file_name
        assert result.request_hash
        assert result.file_name not in repr(result)
    with RecordFile(client.open(methods.request_result(client.settings, result.request_hash))) as again:
        assert b"".join(again) == content
        assert isinstance(again, RecordFile)


def test_a_recording_is_not_read_as_a_call_list_nor_a_call_list_as_a_recording(
    client: Client, sandbox: Sandbox
) -> None:
    row = next(row for row in sandbox.truth(START, END) if row["recordFileId"])
    recording_answer = client.open(methods.call_record_file(client.settings, row["recordFileId"]))
    with CallList(recording_answer) as wrong, pytest.raises(AlloincognitoResponseError, match="recording"):
        list(wrong)
    list_answer = client.open(methods.call_list(client.settings, query()))
    with RecordFile(list_answer) as wrong_too, pytest.raises(AlloincognitoResponseError, match="call list"):
        list(wrong_too)


@pytest.mark.parametrize(
    ("result", "status", "message"),
    [
        (b"{}", 200, "not ready yet"),
        (b'{"fileContent": null, "requestHash": "h"}', 200, "not ready yet"),
        (b'{"fileContent": "QUJD", "requestHash": "h"}', 202, "not ready yet"),
        (b'{"fileContent": ""}', 200, "no recording"),
        (b'{"rowset": []}', 200, "no recording"),
        (b'{"rowset": null}', 200, "no recording"),
    ],
)
def test_a_missing_recording_is_an_error_and_not_an_empty_file(
    result: bytes,
    status: int,
    message: str,
    plain_server: Callable[..., PlainServer],
    new_client: Callable[..., Client],
) -> None:
    server = plain_server({RECORD_FILE_PATH: Said(b'{"error": null, "result": ' + result + b"}", status)})
    with pytest.raises((AlloincognitoResponseError, AlloincognitoRecordingError), match=message):
        recording(new_client(server.url), "some-id")


def test_the_client_is_usable_after_a_result_was_left_early(
    start_sandbox: Callable[..., Sandbox], new_client: Callable[..., Client]
) -> None:
    sandbox = start_sandbox(calls_per_day=20_000)
    client = new_client(sandbox)
    for _ in range(3):
        with CallList(client.open(methods.call_list(client.settings, query()))) as result:
            assert next(iter(result))
    assert calls(client, duration_from=100_000) == []
