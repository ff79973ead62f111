"""The policy of both transports: when a request is sent again, how long to wait before, and how many at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import tenacity

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import (
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoNetworkSetupError,
)

MOST_CONNECTIONS = 64
BUSY_STATUSES = frozenset({429, 502, 503, 504})
# A longer pause is left to Airflow's retry, which does not occupy a worker.
LONGEST_RETRY_AFTER = 300.0
TOKEN_CALL_PATIENCE = 3


def busy_error(method: str, status: int, headers: Mapping[str, str]) -> AlloincognitoConnectionError:
    """Return the error for a status of ``BUSY_STATUSES``."""
    seconds = retry_after(headers.get("Retry-After"), datetime.now(UTC))
    happened = f"{method}: The server is busy (HTTP {status})"
    if seconds is None:
        return AlloincognitoConnectionError(f"{happened}. Try again later.")
    if seconds <= LONGEST_RETRY_AFTER:
        return AlloincognitoConnectionError(
            f"{happened} and asks clients to wait {seconds:.0f} s. Try again after that.", seconds
        )
    return AlloincognitoBusyError(
        f"{happened} and asks clients to wait {seconds:.0f} s, longer than a task waits ({LONGEST_RETRY_AFTER:.0f} "
        "s). The request itself is fine: let Airflow retry the task after that time (the task's retry_delay).",
        seconds,
    )


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds to wait, from a ``Retry-After`` in seconds or as an HTTP date; None if it is neither."""
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
    """Return the arguments of tenacity's ``Retrying`` and ``AsyncRetrying``."""
    stop: Any = tenacity.stop_after_attempt(settings.retries + 1)
    if is_token_call:
        # Other requests wait for it: give up before the right to replace the pair runs out.
        stop = stop | tenacity.stop_after_delay(TOKEN_CALL_PATIENCE * settings.token_call_seconds)
    return {"retry": _may_retry, "stop": stop, "wait": _wait, "reraise": True}


_may_retry = tenacity.retry_all(
    tenacity.retry_if_exception_type(AlloincognitoConnectionError),
    tenacity.retry_if_not_exception_type((AlloincognitoBusyError, AlloincognitoNetworkSetupError)),
)
_backoff = tenacity.wait_random_exponential(multiplier=1, max=30)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    seconds = error.retry_after if isinstance(error, AlloincognitoConnectionError) else None
    return seconds if seconds is not None else float(_backoff(state))


class RateLimit:
    """
    A limit on requests per second, for all threads that share the object.

    :param per_second: 0 is no limit.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._guard = threading.Lock()

    def reserve(self) -> float:
        """Reserve the next free moment, and return the seconds until it."""
        if not self._interval:
            return 0.0
        with self._guard:
            now = time.monotonic()
            moment = max(now, self._next)
            self._next = moment + self._interval
        return moment - now
