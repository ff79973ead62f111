"""The log of a wait for one result, in an operator, the sensor or the trigger."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from airflow_provider_alloincognito.amounts import seconds_text
from airflow_provider_alloincognito.api.log_limit import LogLimit
from airflow_provider_alloincognito.errors import AlloincognitoError
from airflow_provider_alloincognito.scrubbing import scrub_hash

FIRST_LINES = 3
SECONDS_BETWEEN_LINES = 600.0


class Log(Protocol):
    """A logger of the standard library, or of an Airflow 3 task."""

    def info(self, message: str, /, *args: Any) -> Any:
        """Log what the user may want to know."""

    def warning(self, message: str, /, *args: Any) -> Any:
        """Log what the user may have to act on."""


class WaitLog:
    """
    Logs the first polls and failures of a wait, then one every ten minutes, and its end.

    :param log: where the lines go.
    :param first: how many polls are logged at first.
    :param waited: seconds that the wait took before.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        log: Log,
        *,
        first: int = FIRST_LINES,
        waited: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.has_waited = waited > 0
        """Whether the result was not ready at once."""
        self._log = log
        self._clock = clock
        self._began = clock() - waited
        self._pending = LogLimit(first, SECONDS_BETWEEN_LINES, clock)
        self._failed = LogLimit(FIRST_LINES, SECONDS_BETWEEN_LINES, clock)

    def log_pending(self, request_hash: str | None, seconds_left: float, error: AlloincognitoError | None) -> None:
        """
        Log a poll that did not end the wait.

        :param request_hash: the result's, as far as it is known.
        :param seconds_left: until the deadline.
        :param error: why it is not known whether the result is ready.
        """
        name, left = scrub_hash(request_hash), seconds_text(seconds_left)
        after = f" after {self._so_far}" if self.has_waited else ""
        self.has_waited = True
        if error is not None and self._failed.allows():
            self._log.warning("Result %s: polling failed%s and goes on for up to %s: %s", name, after, left, error)
        elif error is None and self._pending.allows():
            self._log.info("Result %s is not ready yet%s. Waiting for up to %s", name, after, left)

    def log_ready(self, request_hash: str | None) -> None:
        """
        Log the end of the wait.

        :param request_hash: the result's, as far as it is known.
        """
        self._log.info("Result %s is ready after %s", scrub_hash(request_hash), self._so_far)

    @property
    def _so_far(self) -> str:
        return seconds_text(self._clock() - self._began)
