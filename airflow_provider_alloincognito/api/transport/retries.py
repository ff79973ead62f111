"""The policy of both transports: which responses pass by themselves, and when a request is sent again."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any, TypeVar

import tenacity

from airflow_provider_alloincognito.amounts import seconds_text
from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.head import AnswerHead
from airflow_provider_alloincognito.api.backoff import backoff
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.transport.pace import Pace, Turn
from airflow_provider_alloincognito.api.transport.stop import Stop
from airflow_provider_alloincognito.errors import (
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoError,
    AlloincognitoSlowError,
    AlloincognitoTruncatedError,
    rebuild,
)

MOST_CONNECTIONS = 64
TOO_MANY = 429
TOO_FAST = frozenset({TOO_MANY, 503})
"""Statuses by which a server says that it has too much to do: all requests pause, then return more slowly."""
PASSING = TOO_FAST | {408, 425, 500, 502, 504, 507, 509, *range(520, 531), 598, 599}
"""Statuses of a gateway, or of a server in trouble, that pass by themselves, unless the API's own error comes along."""
LONGEST_RETRY_AFTER = 300.0
"""A longer pause is left to Airflow's retry, which does not occupy a worker."""
MOST_REJECTIONS = 2
"""How many times more often than ``retries`` one request may be rejected while the server takes others."""

T = TypeVar("T")

_rng = random.Random()
log = logging.getLogger(__name__)


def note_response(settings: Settings, pace: Pace, turn: Turn, head: AnswerHead) -> None:
    """
    Tell the pace what a response says of the server's load, and raise the error of one that passes by itself.

    :param settings: the server's.
    :param pace: the client's.
    :param turn: the request's.
    :param head: the response.
    :raises AlloincognitoConnectionError: for an HTTP status of ``PASSING`` without the API's own error.
    """
    is_obeyed = head.status == TOO_MANY or (head.status in TOO_FAST and head.retry_after is not None)
    if head.status not in PASSING or (verdict.is_own_error(head, settings) and not is_obeyed):
        pace.note_taken()
        return
    error = _busy_error(head.method, head.status, head.retry_after)
    if head.status in TOO_FAST:
        # A pause that is left to Airflow need not hold the other requests: they soon learn of it themselves.
        asked = None if isinstance(error, AlloincognitoBusyError) else error.retry_after
        is_new = pace.note_rejected(turn, asked)
        if is_new and pace.logged_pauses.allows():
            seconds = seconds_text(pace.pause_left)
            log.info("%s: the server is busy (HTTP %d): no requests for %s", head.method, head.status, seconds)
        pace.rejection = rebuild(type(error), error.args, error.__dict__)  # without a traceback, which holds tokens
    raise error


def _busy_error(method: str, status: int, seconds: float | None) -> AlloincognitoConnectionError:
    busy, failed = f"{method}: The server is busy (HTTP {status})", f"{method}: A gateway failed (HTTP {status})"
    happened = busy if status in TOO_FAST else failed
    if seconds is None:
        return AlloincognitoConnectionError(f"{happened}. Try again later.", None, status)
    if seconds <= LONGEST_RETRY_AFTER:
        return AlloincognitoConnectionError(
            f"{happened} and asks clients to wait {seconds:.0f} s. Try again after that.", seconds, status
        )
    return AlloincognitoBusyError(
        f"{happened} and asks clients to wait {seconds:.0f} s, longer than a task waits ({LONGEST_RETRY_AFTER:.0f} "
        "s). The request itself is fine: let Airflow retry the task after that time (the task's retry_delay).",
        seconds,
        status,
    )


def check_time(pace: Pace, method: str, wait: float, stop: Stop) -> None:
    """
    Raise an error if a request's turn comes too late for its deadline.

    :raises AlloincognitoConnectionError: in that case: the one that made all requests pause, if they do.
    """
    if wait < stop.seconds_left:
        return
    if pace.rejection is not None and (pace.pause_left or not pace.has_ceiling):
        raise rebuild(type(pace.rejection), pace.rejection.args, {**pace.rejection.__dict__, "retry_after": wait})
    raise AlloincognitoConnectionError(
        f"{method}: requests_per_second allows the next request in {wait:.0f} s, which is too late for this one. Raise "
        "it in the Connection, or run fewer tasks at a time.",
        wait,
    )


def seconds_for(method: str, settings: Settings, stop: Stop) -> float:
    """
    Return how long one attempt may take in all.

    :raises AlloincognitoSlowError: if no time is left.
    """
    seconds = min(settings.response_timeout, stop.seconds_left)
    if seconds <= 0:
        raise slow_error(method, seconds, settings)
    return seconds


