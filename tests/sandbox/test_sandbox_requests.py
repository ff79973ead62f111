"""Requests: the body of a call list is read strictly, and results are kept under their hash."""

from __future__ import annotations

import base64
import re
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sandbox_client import BY_HASH, CALL_LIST, PlainClient


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"direction": 0, "isCallRecord": 0, "durationFrom": None, "durationTo": None, "isRead": None},
        {"direction": None, "isCallRecord": None, "numbers": None},
        {"direction": "", "isCallRecord": ""},
    ],
)
def test_unset_filters_limit_nothing(client: PlainClient, body: dict[str, Any]) -> None:
    assert client.rows(**body) == client.sandbox.truth("2025-06-02", "2025-06-03")


@pytest.mark.parametrize(
    "body",
    [
        {"periodStart": None},
        {"periodStart": "2025-06-02"},
        {"periodStart": "2025-06-02T00:00:00"},
        {"periodStart": "2025-06-02 00:00:00+03:00"},
        {"periodStart": "2025-06-02 00:00:00.000"},
        {"periodStart": " 2025-06-02 00:00:00"},
        {"periodEnd": "2025-06-31 00:00:00"},
        {"periodEnd": "2025-06-01 00:00:00"},
        {"periodEnd": 1631981803},
        {"direction": 3},
        {"direction": "1"},
        {"direction": "incoming"},
        {"direction": True},
        {"durationFrom": -1},
        {"durationFrom": 1.5},
        {"durationFrom": ""},
        {"durationTo": "60"},
        {"isCallRecord": True},
        {"isCallRecord": 2},
        {"isRead": ""},
        {"isRead": 2},
        {"numbers": "79161234567"},
        {"numbers": [79161234567]},
        {"numbers": ["call me"]},
        {"phones": ["79161234567"]},
    ],
)
def test_a_body_that_the_text_does_not_allow_is_an_error(client: PlainClient, body: dict[str, Any]) -> None:
    response = client.call_list(**body)
    assert response.status_code == 200
    document = response.json()
    assert document["error"]["errorCode"] == 1000
    assert document["error"]["errorMessage"]
    assert "rowset" not in document["result"]
    assert client.sandbox.requests[-1].outcome == "error"


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'"x"'])
def test_a_body_that_is_not_a_json_object_is_an_error(client: PlainClient, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {client.access}", "Content-Type": "application/json"}
    response = client.session.post(client.sandbox.url + CALL_LIST, data=body, headers=headers, timeout=5)
    assert response.json()["error"]["errorCode"] == 1000


def test_unknown_fields_can_be_allowed(client: PlainClient) -> None:
    client.sandbox.configure(allow_unknown_fields=True)
    assert client.rows(phones=["x"])


def hash_of(response: Any) -> str:
    text: str = response.json()["result"]["requestHash"]
    return text


def test_a_hash_is_two_base64_strings_end_to_end(client: PlainClient) -> None:
    hashes = [hash_of(client.call_list()) for _ in range(40)]
    assert len(set(hashes)) == 40
    for text in hashes:
        assert re.fullmatch(r"[A-Za-z0-9+/]{22}==[A-Za-z0-9]{43}=", text)
        assert re.fullmatch(rb"[0-9A-F]{32}", base64.b64decode(text[24:]))
    assert any("+" in text for text in hashes)
    assert any("/" in text for text in hashes)
    client.sandbox.configure(always_awkward_hashes=True)
    assert all({"+", "/", "="} <= set(hash_of(client.call_list())) for _ in range(5))


def test_a_hash_gives_the_same_rows_and_the_same_recording(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.sandbox.configure(always_awkward_hashes=True)
    for first in (client.call_list(direction=1), client.record_file(recorded["recordFileId"])):
        again = client.by_hash(hash_of(first)).json()
        expected = first.json()
        for document in (again, expected):
            del document["result"]["responseDuration"], document["result"]["callTime"]
        assert again == expected


def test_the_hash_of_an_error_gives_the_error(client: PlainClient) -> None:
    first = client.call_list(direction=9)
    again = client.by_hash(hash_of(first))
    assert again.json()["error"] == first.json()["error"]


def test_a_hash_is_percent_encoded_exactly_once(client: PlainClient) -> None:
    client.sandbox.configure(always_awkward_hashes=True)
    text = hash_of(client.call_list())
    url = f"{client.sandbox.url}{BY_HASH}?requestHash="
    headers = {"Authorization": f"Bearer {client.access}"}

    def error_of(written: str) -> Any:
        return client.session.get(url + written, headers=headers, timeout=5).json()["error"]

    assert error_of(quote(text, safe="")) is None
    assert client.sandbox.requests[-1].query == {"requestHash": text}
    assert client.sandbox.requests[-1].raw_query == f"requestHash={quote(text, safe='')}"
    assert error_of(quote(quote(text, safe=""), safe=""))["errorCode"] == 1000
    # A raw plus is a space.
    assert error_of(text)["errorCode"] == 1000


@pytest.mark.parametrize("status", [200, 404])
def test_an_unknown_hash_is_an_error(client: PlainClient, status: int) -> None:
    client.sandbox.configure(unknown_hash_status=status)
    response = client.by_hash("twbfdoEhUI6kPSgOpPXT7Q==QUY5OUZCMDJGNDA4MDBEQ0UwNTBBOEMwQ0I1MDI4NTU=")
    assert response.status_code == status
    assert response.json()["error"]["errorCode"] == 1000


def test_hashes_can_be_forgotten_and_expire(client: PlainClient) -> None:
    text = hash_of(client.call_list())
    client.sandbox.forget_hashes()
    assert client.by_hash(text).json()["error"]
    client.sandbox.configure(hash_lifetime=60)
    text = hash_of(client.call_list())
    assert client.by_hash(text).json()["error"] is None
    client.sandbox.configure(hash_lifetime=0.01)
    time.sleep(0.02)
    assert client.by_hash(text).json()["error"]


@pytest.mark.parametrize(
    ("style", "status", "code"), [("202", 202, None), ("no_rowset", 200, None), ("error_code", 200, 1100)]
)
def test_a_result_is_not_ready_for_some_polls(client: PlainClient, style: str, status: int, code: int | None) -> None:
    client.sandbox.configure(pending_polls=2, pending_style=style, call_list_answer="hash_only")
    first = client.call_list()
    assert "rowset" not in first.json()["result"]
    for _ in range(2):
        response = client.by_hash(hash_of(first))
        assert response.status_code == status
        document = response.json()
        assert "rowset" not in document["result"]
        assert document["result"]["requestHash"] == hash_of(first)
        assert (document["error"] and document["error"]["errorCode"]) == code
    ready = client.by_hash(hash_of(first)).json()
    assert ready["result"]["rowset"] == client.sandbox.truth("2025-06-02", "2025-06-03")
    outcomes = [one.outcome for one in client.sandbox.requests if one.method == "getrequestresultbyhash"]
    assert outcomes == ["pending", "pending", "ok"]


def test_a_result_is_not_ready_without_a_body_or_with_null_rows(client: PlainClient) -> None:
    client.sandbox.configure(pending_polls=1, pending_style="null_rowset", call_list_answer="pending")
    first = client.call_list()
    assert first.json()["result"]["rowset"] is None
    client.sandbox.configure(pending_style="empty_202")
    response = client.by_hash(hash_of(first))
    assert (response.status_code, response.content) == (202, b"")
    ready = client.by_hash(hash_of(first)).json()
    assert ready["result"]["rowset"] == client.sandbox.truth("2025-06-02", "2025-06-03")


def test_a_result_is_not_ready_for_some_time(client: PlainClient) -> None:
    client.sandbox.configure(pending_seconds=1.0)
    text = hash_of(client.call_list())
    assert client.by_hash(text).status_code == 202
    time.sleep(1.01)
    assert client.by_hash(text).json()["result"]["rowset"]


def test_a_result_is_kept_or_the_query_is_run_again(client: PlainClient) -> None:
    client.sandbox.configure(call_appears_after=1e10)
    text = hash_of(client.call_list())
    client.sandbox.configure(call_appears_after=0)
    # A result is as old as its request, but here the setting itself has changed, so that both have the calls.
    kept = client.by_hash(text).json()["result"]
    assert kept["requestHash"] == text
    client.sandbox.configure(hash_reruns_query=True)
    rerun = client.by_hash(text).json()["result"]
    assert rerun["requestHash"] != text
    assert rerun["rowset"] == client.sandbox.truth("2025-06-02", "2025-06-03")
    client.sandbox.configure(rerun_hash="same")
    assert client.by_hash(text).json()["result"]["requestHash"] == text
    client.sandbox.configure(rerun_hash="absent")
    assert "requestHash" not in client.by_hash(text).json()["result"]


def test_a_kept_result_is_as_old_as_its_request(client: PlainClient) -> None:
    # Calls appear so late that the clock passes a call's appearance during the test.
    client.sandbox.configure(timezone="UTC", calls_per_day=2000)
    rows = client.sandbox.truth("2025-06-02", "2025-06-03")
    ends = sorted(
        datetime.fromisoformat(row["startTime"]) + timedelta(seconds=row["duration"] + row["waitDuration"])
        for row in rows
    )
    now = datetime.fromtimestamp(time.time(), tz=client.sandbox.settings.zone).replace(tzinfo=None)
    client.sandbox.configure(call_appears_after=(now - ends[1000]).total_seconds())
    text = hash_of(client.call_list())
    before = client.by_hash(text).json()["result"]["rowset"]
    client.sandbox.configure(clock_skew=3600)
    assert client.by_hash(text).json()["result"]["rowset"] == before
    client.sandbox.configure(hash_reruns_query=True)
    assert len(client.by_hash(text).json()["result"]["rowset"]) > len(before) > 0
