"""The progress of a long run, logged by a thread of its own: at first every few seconds, then less often."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

from airflow_provider_alloincognito.amounts import bytes_text, seconds_text

FIRST_SECONDS, MOST_SECONDS, GROWTH = 5.0, 60.0, 1.5
"""From one line to the next: at first, at most, and how it grows."""


class Progress:
    """
    Counts recordings and bytes, from any thread. Within a ``with``, a thread logs them now and then.

    :param total: how many recordings there will be; None if that is not known.
    :param clock: monotonic seconds.
    :param wait: waits for some seconds, and returns whether the run has ended; waits for the end of the ``with`` by
        default.
    """

    def __init__(
        self,
        log: logging.Logger,
        total: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._log = log
        self._total = total
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._done = 0
        self._bytes = 0
        self._before = (self._began, 0, 0)  # time, recordings and bytes at the line before
        self._ended = threading.Event()
        self._wait = wait or self._ended.wait
        self._thread = threading.Thread(target=self._log_repeatedly, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _log_repeatedly(self) -> None:
        seconds = FIRST_SECONDS
        while not self._wait(seconds):
            self._log.info("%s", self.text())
            seconds = min(seconds * GROWTH, MOST_SECONDS)

    def add_bytes(self, count: int) -> None:
        """Count bytes that have arrived."""
        with self._lock:
            self._bytes += count

    def add_recording(self) -> None:
        """Count a recording that has landed, was skipped or has failed."""
        with self._lock:
            self._done += 1

    @property
    def so_far(self) -> str:
        """Recordings, bytes and time since the start, as a text."""
        return ", ".join((*self._counts(), seconds_text(self._clock() - self._began)))

    @property
    def received(self) -> str:
        """Bytes that have arrived and the time that it took, as a text."""
        return f"{bytes_text(self._bytes)} in {seconds_text(self._clock() - self._began)}"

    def text(self) -> str:
        """Return the progress as a text. Its rates, and the time left, are those since the text before."""
        return f"Recordings: {', '.join((*self._counts(), *self._rates()))}"

    def _counts(self) -> Iterator[str]:
        of_total = f" of {self._total:,} ({100 * self._done // self._total} %)" if self._total else ""
        yield f"{self._done:,}{of_total}"
        yield bytes_text(self._bytes)

    def _rates(self) -> Iterator[str]:
        now = (self._clock(), self._done, self._bytes)
        seconds, done, size = (after - before for after, before in zip(now, self._before, strict=True))
        self._before = now
        seconds = max(seconds, 1e-3)
        rate = done / seconds
        yield f"{bytes_text(round(size / seconds))}/s"
        yield f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.1f} a second"
        if self._total is not None and rate:
            yield f"{seconds_text((self._total - self._done) / rate)} left"