def slow_error(method: str, seconds: float, settings: Settings) -> AlloincognitoSlowError:
    """
    Return the error for a response that did not come whole in time.

    :param seconds: that time. If it is less than ``response_timeout``, a deadline has cut it.
    """
    if seconds < settings.response_timeout:
        return AlloincognitoSlowError(
            f"{method}: No whole response in the {max(0.0, seconds):.0f} s that were left for it. The server or the "
            "network stalls or is too slow: try again later. If create and refresh take that long, raise "
            "pair_request_seconds in the Connection."
        )
    return AlloincognitoSlowError(
        f"{method}: No whole response within {seconds:.0f} s. The server or the network stalls or is too slow: try "
        "again later. If responses really take that long, raise response_timeout in the Connection."
    )


def policy(settings: Settings, pace: Pace, stop: Stop, began: float) -> dict[str, Any]:
    """
    Return the arguments of tenacity's ``Retrying`` and ``AsyncRetrying`` for one request.

    :param settings: the server's.
    :param pace: the client's.
    :param stop: the request's.
    :param began: when it was first sent, by the pace's clock.
    """
    waits: dict[int, float] = {}  # by attempt: the jitter is drawn once

    def wait(state: tenacity.RetryCallState) -> float:
        attempt = state.attempt_number
        return waits.setdefault(attempt, next_wait(_error(state), attempt, pace))

    def gives_up(state: tenacity.RetryCallState) -> bool:
        error = _error(state)
        if _is_rejection(error):
            # A pause is everybody's, and so is what it says of the server.
            used_up = pace.pauses_in_vain > settings.retries
            used_up = used_up or state.attempt_number > MOST_REJECTIONS * (settings.retries + 1)
        elif state.attempt_number > settings.retries:
            used_up = True
            pace.note_given_up(began)
        else:
            used_up = pace.is_down
        used_up = used_up or wait(state) >= stop.seconds_left
        if isinstance(error, AlloincognitoTruncatedError):
            error.retries_used_up = used_up
        return used_up

    def log_retry(state: tenacity.RetryCallState) -> None:
        error = _error(state)
        # After a rejection the pause is logged: it is everybody's.
        if error is not None and not _is_rejection(error) and pace.logged_retries.allows():
            log.warning("%s", retry_text(error, wait(state), state.attempt_number, settings.retries))

    return {
        "retry": tenacity.retry_if_exception(passes),
        "stop": gives_up,
        "wait": wait,
        "before_sleep": log_retry,
        "reraise": True,
    }


def after(failure: AlloincognitoError, attempt: Callable[[], T]) -> Callable[[], T]:
    """
    Return ``attempt`` for tenacity as if it had been made once already, with this failure.

    So the first is made without tenacity, which costs much beside a request that succeeds.
    """
    failures = [failure]  # not kept any longer: it refers to the frames that it came from

    def next_attempt() -> T:
        if failures:
            raise failures.pop()
        return attempt()

    return next_attempt


def retry_text(error: BaseException | None, seconds: float, number: int, most: int) -> str:
    """
    Return the line for a request that is sent again, without what the error advises to do if it fails for good.

    :param error: why.
    :param seconds: when.
    :param number: the number of the retry.
    :param most: how many there may be.
    """
    happened = str(error).partition(". ")[0].rstrip(".")
    return f"{happened}. Sending it again in {seconds_text(seconds)} (retry {number} of {most})"


def passes(error: BaseException) -> bool:
    """Return whether another attempt may succeed without anybody's help, and soon."""
    return isinstance(error, (AlloincognitoConnectionError, AlloincognitoTruncatedError)) and (
        error.transient and not isinstance(error, AlloincognitoBusyError | AlloincognitoSlowError)
    )


def next_wait(error: AlloincognitoError | None, failures: int, pace: Pace) -> float:
    """Return the seconds to wait after so many failures: what the server asks for, or longer."""
    asked = getattr(error, "retry_after", None) or 0.0
    own = 0.0 if _is_rejection(error) else backoff(failures, _rng)  # after a rejection it is in the pace's pause
    return max(asked, own, pace.pause_left)


def _is_rejection(error: AlloincognitoError | None) -> bool:
    return isinstance(error, AlloincognitoConnectionError) and error.status in TOO_FAST


def _error(state: tenacity.RetryCallState) -> AlloincognitoError | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, AlloincognitoError) else None
