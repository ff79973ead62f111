"""When to give up: one notion for every wait and every attempt that serves one caller."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future, wait
from typing import Any

from airflow_provider_alloincognito.errors import AlloincognitoStoppedError

LONGEST_UNHEARD = 0.1
"""Seconds after which a wait for a future, which cannot hear of the event, looks at it."""


class Stop:
    """
    Ends waits and keeps attempts from being made: at once when the task is stopped, or when the deadline has passed.

    :param stopped: set when the task is stopped; shared by all threads of the task.
    :param deadline: monotonic seconds at which the caller no longer needs the response.
    """

    def __init__(self, stopped: threading.Event, deadline: float = math.inf) -> None:
        self.stopped = stopped
        self.deadline = deadline

    def until(self, deadline: float) -> Stop:
        """Return the same with a deadline that is not later than this one."""
        return Stop(self.stopped, min(deadline, self.deadline))

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def check(self) -> None:
        """
        Raise an error if the task was stopped.

        :raises AlloincognitoStoppedError: in that case.
        """
        if self.stopped.is_set():
            raise AlloincognitoStoppedError("The task was stopped, so nothing more is requested.")

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the deadline; raise an error as soon as the task is stopped."""
        self.stopped.wait(max(0.0, min(seconds, self.seconds_left)))
        self.check()

    def join(self, future: Future[Any], seconds: float) -> None:
        """Wait for a future in the same way."""
        ends = time.monotonic() + min(seconds, self.seconds_left)
        while not future.done() and (left := ends - time.monotonic()) > 0:
            wait([future], min(left, LONGEST_UNHEARD))
            self.check()
