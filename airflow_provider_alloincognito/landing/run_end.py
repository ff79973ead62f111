"""What ends a run of many recordings, and what is only the matter of one."""

from __future__ import annotations

import threading

from airflow_provider_alloincognito.api.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoResponseError,
)

FEWEST_UNANSWERED = 5
"""So many recordings in a row must get no answer, or more if more are fetched at a time, for the stand to be down."""

_AT_ONCE = (AlloincognitoAuthError, AlloincognitoBusyError)
_ANSWERS = (AlloincognitoApiError, AlloincognitoResponseError)


class RunEnd:
    """
    Ends a run by what the next recording would meet as well: a rejected token, a stand that rests or is down.

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
        """The stand has answered: it is not down."""
        with self._guard:
            self._unanswered = 0
