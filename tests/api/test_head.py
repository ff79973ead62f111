"""The head of a response: ``api/answer/head.py``. How both transports read it: ``test_client.py``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_alloincognito.api.answer.envelope import Envelope
from airflow_provider_alloincognito.api.answer.head import AnswerHead
from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.api.settings import Settings

ROWS = b'{"error": null, "result": {"requestHash": "h==", "rowset": [{"a": 1}]}}'


def head_of(body: bytes, status: int = 200, headers: Mapping[str, str] = {}) -> AnswerHead:
    head = AnswerHead("getcalllist", status, headers, Settings(), is_small=False)
    head.feed(body)
    head.finish()
    return head


def rows_of(head: AnswerHead) -> list[dict[str, Any]]:
    return [row for piece in head.pieces if isinstance(piece, RowBatch) for row in piece.decode()]


def is_always_ready(envelope: Envelope) -> bool:
    return True


@pytest.mark.parametrize("status", [200, 201, 202])
def test_rows_are_kept_with_every_status_of_success(status: int) -> None:
    head = head_of(ROWS, status)
    assert head.is_ready(f"{__name__}.is_always_ready")
    assert rows_of(head) == [{"a": 1}]


def test_a_head_is_complete_at_the_first_row() -> None:
    head = AnswerHead("getcalllist", 200, {}, Settings(), is_small=False)
    start = ROWS.index(b"{", ROWS.index(b"rowset"))
    head.feed(ROWS[:start])
    assert not head.head_complete
    head.feed(ROWS[start : start + 1])
    assert head.head_complete
    assert head.envelope is not None
    assert head.envelope.request_hash == "h=="


@pytest.mark.parametrize("body", [b"", b"<html></html>", ROWS[:-1], b"x" * (1 << 21)])
@pytest.mark.parametrize("status", [202, 404, 500])
def test_a_small_body_need_not_be_an_envelope(body: bytes, status: int) -> None:
    head = head_of(body, status)
    assert head.envelope is None
    assert head.body == body
    assert rows_of(head) == []


def test_the_servers_time_and_retry_after_are_read_from_the_headers() -> None:
    head = head_of(ROWS, headers={"Date": "Mon, 02 Jun 2025 12:00:20 GMT", "Retry-After": "7"})
    assert head.server_time == datetime(2025, 6, 2, 12, 0, 20, tzinfo=UTC)
    assert head.retry_after == "7"
    assert head_of(ROWS).server_time is None
    assert head_of(ROWS, headers={"Date": "yesterday"}).server_time is None


def test_a_truncated_response_is_named_without_the_transports_text() -> None:
    text = str(head_of(ROWS).truncated(OSError("http://server?requestHash=secret")))
    assert "getcalllist" in text
    assert "OSError" in text
    assert "secret" not in text
