"""When a request is sent again, and after which pause: ``api/transport/retries.py``."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.transport import retries
from airflow_provider_alloincognito.errors import (
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoResponseError,
    AlloincognitoTruncatedError,
)

NOW = datetime(2025, 6, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        ("1.5", 1.5),
        ("-3", 0),
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", 0),
        ("Mon, 02 Jun 2025 12:00:20 GMT", 20),
        ("Mon, 02 Jun 2025 11:00:00 GMT", 0),
        ("Mon, 02 Jun 2025 12:00:20 -0000", None),
        ("Mon, 99 Jun 2025 12:00:20 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retries.retry_after(header, NOW) == seconds


@given(st.integers(0, 10**6))
def test_a_date_is_the_seconds_until_it(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retries.retry_after(date, NOW) == seconds


@given(st.text())
def test_any_header_is_seconds_or_ignored(header: str) -> None:
    seconds = retries.retry_after(header, NOW)
    assert seconds is None or seconds >= 0


def waits(error: Exception, *, times: int = 4, is_token_call: bool = False, **settings: float) -> list[float]:
    """Return the pauses between the attempts of a function that always raises ``error``, without waiting."""
    slept: list[float] = []
    policy = retries.policy(Settings(retries=times, **settings), is_token_call=is_token_call)  # type: ignore[arg-type]
    retrying = tenacity.Retrying(**policy, sleep=slept.append)

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        retrying(fail)
    return slept


def test_retry_after_is_the_pause() -> None:
    assert waits(retries.busy_error("m", 429, {"Retry-After": "17"})) == [17] * 4


def test_pauses_grow_up_to_a_limit() -> None:
    slept = waits(retries.busy_error("m", 503, {}), times=12)
    assert len(slept) == 12
    assert all(0 <= pause <= 30 for pause in slept)
    assert max(slept[6:]) > max(slept[:2]), "1 in 10^9 by chance"


@pytest.mark.parametrize(
    "error",
    [
        AlloincognitoResponseError("cut"),
        AlloincognitoTruncatedError("cut"),
        AlloincognitoBusyError("busy"),
        ValueError(),
    ],
)
def test_no_other_error_is_retried(error: Exception) -> None:
    assert waits(error) == []


def test_zero_retries_is_a_single_attempt() -> None:
    assert waits(retries.busy_error("m", 503, {}), times=0) == []


def test_a_long_retry_after_is_left_to_airflow() -> None:
    assert waits(retries.busy_error("m", 503, {"Retry-After": "301"})) == []
    assert waits(retries.busy_error("m", 503, {"Retry-After": "300"})) == [300] * 4
    assert waits(retries.busy_error("m", 503, {"Retry-After": "inf"})) == []


def test_a_token_call_is_given_up_before_others_time_out() -> None:
    policy = retries.policy(Settings(retries=100, token_call_seconds=0.02), is_token_call=True)
    began = time.monotonic()
    with pytest.raises(AlloincognitoConnectionError):
        tenacity.Retrying(**{**policy, "wait": tenacity.wait_fixed(0.2)})(_busy)
    assert time.monotonic() - began < 10


def _busy() -> None:
    raise retries.busy_error("create", 503, {})


def test_a_rate_limit_is_shared_by_all_threads() -> None:
    rate = retries.RateLimit(1000)
    reserved: list[float] = []
    began = time.monotonic()

    def take() -> None:
        for _ in range(50):
            pause = rate.reserve()
            reserved.append(time.monotonic() + pause)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(reserved) - began >= 199 / 1000


def test_no_rate_limit_means_no_pause() -> None:
    rate = retries.RateLimit(0)
    assert [rate.reserve() for _ in range(3)] == [0, 0, 0]
