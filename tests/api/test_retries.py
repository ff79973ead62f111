"""Which responses and errors pass by themselves, and when a request is sent again: ``api/transport/retries.py``."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import Any

import pytest
import tenacity

from airflow_provider_alloincognito.amounts import seconds_text
from airflow_provider_alloincognito.api.answer.head import AnswerHead
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.transport import retries
from airflow_provider_alloincognito.api.transport.pace import Pace
from airflow_provider_alloincognito.api.transport.stop import Stop
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoResponseError,
    AlloincognitoSlowError,
    AlloincognitoTruncatedError,
)

PAGE = b"<html><h1>Sorry</h1></html>"
OWN_ERROR = b'{"error": {"errorCode": 17, "errorMessage": "blocked"}}'
NO_RESPONSE = AlloincognitoConnectionError("No response.")


class Attempts:
    """Attempts in simulated time: each sleep only moves the clock on."""

    def __init__(self, times: int = 4, left: float = float("inf")) -> None:
        self.now = time.monotonic()
        self.slept: list[float] = []
        self.pace = Pace(clock=lambda: self.now)
        self._settings = Settings(retries=times)
        self._stop = Stop(threading.Event(), self.now + left)

    def make(self, *outcomes: Exception | tuple[int, dict[str, str], bytes]) -> None:
        """Make attempts until one succeeds; each meets the next of ``outcomes``, the last ones the last."""
        left = list(outcomes)

        def attempt() -> None:
            turn = self.pace.turn()
            while wait := turn.seconds_left():
                self.now += wait
            outcome = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(outcome, Exception):
                raise outcome
            retries.note_response(self._settings, self.pace, turn, head(*outcome))

        policy = retries.policy(self._settings, self.pace, self._stop, self.now)
        tenacity.Retrying(**policy, sleep=self._sleep)(attempt)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def head(status: int, headers: dict[str, str], body: bytes) -> AnswerHead:
    answer = AnswerHead("getcalllist", status, headers, Settings(), is_small=True)
    answer.feed(body)
    answer.finish()
    return answer


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 522, 524])
def test_a_gateways_error_passes(status: int) -> None:
    attempts = Attempts()
    attempts.make((status, {}, PAGE), (200, {}, b"{}"))
    assert len(attempts.slept) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_other_statuses_are_judged_elsewhere(status: int) -> None:
    attempts = Attempts()
    attempts.make((status, {}, PAGE))
    assert attempts.slept == []


@pytest.mark.parametrize("status", [500, 502, 503])
def test_the_apis_own_error_does_not_pass_whatever_its_status(status: int) -> None:
    attempts = Attempts()
    attempts.make((status, {}, OWN_ERROR))
    assert attempts.slept == []


@pytest.mark.parametrize(("status", "headers"), [(429, {}), (503, {"Retry-After": "1"})])
def test_what_a_server_says_by_the_status_is_obeyed_whatever_the_body(status: int, headers: dict[str, str]) -> None:
    attempts = Attempts()
    attempts.make((status, headers, OWN_ERROR), (200, {}, b"{}"))
    assert len(attempts.slept) == 1


@pytest.mark.parametrize("body", [b'{"error": "no healthy upstream"}', b'{"status": 503, "error": "Unavailable"}'])
def test_a_gateways_error_in_json_is_not_the_apis(body: bytes) -> None:
    attempts = Attempts()
    attempts.make((503, {}, body), (200, {}, b"{}"))
    assert len(attempts.slept) == 1


def test_retry_after_is_the_shortest_pause() -> None:
    attempts = Attempts()
    with pytest.raises(AlloincognitoConnectionError, match="wait 17 s") as raised:
        attempts.make((429, {"Retry-After": "17"}, b""))
    assert len(attempts.slept) == 4
    assert all(17 <= seconds <= 18 for seconds in attempts.slept)
    assert raised.value.retry_after == 17
    assert raised.value.status == 429


def test_a_short_retry_after_does_not_replace_the_backoff() -> None:
    attempts = Attempts()
    with pytest.raises(AlloincognitoConnectionError):
        attempts.make((503, {"Retry-After": "0"}, b""))
    assert attempts.slept == sorted(attempts.slept)
    assert attempts.slept[0] >= 0.75
    assert attempts.slept[-1] >= 6


@pytest.mark.parametrize("error", [NO_RESPONSE, AlloincognitoTruncatedError("cut")])
def test_a_connection_that_failed_or_broke_is_tried_again_after_growing_pauses(error: Exception) -> None:
    attempts = Attempts(times=8)
    with pytest.raises(type(error)):
        attempts.make(error)
    assert len(attempts.slept) == 8
    assert attempts.slept[:4] == sorted(attempts.slept[:4])
    assert max(attempts.slept) <= 30


@pytest.mark.parametrize(
    "error",
    [
        AlloincognitoApiError("getcalllist", 17, "blocked"),
        AlloincognitoResponseError("no JSON"),
        AlloincognitoBusyError("busy"),
        AlloincognitoSlowError("slow"),
        ValueError(),
    ],
)
def test_no_other_error_is_tried_again(error: Exception) -> None:
    attempts = Attempts()
    with pytest.raises(type(error)):
        attempts.make(error)
    assert attempts.slept == []


@pytest.mark.parametrize("outcome", [NO_RESPONSE, (503, {}, b"")])
def test_zero_retries_is_a_single_attempt(outcome: Any) -> None:
    attempts = Attempts(times=0)
    with pytest.raises(AlloincognitoConnectionError):
        attempts.make(outcome)
    assert attempts.slept == []


def test_a_long_retry_after_is_left_to_airflow() -> None:
    attempts = Attempts()
    with pytest.raises(AlloincognitoBusyError, match="retry_delay"):
        attempts.make((503, {"Retry-After": "301"}, b""))
    assert attempts.slept == []


@pytest.mark.parametrize("outcome", [(429, {"Retry-After": "15"}, b""), NO_RESPONSE])
def test_no_pause_outlasts_the_deadline(outcome: Any) -> None:
    attempts = Attempts(times=40, left=0.5)
    with pytest.raises(AlloincognitoConnectionError):
        attempts.make(outcome)
    assert attempts.slept == []


def test_what_one_request_found_out_others_need_not() -> None:
    """A server that is down is found once, not by each thread after retries of its own; a response ends that."""
    attempts = Attempts()
    for expected in (4, 0):
        attempts.slept.clear()
        with pytest.raises(AlloincognitoConnectionError):
            attempts.make(NO_RESPONSE)
        assert len(attempts.slept) == expected
    attempts.make((200, {}, b"{}"))
    with pytest.raises(AlloincognitoConnectionError):
        attempts.make(NO_RESPONSE)
    assert len(attempts.slept) == 4


def test_rejections_do_not_use_up_the_retries_while_the_server_takes_other_requests() -> None:
    attempts = Attempts(times=1)

    def others_are_taken(seconds: float) -> None:
        attempts._sleep(seconds)
        attempts.pace.note_taken()

    policy = retries.policy(Settings(retries=1), attempts.pace, Stop(threading.Event()), attempts.now)
    sent = 0

    def attempt() -> None:
        nonlocal sent
        sent += 1
        turn = attempts.pace.turn()
        while wait := turn.seconds_left():
            attempts.now += wait
        retries.note_response(Settings(), attempts.pace, turn, head(429 if sent < 5 else 200, {}, b"{}"))

    tenacity.Retrying(**policy, sleep=others_are_taken)(attempt)
    assert sent == 5


def test_a_retry_is_one_line_without_advice(caplog: pytest.LogCaptureFixture) -> None:
    reason = "getcalllist: No response from https://server:4431 (connection refused)"
    error = AlloincognitoConnectionError(f"{reason}. Check that this worker can reach it (firewall, proxy, port 4431).")
    attempts = Attempts(times=2)
    attempts.make(error, error, (200, {}, b"{}"))
    waits = [seconds_text(seconds) for seconds in attempts.slept]
    assert caplog.messages == [
        f"{reason}. Sending it again in {wait} (retry {number} of 2)" for number, wait in enumerate(waits, start=1)
    ]


def test_a_pause_is_one_line_for_all_requests(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    attempts = Attempts()
    turns = [attempts.pace.turn() for _ in range(3)]
    assert not any(turn.seconds_left() for turn in turns)
    for turn in turns:
        with pytest.raises(AlloincognitoConnectionError):
            retries.note_response(Settings(), attempts.pace, turn, head(429, {"Retry-After": "20"}, b""))
    assert len(caplog.messages) == 1
    assert re.fullmatch(r"\w+: the server is busy \(HTTP 429\): no requests for 2[01] s", caplog.messages[0])


def test_a_server_in_trouble_for_an_hour_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    attempts = Attempts(times=400)
    for status in (429, 502):
        caplog.clear()
        began = attempts.now
        with pytest.raises(AlloincognitoConnectionError):
            attempts.make((status, {}, b""))
        assert 10 < len(caplog.messages) < 12 + (attempts.now - began) / 60
        assert len(caplog.messages) < 0.6 * len(attempts.slept)
        attempts.slept.clear()
