"""The progress of a long run, logged every few seconds by a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Self

LOG_SECONDS = 5.0


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
