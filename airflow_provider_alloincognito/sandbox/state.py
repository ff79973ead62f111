"""All that the sandbox knows at a moment, and what may be done to it from outside the API."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from airflow_provider_alloincognito.sandbox.calls import CallGenerator, row_of
from airflow_provider_alloincognito.sandbox.faults import Fault, FaultQueue
from airflow_provider_alloincognito.sandbox.recordings import recording_pieces, recording_size
from airflow_provider_alloincognito.sandbox.requests import Journal, LoggedRequest, RequestHashes
from airflow_provider_alloincognito.sandbox.rows import RowRenderer
from airflow_provider_alloincognito.sandbox.settings import METHODS, SandboxSettings
from airflow_provider_alloincognito.sandbox.tokens import Rotation, TokenIssuer

Moment = datetime | date | str


class SandboxState:
    """
    The sandbox without its server.

    :param settings: its knobs
    :param knobs: knobs that differ from ``settings``
    """

    def __init__(self, settings: SandboxSettings | None = None, **knobs: Any) -> None:
        self._settings = (settings or SandboxSettings()).but(**knobs)
        self._settings_lock = threading.Lock()
        self.desk = TokenIssuer(self._settings)
        self.calls = CallGenerator()
        self.rows = RowRenderer(self.calls, self._settings.cache_megabytes * 1024 * 1024)
        self.hashes = RequestHashes()
        self.fault_queue = FaultQueue(self._settings.faults, self._settings.seed)
        self.journal = Journal(self._settings.log_limit)
        self._arrivals: deque[float] = deque()

    @property
    def settings(self) -> SandboxSettings:
        """The settings of this moment."""
        return self._settings

    def configure(self, **knobs: Any) -> SandboxSettings:
        """
        Change knobs while it runs. Lifetimes hold for tokens issued from now on; ``faults`` replaces those waiting.

        :param knobs: names and new values
        """
        for fixed in ("authorization_token", "log_limit", "cache_megabytes", "admin"):
            if fixed in knobs:
                raise ValueError(f"{fixed} can only be set at the start")
        with self._settings_lock:
            self._settings = self._settings.but(**knobs)
        if "faults" in knobs:
            self.fault_queue.replace(self._settings.faults)
        return self._settings

    # Tokens

    @property
    def authorization_token(self) -> str:
        """The authorization token that is valid now."""
        return self.desk.authorization_token

    @property
    def rotations(self) -> list[Rotation]:
        """The pairs that came to be, and by what."""
        return self.desk.rotations

    @property
    def tokens_ever_issued(self) -> list[str]:
        """Every token of any kind that this sandbox ever issued: what a search for leaks looks for."""
        return self.desk.ever_issued

    def remake_authorization_token(self) -> str:
        """Do as the personal account's button does: a new authorization token; every other token is dead."""
        return self.desk.remake_authorization_token(self._settings)

    def kill_pair(self) -> None:
        """Do as a stranger with the same authorization token does: make a pair, which kills the one in use."""
        self.desk.kill_pair(self._settings)

    def expire_access(self) -> None:
        """End the access token's life now; its refresh token lives on."""
        self.desk.expire_access()

    def expire_pair(self) -> None:
        """End the life of the access and of the refresh token now."""
        self.desk.expire_pair()

    # What was asked

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests since the last ``clear_log``, in order of arrival."""
        return self.journal.requests

    def count(self, method: str, *, status: int | None = None) -> int:
        """
        Count the requests of a method.

        :param method: its name; ``unknown``: requests to no method's path
        :param status: only those answered with this HTTP status
        """
        if method not in (*METHODS, "unknown"):
            raise ValueError(f"no method {method!r}; expected one of {', '.join(METHODS)}, unknown")
        return self.journal.count(method, status)

    def clear_log(self) -> None:
        """Forget the requests and their counts. Pairs, hashes and rotations stay."""
        self.journal.clear()

    # Faults and hashes

    @property
    def faults(self) -> list[Fault]:
        """The faults still to come."""
        return self.fault_queue.waiting

    def add_fault(self, kind: Fault | str, **fields: Any) -> None:
        """
        Put a fault at the end of the queue.

        :param kind: a fault, or its kind
        :param fields: its other fields
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
        Give the rows of all calls with ``start <= their start < end``, straight from the generator, one by one.

        Neither ``period_end`` nor the time when a call appears has a part in it.

        :param start: without a zone: in the API's. A date is its midnight; text is ISO 8601
        :param end: so too
        """
        settings = self._settings
        for day, call in self.calls.between(settings, self._naive(start), self._naive(end)):
            yield row_of(settings, day, call)

    def truth(self, start: Moment, end: Moment) -> list[dict[str, Any]]:
        """
        Give the rows of ``truth_rows`` as a list.

        :param start: as there
        :param end: as there
        """
        return list(self.truth_rows(start, end))

    def phone_numbers(self, start: Moment, end: Moment) -> set[str]:
        """
        Give every phone number of a period's calls: what a search for leaks looks for.

        :param start: as for ``truth_rows``
        :param end: as for ``truth_rows``
        """
        period = self.calls.between(self._settings, self._naive(start), self._naive(end))
        return {number for _, call in period for number in (call.caller, call.called)}

    def recording(self, record_file_id: str) -> bytes:
        """
        Give a recording's mp3.

        :param record_file_id: its id, as a row has it; KeyError for an unknown one
        """
        settings = self._settings
        found = self.calls.find_recording(settings, record_file_id)
        if found is None:
            raise KeyError(record_file_id)
        return b"".join(recording_pieces(record_file_id, recording_size(settings, found[1])))

    def _naive(self, moment: Moment) -> datetime:
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        if not isinstance(moment, datetime):
            return datetime(moment.year, moment.month, moment.day)
        return moment if moment.tzinfo is None else moment.astimezone(self._settings.zone).replace(tzinfo=None)

    # For the methods

    def now(self) -> datetime:
        """Give the server's clock, in the API's zone."""
        settings = self._settings
        return datetime.fromtimestamp(time.time() + settings.clock_skew, settings.zone).replace(tzinfo=None)

    def over_the_limit(self) -> bool:
        """Count a request that has come, and tell whether it is one too many for its second."""
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
