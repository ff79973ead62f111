"""What a task's log says at its start and at its end: what it asks of whom, what landed, and what that took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.amounts import bytes_text, seconds_text
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.times import to_api
from airflow_provider_alloincognito.api.wait_log import Log
from airflow_provider_alloincognito.scrubbing import scrub, scrub_hash

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.transport.tally import Reason, Tally
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
    from airflow_provider_alloincognito.landing.rewriting import Rewriting

MOST_HASHES = 3
SHORTEST_WAIT = 0.05
DIRECTIONS = {0: "", 1: "outgoing ", 2: "incoming "}
UTC_ZONE = ZoneInfo("UTC")
WAITS: dict[Reason, str] = {
    "token pair": "waiting for a token pair",
    "responses": "waiting for responses",
    "pauses": "in pauses",
    "polls": "between polls",
}


class TaskLog:
    """
    Logs the start and the end of a task. Nothing that it logs is personal data.

    :param log: the operator's.
    :param hook: the operator's.
    :param is_resumed: whether the task goes on after a deferral: then its start has been logged.
    """

    def __init__(self, log: Log, hook: AlloincognitoHook, *, is_resumed: bool = False) -> None:
        self._log = log
        self._hook = hook
        self._is_resumed = is_resumed
        self._began = time.monotonic()

    def log_call_list(self, query: CallListQuery, requests: int, target: object, rewriting: Rewriting) -> None:
        """
        Log the start of a task that requests calls.

        :param query: what it requests.
        :param requests: how many requests its period is split into.
        :param target: the file; None if nothing lands.
        :param rewriting: what is changed in the rows.
        """
        if self._is_resumed:
            return
        split = f", in {requests:,} requests" if requests > 1 else ""
        self._log_start("Requesting calls")
        self._log.info("Period: %s%s", period_text(query, self._hook.settings.zone), split)
        self._log.info("Filter: %s", filter_text(query))
        self._log.info("Target: %s", target or "none, since output_path is not given; only the requestHash is kept")
        self._log_rewriting(rewriting)

    def log_recordings(self, source: object, target: object) -> None:
        """
        Log the start of a task that fetches recordings.

        :param source: the file of calls with their ids; None if the ids are a list.
        :param target: the folder.
        """
        self._log_start("Fetching recordings")
        self._log.info("Source: %s", source or "record_file_ids")
        self._log.info("Target: %s", target)

    def log_result(self, request_hash: str, query: CallListQuery | None, target: object, rewriting: Rewriting) -> None:
        """
        Log the start of a task that fetches the result of an earlier request.

        :param request_hash: the request's.
        :param query: the period that calls are cut to, if they are.
        :param target: the file.
        :param rewriting: what is changed in the rows, if they are calls.
        """
        if self._is_resumed:
            return
        self._log_start(f"Fetching the result of request {scrub_hash(request_hash)}")
        if query is not None:
            self._log.info("Period: %s", period_text(query, self._hook.settings.zone))
        self._log.info("Target: %s", target)
        self._log_rewriting(rewriting)

    def log_wait(self, request_hash: str) -> None:
        """
        Log the start of a task that waits for a result.

        :param request_hash: the request's.
        """
        self._log_start(f"Waiting for the result of request {scrub_hash(request_hash)}")

    def _log_start(self, action: str) -> None:
        server, conn_id = self._hook.settings.server, self._hook.alloincognito_conn_id
        self._log.info("%s from %s (Connection %s)", action, server, conn_id)

    def _log_rewriting(self, rewriting: Rewriting) -> None:
        if text := rewriting_text(rewriting):
            self._log.info("Rows: %s", text)

    def log_landed(self, landed: Mapping[str, Any]) -> None:
        """
        Log what has landed.

        :param landed: what the task returns: ``path``, ``bytes``, and for calls ``rows``.
        """
        what = f"{landed['rows']:,} rows" if "rows" in landed else "a recording"
        self._log.info("Landed %s, %s: %s", what, bytes_text(landed["bytes"]), landed["path"])

    def log_end(self, request_hashes: Sequence[str | None] = ()) -> None:
        """
        Log what the task took: time, requests, waits.

        :param request_hashes: of the requests.
        """
        if request_hashes:
            self._log.info("requestHash: %s", _hashes_text(request_hashes))
        seconds = seconds_text(time.monotonic() - self._began)
        since = " after the wait" if self._is_resumed else ""
        self._log.info("Took %s%s: %s", seconds, since, ", ".join(_tally_parts(self._hook.tally)))


def period_text(query: CallListQuery, zone: ZoneInfo) -> str:
    """
    Return a query's period in the API's zone and in UTC.

    :param query: the query.
    :param zone: the API's.
    """
    ends = (query.period_start, query.period_end)
    in_utc = " to ".join(to_api(moment, UTC_ZONE) for moment in ends) + " UTC"
    if zone == UTC_ZONE:
        return in_utc
    return f"{' to '.join(to_api(moment, zone) for moment in ends)} {zone.key} ({in_utc})"


def filter_text(query: CallListQuery) -> str:
    """Return which calls of its period a query asks for; numbers are only counted."""
    text = ", ".join(_filters(query))
    return "all calls" if text == "calls" else f"only {text}"


def _filters(query: CallListQuery) -> Iterator[str]:
    count = len(query.numbers)
    numbers = f" of {count:,} number{'s' if count > 1 else ''}" if count else ""
    recorded = " with a recording" if query.is_call_record else ""
    yield f"{DIRECTIONS[query.direction]}calls{numbers}{recorded}"
    if query.duration_from is not None:
        yield f"at least {query.duration_from} s"
    if query.duration_to is not None:
        yield f"at most {query.duration_to} s"
    if query.is_read is not None:
        yield f"isRead {query.is_read}"


def rewriting_text(rewriting: Rewriting) -> str:
    """Return what is changed in rows before they land; an empty text if nothing is."""
    parts = [f"{field} as {how}" for field, how in rewriting.protect.items()]
    if rewriting.row_key is not None:
        parts.append(f"key {rewriting.row_key} of {', '.join(rewriting.row_key_fields) or 'all fields'}")
    return scrub("; ".join(parts))


def _hashes_text(hashes: Sequence[str | None]) -> str:
    more = f" and {len(hashes) - MOST_HASHES:,} more" if len(hashes) > MOST_HASHES else ""
    return ", ".join(scrub_hash(one) if one else "unknown" for one in hashes[:MOST_HASHES]) + more


def _tally_parts(tally: Tally) -> Iterator[str]:
    again = f" ({tally.retried:,} sent again)" if tally.retried else ""
    yield f"{tally.requests:,} request{'' if tally.requests == 1 else 's'}{again}"
    yield f"{bytes_text(tally.bytes)} of responses"
    for reason, seconds in tally.waited.items():
        if seconds > SHORTEST_WAIT:
            yield f"{seconds_text(seconds)} {WAITS[reason]}"
