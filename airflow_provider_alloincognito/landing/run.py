"""How far a long run is, in the log, every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoResponseError,
)

LOG_SECONDS = 5.0


class Log(Protocol):
    """What is needed of a logger: Python's or Airflow's."""

    def info(self, msg: str, *args: object) -> object:
        """Say how it goes."""

    def warning(self, msg: str, *args: object) -> object:
        """Say what went wrong."""


class Progress:
    """
    Counts recordings and bytes, from any thread. A context manager: within it, a thread of its own logs.

    :param total: how many recordings there will be; None if nobody knows.
    """

    def __init__(self, log: Log, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._total = total
        self._clock = clock
        self._lock = threading.Lock()
        self._start = clock()
        self._done = 0
        self._bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._log_now_and_then, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _log_now_and_then(self) -> None:
        while not self._ended.wait(LOG_SECONDS):
            self._log.info("%s", self.text())

    def add_bytes(self, count: int) -> None:
        """Count bytes that have arrived."""
        with self._lock:
            self._bytes += count

    def add_recording(self) -> None:
        """Count a recording that is done with, however it ended."""
        with self._lock:
            self._done += 1

    def text(self) -> str:
        """Say how far it is: recordings, megabytes, rate, time left."""
        seconds = max(self._clock() - self._start, 1e-3)
        of_total = "" if self._total is None else f" of {self._total}"
        megabytes = self._bytes / 1e6
        said = f"Recordings: {self._done}{of_total}, {megabytes:.1f} MB, {megabytes / seconds:.1f} MB/s"
        if self._total is not None and 0 < self._done < self._total:
            left = seconds / self._done * (self._total - self._done)
            minutes, seconds_left = divmod(round(left), 60)
            said += f", about {minutes} min {seconds_left:02} s left"
        return said


FEWEST_UNANSWERED = 5
"""So many recordings in a row must get no answer, or more if more are fetched at a time, for the server to be down."""

_AT_ONCE = (AlloincognitoAuthError, AlloincognitoBusyError)
_ANSWERS = (AlloincognitoApiError, AlloincognitoResponseError)


class RunStop:
    """
    Ends a run by what the next recording would meet as well: a rejected token, a server that rests or is down.

    :param concurrency: how many recordings are fetched at a time.
    """

    def __init__(self, concurrency: int) -> None:
        self.stop = threading.Event()
        """Set once the run has ended, by an error or from outside."""
        self.reason: Exception | None = None
        """The error that the run ended by."""
        self._most_unanswered = max(concurrency, FEWEST_UNANSWERED)
        self._unanswered = 0
        self._guard = threading.Lock()

    def comes_with(self, error: Exception) -> bool:
        """Take note of what one recording failed with, and say whether the run ends by it; if so, it is stopped."""
        with self._guard:
            if isinstance(error, AlloincognitoConnectionError):
                self._unanswered += 1
            elif isinstance(error, _ANSWERS):
                self._unanswered = 0
            ends = isinstance(error, _AT_ONCE) or self._unanswered >= self._most_unanswered
            if ends:
                self.reason = self.reason or error
                self.stop.set()
        return ends

    def note_answer(self) -> None:
        """The server has answered: it is not down."""
        with self._guard:
            self._unanswered = 0
