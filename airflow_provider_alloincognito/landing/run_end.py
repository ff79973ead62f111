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
        self.reason: Exception | None = None
        self._most_unanswered = max(concurrency, FEWEST_UNANSWERED)
        self._unanswered = 0
        self._guard = threading.Lock()

    def comes_with(self, error: Exception) -> bool:
        """Whether the run ends by this error of one recording; if so, it is stopped."""
        if not self._is_met_by_all(error):
            return False
        with self._guard:
            self.reason = self.reason or error
        self.stop.set()
        return True

    def note_answer(self) -> None:
        """The stand has answered: it is not down."""
        self._unanswered = 0

    def _is_met_by_all(self, error: Exception) -> bool:
        if isinstance(error, AlloincognitoConnectionError) and not isinstance(error, _AT_ONCE):
            with self._guard:
                self._unanswered += 1
                return self._unanswered >= self._most_unanswered
        if isinstance(error, _ANSWERS):
            self.note_answer()
        return isinstance(error, _AT_ONCE)
