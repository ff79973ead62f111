"""The head of a response: ``api/answer/head.py``. How both transports read it: ``test_client.py``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_alloincognito.api.answer.envelope import Envelope
from airflow_provider_alloincognito.api.answer.head import AnswerHead
from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import AlloincognitoResponseError, AlloincognitoTruncatedError

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


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *itertools.product([202, 404, 500], [b"", b"<html></html>", b"x" * (1 << 21)]),
        *itertools.product([404, 500], [ROWS[:-1]]),
    ],
)
def test_a_small_body_need_not_be_an_envelope(body: bytes, status: int) -> None:
    head = head_of(body, status)
    assert head.envelope is None
    assert head.body == body
    assert rows_of(head) == []


def test_the_servers_time_and_retry_after_are_read_from_the_headers() -> None:
    head = head_of(ROWS, headers={"Date": "Mon, 02 Jun 2025 12:00:20 GMT", "Retry-After": "7"})
    assert head.server_time == datetime(2025, 6, 2, 12, 0, 20, tzinfo=UTC)
    assert head.retry_after == 7
    assert head_of(ROWS).server_time is None
    assert head_of(ROWS, headers={"Date": "yesterday"}).server_time is None


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Wed, 01 Jan 1000 00:00:00 GMT"])
def test_a_clock_at_the_end_of_the_calendar_is_none(date: str) -> None:
    assert head_of(ROWS, headers={"Date": date}).server_time is None


@pytest.mark.parametrize(("body", "status"), [(ROWS[:-1], 200), (ROWS[:-1], 202), (b"{", 200), (b"", 200)])
def test_json_that_ends_early_is_truncated(body: bytes, status: int) -> None:
    with pytest.raises(AlloincognitoTruncatedError, match="truncated"):
        head_of(body, status)


@pytest.mark.parametrize("body", [b"", b"OK", b"<html></html>"])
def test_what_is_whole_but_no_json_is_not_truncated(body: bytes) -> None:
    with pytest.raises(AlloincognitoResponseError) as caught:
        head_of(body, headers={"Content-Length": str(len(body))})
    assert not isinstance(caught.value, AlloincognitoTruncatedError)


RUSSIAN = '{"result": {"rowset": [{"a": "Звонок"}, {"b": "клиента"}]}}'


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [
        ("cp1251", "windows-1251"),
        ("koi8-r", '"KOI8-R"'),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16le"),
        ("utf-16", None),
        ("utf-16-be", None),
        ("utf-32", None),
        ("utf-8-sig", None),
        ("utf-8", "windows-1251"),
        ("utf-8", "iso-8859-1"),
        ("utf-8", "x-unknown"),
        ("utf-8", "base64"),
        ("utf-7", "utf-7"),
        ("iso-2022-jp", "iso-2022-jp"),
        ("hz", "hz"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_body_is_read_in_its_encoding(encoding: str, charset: str | None, size: int) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"} if charset else {}
    for status in (200, 202):
        head = AnswerHead("getcalllist", status, headers, Settings(), is_small=False)
        body = RUSSIAN.encode(encoding)
        for start in range(0, len(body), size):
            head.feed(body[start : start + size])
        head.finish()
        assert rows_of(head) == [{"a": "Звонок"}, {"b": "клиента"}]


def test_a_body_that_is_not_in_its_seven_bit_charset_is_an_error_that_names_it() -> None:
    with pytest.raises(AlloincognitoResponseError, match="utf-7"):
        head_of(RUSSIAN.encode(), headers={"Content-Type": "application/json; charset=utf-7"})


def test_a_truncated_response_is_named_without_the_transports_text() -> None:
    text = str(head_of(ROWS).truncated(OSError("http://server?requestHash=secret")))
    assert "getcalllist" in text
    assert "OSError" in text
    assert "secret" not in text
