"""The sandbox without its server: its state, and what can be done to it from outside the API."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from airflow_provider_alloincognito.sandbox.calls import CallGenerator, row_of
from airflow_provider_alloincognito.sandbox.faults import METHODS, Fault, FaultQueue
from airflow_provider_alloincognito.sandbox.recordings import recording_blocks, recording_size
from airflow_provider_alloincognito.sandbox.request_log import LoggedRequest, RequestLog
from airflow_provider_alloincognito.sandbox.requests import RequestHashes
from airflow_provider_alloincognito.sandbox.rows import RowRenderer
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings
from airflow_provider_alloincognito.sandbox.tokens import Rotation, TokenIssuer

Moment = datetime | date | str


class SandboxState:
    """
    The sandbox without its server.

    :param settings: its settings
    :param changes: settings that differ from ``settings``
    """

    def __init__(self, settings: SandboxSettings | None = None, **changes: Any) -> None:
        self._settings = (settings or SandboxSettings()).but(**changes)
        self._settings_lock = threading.Lock()
        self._began = time.time()
        self.tokens = TokenIssuer(self._settings)
        self.calls = CallGenerator()
        self.calls.check_changes(self._settings)
        self.rows = RowRenderer(self.calls, self._settings.cache_megabytes * 1024 * 1024)
        self.hashes = RequestHashes()
        self.fault_queue = FaultQueue(self._settings.faults, self._settings.seed)
        self.request_log = RequestLog(self._settings.log_limit)
        self._arrivals: deque[float] = deque()

    @property
    def settings(self) -> SandboxSettings:
        """The current settings."""
        return self._settings

    def configure(self, **changes: Any) -> SandboxSettings:
        """
        Change settings while it runs. Lifetimes apply to new tokens; ``faults`` replaces those still to come.

        :param changes: names and new values
        :raises ValueError: a setting is unknown, not valid, or can only be set at the start
        """
        for fixed in ("authorization_token", "log_limit", "cache_megabytes", "admin"):
            if fixed in changes:
                raise ValueError(f"{fixed} can only be set at the start.")
        with self._settings_lock:
            settings = self._settings.but(**changes)
            self.calls.check_changes(settings)
            self._settings = settings
        if "faults" in changes:
            self.fault_queue.replace(self._settings.faults)
        return self._settings

    # Tokens

    @property
    def authorization_token(self) -> str:
        """The current authorization token."""
        return self.tokens.authorization_token

    @property
    def rotations(self) -> list[Rotation]:
        """The token pairs that were made, in order."""
        return self.tokens.rotations

    @property
    def tokens_ever_issued(self) -> list[str]:
        """Every token of any kind that this sandbox issued: what a search for leaks looks for."""
        return self.tokens.ever_issued

    def remake_authorization_token(self) -> str:
        """Make a new authorization token, as the button in the personal account does. All others become invalid."""
        return self.tokens.remake_authorization_token(self._settings)

    def kill_pair(self) -> None:
        """Make a new pair as another program with the same authorization token does: the current one is invalidated."""
        self.tokens.rotate_for_another_program(self._settings)

    def expire_access(self) -> None:
        """Let the access token expire now; its refresh token stays valid."""
        self.tokens.expire_access()

    def expire_pair(self) -> None:
        """Let the access and the refresh token expire now."""
        self.tokens.expire_pair()

    # Requests, faults and hashes

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests since the last ``clear_log``, in order of arrival."""
        return self.request_log.requests

    def count(self, method: str, *, status: int | None = None) -> int:
        """
        Count the requests of a method.

        :param method: its name; ``unknown``: requests to paths of no method
        :param status: only those whose response had this HTTP status
        :raises ValueError: there is no such method
        """
        if method not in (*METHODS, "unknown"):
            raise ValueError(f"There is no method {method!r}; expected one of {', '.join(METHODS)}, unknown.")
        return self.request_log.count(method, status)

    def clear_log(self) -> None:
        """Forget the requests and their counts. Pairs, hashes and rotations stay."""
        self.request_log.clear()

    @property
    def faults(self) -> list[Fault]:
        """The faults still to come."""
        return self.fault_queue.waiting

    def add_fault(self, kind: Fault | str, **fields: Any) -> None:
        """
        Put a fault at the end of the queue.

        :param kind: a fault, or its kind
        :param fields: its other fields
        :raises ValueError: a field is unknown or not valid
        """
        self.fault_queue.add(kind if isinstance(kind, Fault) else Fault.of({"kind": kind, **fields}))

    def clear_faults(self) -> None:
        """Forget the faults still to come."""
        self.fault_queue.replace(())

    def forget_hashes(self) -> None:
        """Forget all request hashes."""
        self.hashes.forget()

    # The truth

    def truth_rows(self, start: Moment, end: Moment) -> Iterator[dict[str, Any]]:
        """
        Return the rows of all calls with ``start <= their start < end``, straight from the generator, one by one.

        ``period_end`` and the time at which a call appears do not matter.

        :param start: without a zone: in the API's. A date is its midnight; text is ISO 8601
        :param end: as ``start``
        """
        settings = self._settings
        period = self.calls.between(settings, self._naive(start), self._naive(end))
        return (row_of(settings, day, call) for day, call in period)

    def truth(self, start: Moment, end: Moment) -> list[dict[str, Any]]:
        """
        Return the rows of ``truth_rows`` as a list.

        :param start: as for ``truth_rows``
        :param end: as for ``truth_rows``
        """
        return list(self.truth_rows(start, end))

    def phone_numbers(self, start: Moment, end: Moment) -> set[str]:
        """
        Return every phone number of a period's calls: what a search for leaks looks for.

        :param start: as for ``truth_rows``
        :param end: as for ``truth_rows``
        """
        period = self.calls.between(self._settings, self._naive(start), self._naive(end))
        return {number for _, call in period for number in (call.caller, call.called)}

    def recording(self, record_file_id: str) -> bytes:
        """
        Return a recording's mp3.

        :param record_file_id: its id, as in a row
        :raises KeyError: the id is unknown
        """
        settings = self._settings
        found = self.calls.find_recording(settings, record_file_id)
        if found is None:
            raise KeyError(record_file_id)
        return b"".join(recording_blocks(record_file_id, recording_size(settings, found[1])))

    def _naive(self, moment: Moment) -> datetime:
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        if not isinstance(moment, datetime):
            return datetime(moment.year, moment.month, moment.day)
        return moment if moment.tzinfo is None else moment.astimezone(self._settings.zone).replace(tzinfo=None)

    # For the methods

    def now(self) -> datetime:
        """Return the time of the clock of the calls, in the API's zone."""
        settings = self._settings
        if settings.clock_start is not None:
            return settings.clock_start + timedelta(seconds=(time.time() - self._began) * settings.clock_speed)
        return datetime.fromtimestamp(time.time() + settings.clock_skew, settings.zone).replace(tzinfo=None)

    def over_the_limit(self) -> bool:
        """Count a request, and return whether it is one too many for its second."""
        limit = self._settings.rate_limit
        if limit is None:
            return False
        now = time.monotonic()
        while self._arrivals and self._arrivals[0] <= now - 1:
            self._arrivals.popleft()
        if len(self._arrivals) >= limit:
            return True
        self._arrivals.append(now)
        return False
