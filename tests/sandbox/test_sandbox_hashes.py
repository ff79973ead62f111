"""Results by hash."""

from __future__ import annotations

import base64
import re
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sandbox_client import BY_HASH, PlainClient


def hash_of(answer: Any) -> str:
    text: str = answer.json()["result"]["requestHash"]
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


def test_the_same_rows_and_the_same_recording(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.sandbox.configure(always_awkward_hashes=True)
    for first in (client.call_list(direction=1), client.record_file(recorded["recordFileId"])):
        again = client.by_hash(hash_of(first)).json()
        expected = first.json()
        for document in (again, expected):
            del document["result"]["responseDuration"], document["result"]["callTime"]
        assert again == expected


def test_any_answer_s_hash_can_be_used(client: PlainClient) -> None:
    first = client.call_list(direction=9)
    again = client.by_hash(hash_of(first))
    assert again.json()["error"] == first.json()["error"]


def test_a_hash_is_percent_encoded_exactly_once(client: PlainClient) -> None:
    client.sandbox.configure(always_awkward_hashes=True)
    text = hash_of(client.call_list())
    url = f"{client.sandbox.url}{BY_HASH}?requestHash="
    headers = {"Authorization": f"Bearer {client.access}"}

    def ask(written: str) -> Any:
        return client.session.get(url + written, headers=headers, timeout=5).json()["error"]

    assert ask(quote(text, safe="")) is None
    assert client.sandbox.requests[-1].query == {"requestHash": text}
    assert client.sandbox.requests[-1].raw_query == f"requestHash={quote(text, safe='')}"
    assert ask(quote(quote(text, safe=""), safe=""))["errorCode"] == 1000
    # A raw plus is a space.
    assert ask(text)["errorCode"] == 1000


@pytest.mark.parametrize("status", [200, 404])
def test_an_unknown_hash(client: PlainClient, status: int) -> None:
    client.sandbox.configure(unknown_hash_status=status)
    answer = client.by_hash("twbfdoEhUI6kPSgOpPXT7Q==QUY5OUZCMDJGNDA4MDBEQ0UwNTBBOEMwQ0I1MDI4NTU=")
    assert answer.status_code == status
    assert answer.json()["error"]["errorCode"] == 1000


def test_hashes_are_forgotten(client: PlainClient) -> None:
    text = hash_of(client.call_list())
    client.sandbox.forget_hashes()
    assert client.by_hash(text).json()["error"]
    client.sandbox.configure(hash_lifetime=0.1)
    text = hash_of(client.call_list())
    assert client.by_hash(text).json()["error"] is None
    time.sleep(0.11)
    assert client.by_hash(text).json()["error"]


@pytest.mark.parametrize(
    ("style", "status", "code"), [("202", 202, None), ("no_rowset", 200, None), ("error_code", 200, 1100)]
)
def test_not_ready_for_some_polls(client: PlainClient, style: str, status: int, code: int | None) -> None:
    client.sandbox.configure(pending_polls=2, pending_style=style, call_list_answer="hash_only")
    first = client.call_list()
    assert "rowset" not in first.json()["result"]
    for _ in range(2):
        answer = client.by_hash(hash_of(first))
        assert answer.status_code == status
        document = answer.json()
        assert "rowset" not in document["result"]
        assert document["result"]["requestHash"] == hash_of(first)
        assert (document["error"] and document["error"]["errorCode"]) == code
    ready = client.by_hash(hash_of(first)).json()
    assert ready["result"]["rowset"] == client.sandbox.truth("2025-06-02", "2025-06-03")
    outcomes = [one.outcome for one in client.sandbox.requests if one.method == "getrequestresultbyhash"]
    assert outcomes == ["pending", "pending", "ok"]


def test_not_ready_for_some_time(client: PlainClient) -> None:
    client.sandbox.configure(pending_seconds=0.2)
    text = hash_of(client.call_list())
    assert client.by_hash(text).status_code == 202
    time.sleep(0.21)
    assert client.by_hash(text).json()["result"]["rowset"]


def test_a_result_is_kept_or_the_query_is_run_again(client: PlainClient) -> None:
    client.sandbox.configure(call_appears_after=1e10)
    text = hash_of(client.call_list())
    client.sandbox.configure(call_appears_after=0)
    # The moment of asking is kept; here the knob itself has changed, so that both see the calls.
    kept = client.by_hash(text).json()["result"]
    assert kept["requestHash"] == text
    client.sandbox.configure(hash_reruns_query=True)
    rerun = client.by_hash(text).json()["result"]
    assert rerun["requestHash"] != text
    assert rerun["rowset"] == client.sandbox.truth("2025-06-02", "2025-06-03")


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
