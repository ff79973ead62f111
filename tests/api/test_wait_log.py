"""The lines about a wait: one when it begins, few while it lasts, one when it ends; code: api/wait_log.py."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_alloincognito.api.wait_log import WaitLog
from airflow_provider_alloincognito.errors import AlloincognitoConnectionError, AlloincognitoError

log = logging.getLogger(__name__)
BUSY = AlloincognitoConnectionError(
    "getrequestresultbyhash: The server is busy (HTTP 503). Try again later.", None, 503
)


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def wait(seconds: int, *, every: int = 30, error: AlloincognitoError | None = None, first: int = 3) -> WaitLog:
    """Poll for so long, in simulated time."""
    now = 0.0
    wait_log = WaitLog(log, first=first, clock=lambda: now)
    while now < seconds:
        wait_log.log_pending("h==", 3600 - now, error)
        now += every
    return wait_log


def test_a_short_wait(caplog: pytest.LogCaptureFixture) -> None:
    wait(90).log_ready("h==")
    assert caplog.messages == [
        "Result h== is not ready yet. Waiting for up to 1 h",
        "Result h== is not ready yet after 30 s. Waiting for up to 59 min 30 s",
        "Result h== is not ready yet after 1 min. Waiting for up to 59 min",
        "Result h== is ready after 1 min 30 s",
    ]


@pytest.mark.parametrize("error", [None, BUSY])
def test_an_hour_of_polls_takes_few_lines(caplog: pytest.LogCaptureFixture, error: AlloincognitoError | None) -> None:
    wait(3600, error=error)
    assert 7 <= len(caplog.messages) <= 9


def test_a_trigger_is_one_of_many(caplog: pytest.LogCaptureFixture) -> None:
    wait(540, first=0)
    assert caplog.messages == []
    wait(1260, first=0)
    assert len(caplog.messages) == 2


def test_an_error_says_why(caplog: pytest.LogCaptureFixture) -> None:
    wait(60, error=BUSY)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert caplog.messages[0] == f"Result h==: polling failed and goes on for up to 1 h: {BUSY}"


def test_an_error_is_not_held_back_by_polls_before(caplog: pytest.LogCaptureFixture) -> None:
    wait_log = wait(300)
    wait_log.log_pending("h==", 3300, BUSY)
    assert "HTTP 503" in caplog.messages[-1]


def test_no_number_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    WaitLog(log).log_pending("79161234567", 60, None)
    WaitLog(log).log_ready("+7 (916) 123-45-67")
    assert "1234567" not in caplog.text
    assert caplog.text.count("<number>") == 2
