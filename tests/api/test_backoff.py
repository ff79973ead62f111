"""How long to wait: ``Retry-After`` in all its forms, and a backoff of our own (``api/backoff.py``)."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.backoff import LONGEST_BACKOFF, backoff, http_date, retry_after

NOW = datetime(2025, 6, 2, 12, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        ("1.5", 1.5),
        ("-3", 0),
        ("", None),
        ("soon", None),
        ("1, 1", None),
        ("nan", None),
        ("inf", None),
        ("1795643308", None),
        ("Mon, 02 Jun 2025 12:00:20 GMT", 20),
        ("Mon, 02 Jun 2025 12:00:20 -0000", 20),
        ("Mon, 02 Jun 2025 11:00:00 GMT", 0),
        ("Mon, 99 Jun 2025 12:00:20 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_own_clock(header: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": header, "Date": DATE}) == seconds


def test_without_a_date_header_our_own_clock_counts() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    seconds = retry_after({"Retry-After": later})
    assert seconds is not None
    assert 15 < seconds <= 20
    assert retry_after({}) is None


@given(st.integers(0, 10**6))
def test_a_date_is_the_seconds_until_it(seconds: int) -> None:
    later = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after({"Retry-After": later, "Date": DATE}) == seconds


@given(st.text(), st.text())
def test_any_header_is_seconds_or_ignored(header: str, date: str) -> None:
    seconds = retry_after({"Retry-After": header, "Date": date})
    assert seconds is None or seconds >= 0
    assert http_date(header) is None or http_date(header).tzinfo is not None  # type: ignore[union-attr]


@given(st.integers(1, 10**6), st.integers())
def test_the_backoff_grows_up_to_a_limit(failures: int, seed: int) -> None:
    seconds = backoff(failures, random.Random(seed))
    assert 0.75 <= seconds <= LONGEST_BACKOFF
    assert seconds <= backoff(failures + 1, random.Random(seed))
