"""
A run that lands many recordings: which errors end it, and the progress that it logs.

Any error fails at least the recording that it occurred in. Decided here alone: it also ends the run at once if all
other recordings would fail as well. These errors are

- ``AlloincognitoAuthError``: the authorization token is not accepted;
- ``AlloincognitoBusyError``: the server asks for a long pause;
- ``AlloincognitoConnectionError`` from so many recordings in a row that the server must be down.

After any other error, such as an unknown id or a file that cannot be written, the run continues.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Self

from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoResponseError,
)

FEWEST_WITHOUT_RESPONSE = 5
"""The server is down if so many recordings in a row get no response, or more if more are fetched at a time."""
LOG_SECONDS = 5.0

_END_AT_ONCE = (AlloincognitoAuthError, AlloincognitoBusyError)
_RESPONSES = (AlloincognitoApiError, AlloincognitoResponseError)


class RunStop:
    """
    Decides whether a run ends, and tells its threads.

    :param concurrency: how many recordings are fetched at a time.
    """

    def __init__(self, concurrency: int) -> None:
        self.stopped = threading.Event()
        """Set once the run has ended, by an error in it or from outside."""
        self.reason: Exception | None = None
        """The error that ended the run."""
        self._limit = max(concurrency, FEWEST_WITHOUT_RESPONSE)
        self._without_response = 0
        self._lock = threading.Lock()

    def ends_run(self, error: Exception) -> bool:
        """Count an error of one recording and return whether it ends the run."""
        with self._lock:
            if isinstance(error, AlloincognitoConnectionError):
                self._without_response += 1
            elif isinstance(error, _RESPONSES):
                self._without_response = 0
            ends = isinstance(error, _END_AT_ONCE) or self._without_response >= self._limit
            if ends:
                self.reason = self.reason or error
                self.stopped.set()
        return ends

    def server_responded(self) -> None:
        """Note that the server is not down."""
        with self._lock:
            self._without_response = 0


class Progress:
    """
    Counts recordings and bytes, from any thread. Within a ``with``, a thread logs them every few seconds.

    :param total: how many recordings there will be; None if that is not known.
    """

    def __init__(self, log: logging.Logger, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._total = total
        self._clock = clock
        self._lock = threading.Lock()
        self._start = clock()
        self._done = 0
        self._bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._log_repeatedly, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _log_repeatedly(self) -> None:
        while not self._ended.wait(LOG_SECONDS):
            self._log.info("%s", self.text())

    def add_bytes(self, count: int) -> None:
        """Count bytes that have arrived."""
        with self._lock:
            self._bytes += count

    def add_recording(self) -> None:
        """Count a recording that has landed, was skipped or has failed."""
        with self._lock:
            self._done += 1

    def text(self) -> str:
        """Return the progress as a text: recordings, megabytes, rate, time left."""
        seconds = max(self._clock() - self._start, 1e-3)
        of_total = "" if self._total is None else f" of {self._total}"
        megabytes = self._bytes / 1e6
        text = f"Recordings: {self._done}{of_total}, {megabytes:.1f} MB, {megabytes / seconds:.1f} MB/s"
        if self._total is not None and 0 < self._done < self._total:
            minutes, seconds_left = divmod(round(seconds / self._done * (self._total - self._done)), 60)
            text += f", about {minutes} min {seconds_left:02} s left"
        return text
