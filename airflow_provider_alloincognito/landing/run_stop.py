"""When a run of recordings ends before its last, and how many are fetched at a time until then."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoBusyError,
    AlloincognitoConnectionError,
    AlloincognitoMissingExtraError,
    AlloincognitoPathError,
    AlloincognitoResponseError,
    AlloincognitoRotationError,
    AlloincognitoSettingsError,
    AlloincognitoStoppedError,
    AlloincognitoTargetError,
    AlloincognitoTokenStoreError,
    AlloincognitoTruncatedError,
    rebuild,
)

MOST_IN_A_ROW = 5
"""After so many failures in a row for the same reason, the server is down, or the store takes no files."""
MOST_ALIKE = 20
"""After so many responses in a row that are wrong in the same way, all are, unless something has landed."""
RECOVERY = 0.01
"""By so much each recording that lands raises the number at a time again, after file descriptors have run out."""
_END_AT_ONCE = (
    AlloincognitoAuthError,
    AlloincognitoBusyError,
    AlloincognitoMissingExtraError,
    AlloincognitoSettingsError,
)
_NO_RESPONSE = (
    AlloincognitoConnectionError,
    AlloincognitoRotationError,
    AlloincognitoTokenStoreError,
    AlloincognitoTruncatedError,
)
_RESPONSES = (AlloincognitoApiError, AlloincognitoResponseError)
# HTTP statuses that say nothing of one recording; by 404, servers may say that it is gone.
_WRONG_FOR_ALL = frozenset({301, 302, 303, 307, 308, 403, 405, 422, 501})
_TOO_MANY_OPEN = frozenset({errno.EMFILE, errno.ENFILE})
_NOT_THE_STORE = _TOO_MANY_OPEN | {errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ}


class RunStop:
    """
    Decides whether the whole run ends because of an error, tells its threads, and lets them take turns.

    Any error fails the recording that it occurred in. It also ends the run if all others would fail as well: at once
    if the authorization token is not accepted, a setting is invalid, or the server asks for a long pause; after
    ``MOST_IN_A_ROW`` in a row if there is no whole response or no token pair, or if the store refuses the files; after
    ``MOST_ALIKE`` if none has landed, and what comes is a login page or the like.

    Until the first recording has landed or is unknown to the API, and while failures count, no more are fetched at a
    time than may fail: a store that takes no files costs few downloads, whatever the concurrency.

    :param concurrency: how many recordings are fetched at a time.
    :param stop: set by whoever stops the run from outside, and by the run when it ends early.
    """

    def __init__(self, concurrency: int, stop: threading.Event | None = None) -> None:
        self.stopped = stop or threading.Event()
        """Set once the run has ended, by an error in it or from outside. From then on nothing is sent."""
        self.reason: Exception | None = None
        """The error that ended the run, unless it was stopped from outside."""
        self._has_ended = False
        self._concurrency = concurrency
        self._most: float = concurrency
        self._fetching = 0
        self._is_trusted = False
        self._has_landed = False
        self._alike = 0
        self._last: tuple[object, ...] | None = None
        self._without_response = 0
        self._refused = 0
        self._without_descriptor = 0
        self._changed = threading.Condition()

    def raise_if_stopped(self) -> None:
        """Leave a recording that is neither landed nor failed: the next run lands it."""
        if self.stopped.is_set():
            raise AlloincognitoStoppedError(
                "The run of recordings was stopped before its end. Those that landed are kept: run the task again to "
                "fetch only the others."
            )

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the run goes on."""
        self.stopped.wait(seconds)
        self.raise_if_stopped()

    def end(self) -> None:
        """Tell all threads that the run ends."""
        self._has_ended = self._has_ended or not self.stopped.is_set()
        self.stopped.set()

    def give_back(self) -> None:
        """Clear the event if the run itself has set it: a hook's serves other requests, too."""
        if self._has_ended:
            self.stopped.clear()

    def ends_run(self, error: Exception, text: str) -> bool:
        """
        Count an error of one recording and return whether it ends the run, for the ``reason``.

        :param text: what may be shown of the error.
        """
        with self._changed:
            if isinstance(error, _NO_RESPONSE):
                self._without_response += 1
            elif isinstance(error, _RESPONSES):
                self._without_response = 0
                self._is_trusted = self._is_trusted or isinstance(error, AlloincognitoApiError)
            elif isinstance(error, AlloincognitoTargetError) and not _has_errno(error, _NOT_THE_STORE):
                self._refused += 1
                if self._refused >= MOST_IN_A_ROW:
                    error = AlloincognitoTargetError(
                        f"{self._refused} recordings in a row could not be written, so the run ended without "
                        f"requesting the others. The last error: {text.rstrip('.')}. Run the task again once that is "
                        "fixed: it fetches only what is missing."
                    )
            self._compare(error)
            ends = isinstance(error, _END_AT_ONCE) or self._in_a_row >= MOST_IN_A_ROW
            if self._alike >= MOST_ALIKE and not self._has_landed:
                ends, error = True, _as_wrong_path(error)
            if ends:
                self.reason = self.reason or error
                self.end()
        return ends

    def _compare(self, error: Exception) -> None:
        """Count how many responses in a row have been wrong in the same way."""
        code = getattr(error, "code", None)
        is_wrong = type(error) is AlloincognitoResponseError or code in _WRONG_FOR_ALL
        is_wrong = is_wrong or getattr(error, "path_may_be_wrong", False)
        alike = (type(error), code) if is_wrong else None
        self._alike = 0 if alike is None else self._alike + 1 if alike == self._last else 1
        self._last = alike

    def skipped(self) -> None:
        """Note that a recording has landed in an earlier run."""
        self._has_landed = True

    def landed(self) -> None:
        """Note that the server responds and the store takes files."""
        with self._changed:
            self._is_trusted = self._has_landed = True
            self._without_response = self._refused = self._without_descriptor = 0
            self._most = min(self._concurrency, self._most + RECOVERY)
            self._changed.notify_all()

    def fewer_at_a_time(self, error: Exception) -> bool:
        """Return whether a fetch failed for want of a file descriptor, which fewer at a time leave free."""
        with self._changed:
            if not _has_errno(error, _TOO_MANY_OPEN):
                return False
            self._without_descriptor += 1
            self._most = max(1, self._fetching - 1)
            # Even one at a time may need another try: the one that failed has closed the client's idle connections.
            return self._without_descriptor < self._concurrency + MOST_IN_A_ROW

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until one more recording may be fetched."""
        with self._changed:
            while not self._may_fetch():
                self._changed.wait(0.2)  # the run may be stopped from outside meanwhile
            self._fetching += 1
        try:
            yield
        finally:
            with self._changed:
                self._fetching -= 1
                self._changed.notify_all()

    def _may_fetch(self) -> bool:
        self.raise_if_stopped()
        is_trusted = self._is_trusted and not self._in_a_row
        most = self._most if is_trusted else min(self._most, MOST_IN_A_ROW - self._in_a_row)
        return self._fetching < int(most)

    @property
    def _in_a_row(self) -> int:
        return max(self._without_response, self._refused)


def _as_wrong_path(error: Exception) -> Exception:
    """Return the error for a path that the server lacks, which another try cannot find either, if it is about that."""
    if isinstance(error, AlloincognitoApiError) and error.path_may_be_wrong:
        return rebuild(AlloincognitoPathError, error.args, vars(error))
    return error


def _has_errno(error: BaseException | None, numbers: frozenset[int]) -> bool:
    """Look for a system error among an error and those that it came from."""
    while error is not None:
        if getattr(error, "errno", None) in numbers:
            return True
        error = error.__cause__ or error.__context__
    return False
