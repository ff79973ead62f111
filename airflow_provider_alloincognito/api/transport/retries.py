"""When a request is sent again, and how long to wait before: one policy for both transports."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import tenacity

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import AlloincognitoBusyError, AlloincognitoConnectionError

BUSY_STATUSES = frozenset({429, 502, 503, 504})
# A server that wants to be left alone for longer had better be asked by Airflow's own retry.
LONGEST_RETRY_AFTER = 300.0
TOKEN_CALL_PATIENCE = 3


class Unanswered(AlloincognitoConnectionError):
    """A request that got no answer, or "busy", and may be sent again."""


def busy(method: str, status: int, headers: Mapping[str, str]) -> AlloincognitoConnectionError:
    """The error for a status out of ``BUSY_STATUSES``."""
    after = retry_after(headers.get("Retry-After"), datetime.now(UTC))
    said = f"{method}: the server is busy (HTTP status {status})"
    if after is None:
        return Unanswered(f"{said}.")
    if after <= LONGEST_RETRY_AFTER:
        return Unanswered(f"{said} and asks to wait {after:.0f} s.", after)
    return AlloincognitoBusyError(
        f"{said} and asks to wait {after:.0f} s, longer than a task waits for it ({LONGEST_RETRY_AFTER:.0f} s). The "
        "request itself is not at fault: let Airflow's retry ask again after that time (the task's retry_delay).",
        after,
    )


def no_answer(method: str, server: str, error: Exception) -> Unanswered:
    """The error for a connection fault; the fault's own text may quote a URL, so only its kind is told."""
    return Unanswered(
        f"{method}: no answer from {server} ({type(error).__name__}). Is it reachable from this worker (firewall, "
        "proxy, port 4431), and are the Connection's timeout and verify right?"
    )


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds to wait, from a ``Retry-After`` in seconds or as an HTTP date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def policy(settings: Settings, *, is_token_call: bool) -> dict[str, Any]:
    """The arguments of tenacity's ``Retrying`` and ``AsyncRetrying``."""
    stop: Any = tenacity.stop_after_attempt(settings.retries + 1)
    if is_token_call:
        # Others wait for it: it is given up before the right to replace the pair runs out.
        stop = stop | tenacity.stop_after_delay(TOKEN_CALL_PATIENCE * settings.token_call_seconds)
    return {
        "retry": tenacity.retry_if_exception_type(Unanswered),
        "stop": stop,
        "wait": _wait,
        "reraise": True,
    }


_backoff = tenacity.wait_random_exponential(multiplier=1, max=30)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Unanswered) else None
    return asked if asked is not None else float(_backoff(state))


class RateLimit:
    """
    A ceiling on requests per second, shared by whoever shares the object.

    :param per_second: 0 is no ceiling.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._guard = threading.Lock()

    def reserve(self) -> float:
        """Take the next free moment; gives the seconds until it."""
        if not self._interval:
            return 0.0
        with self._guard:
            now = time.monotonic()
            moment = max(now, self._next)
            self._next = moment + self._interval
        return moment - now
