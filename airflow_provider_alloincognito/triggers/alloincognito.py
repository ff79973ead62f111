"""The trigger on a ``requestHash``: waits for a result without occupying a worker."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

import msgspec
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.backoff import SHORTEST_POLL
from airflow_provider_alloincognito.api.transport.async_client import AsyncClient
from airflow_provider_alloincognito.api.wait_log import Log, WaitLog
from airflow_provider_alloincognito.errors import (
    AlloincognitoConnectionError,
    AlloincognitoError,
    AlloincognitoResponseError,
    AlloincognitoSlowError,
    AlloincognitoWaitTimeout,
    error_named,
)
from airflow_provider_alloincognito.hooks.shared import shared_async_client
from airflow_provider_alloincognito.scrubbing import scrub_hash

log = logging.getLogger(__name__)

POLL_FACTOR = 1.5
POLL_CEILING = 300.0
JITTER = 0.1
ARGUMENTS = (
    "request_hash",
    "deadline",
    "poll_interval",
    "poll_factor",
    "poll_ceiling",
    "ready_check",
    "request_hashes",
    "alloincognito_conn_id",
)

Status = Literal["ready", "timeout", "error"]


class AlloincognitoRequestResultTrigger(BaseTrigger):
    """
    Wait until the result of a request is ready.

    All triggers of a triggerer that use one Connection share a client, a connection pool and the token pair.

    :param request_hash: ``requestHash`` of any response, as it came (not percent-encoded).
    :param deadline: epoch seconds at which to stop waiting.
    :param poll_interval: seconds from the first poll, which is immediate, to the second.
    :param poll_factor: how much longer each interval is than the one before.
    :param poll_ceiling: the longest interval between two polls, in seconds.
    :param ready_check: dotted path of a function that takes a response's
        :class:`~airflow_provider_alloincognito.api.answer.envelope.Envelope` and returns whether the result is ready;
        decided by the Connection's settings by default.
    :param request_hashes: the hashes that the task knows so far; the event returns them.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    """

    def __init__(
        self,
        request_hash: str,
        deadline: float,
        poll_interval: float = 30.0,
        poll_factor: float = POLL_FACTOR,
        poll_ceiling: float = POLL_CEILING,
        ready_check: str | None = None,
        request_hashes: Sequence[str | None] = (),
        alloincognito_conn_id: str = "alloincognito_default",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.request_hash = request_hash
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.poll_factor = poll_factor
        self.poll_ceiling = poll_ceiling
        self.ready_check = ready_check
        self.request_hashes = list(request_hashes)
        self.alloincognito_conn_id = alloincognito_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class' path and its arguments."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in ARGUMENTS}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the wait ends, and yield the event that says how."""
        try:
            event = await self._wait()
        except AlloincognitoError as error:
            event = self._event(
                "error",
                error=type(error).__name__,
                message=f"Connection {self.alloincognito_conn_id!r}: {error}",
            )
        yield TriggerEvent(event.payload())

    async def _wait(self) -> ResultEvent:
        polling = Polling(self.poll_interval, self.deadline, factor=self.poll_factor, ceiling=self.poll_ceiling)
        wait_log = WaitLog(log, first=0)  # of many waits at a time
        client = await shared_async_client(self.alloincognito_conn_id)
        trouble: AlloincognitoError | None = None
        failure: AlloincognitoError | None = None  # of the last poll
        while True:
            try:
                is_ready, pause = await self._poll(client)
                if is_ready:
                    return self._event("ready")
                trouble = failure = None
            except AlloincognitoError as error:
                if not error.transient:
                    raise
                is_cut_off = isinstance(error, AlloincognitoSlowError) and time.time() >= self.deadline
                failure = error
                trouble = trouble or error if is_cut_off else error
                pause = error.retry_after if isinstance(error, AlloincognitoConnectionError) else None
            seconds = polling.next_interval(time.time(), pause)
            if seconds is None:
                return self._event("timeout", message=None if trouble is None else str(trouble))
            wait_log.log_pending(self.request_hash, self.deadline - time.time(), failure)
            await asyncio.sleep(seconds)

    def _event(self, status: Status, error: str | None = None, message: str | None = None) -> ResultEvent:
        return ResultEvent(
            status=status,
            request_hash=self.request_hash,
            request_hashes=self.request_hashes,
            error=error,
            message=message,
        )

    async def _poll(self, client: AsyncClient) -> tuple[bool, float | None]:
        seconds_left = max(SHORTEST_POLL, self.deadline - time.time())
        request = methods.request_result(client.settings, self.request_hash)
        head = await client.head(request, deadline=time.monotonic() + seconds_left)
        return head.is_ready(self.ready_check), head.retry_after


class Polling:
    """
    Seconds from one poll to the next: growing up to a ceiling, with jitter, never past the deadline.

    :param start: the first interval, in seconds.
    :param deadline: epoch seconds; absolute, so that it survives a restart.
    :param factor: how much longer each interval is than the one before; 1 keeps them equal.
    :param ceiling: the longest interval; at least ``start``.
    """

    def __init__(
        self, start: float, deadline: float, *, factor: float = POLL_FACTOR, ceiling: float = POLL_CEILING
    ) -> None:
        self._interval = start
        self._deadline = deadline
        self._factor = factor
        self._ceiling = max(ceiling, start)

    def next_interval(self, now: float, pause: float | None = None) -> float | None:
        """
        Return the seconds until the next poll; None if the deadline has passed.

        :param now: epoch seconds.
        :param pause: seconds that the server asks to wait, if it does.
        """
        if now >= self._deadline:
            return None
        interval = self._interval * random.uniform(1 - JITTER, 1 + JITTER)
        self._interval = min(self._interval * self._factor, self._ceiling)
        return min(max(interval, pause or 0.0), self._deadline - now)


class ResultEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    How the wait for a result ended: no personal data, and checked before a task acts on it.

    :param status: ``ready``, ``timeout`` or ``error``.
    :param request_hash: the result's.
    :param request_hashes: the hashes that the trigger was given.
    :param error: the name of the error's class.
    :param message: the error's text, scrubbed; for ``timeout``, that of the last poll, if it failed.
    """

    status: Status
    request_hash: str
    request_hashes: list[str | None] = []
    error: str | None = None
    message: str | None = None

    def payload(self) -> dict[str, Any]:
        """The event as it is stored and sent."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


def ready_event(event: Any, log: Log = log) -> ResultEvent:
    """
    Return an event that says that a result is ready, and log it.

    :param event: what the trigger has sent.
    :param log: the task's.
    :raises AlloincognitoWaitTimeout: if the wait ended without it.
    :raises AlloincognitoError: the error that ended the wait, as its own class.
    :raises AlloincognitoResponseError: if the event is not one of this provider's.
    """
    try:
        known = msgspec.convert(event, ResultEvent)
    except msgspec.ValidationError:
        raise AlloincognitoResponseError(
            "The trigger's event is not one that this provider sends. Install one version of it on the workers and "
            "the triggerer."
        ) from None
    if known.status == "ready":
        log.info("Result %s is ready", scrub_hash(known.request_hash))
        return known
    if known.status == "timeout":
        last_error = f"The last error: {known.message} " if known.message else ""
        raise AlloincognitoWaitTimeout(
            f"The result of request {scrub_hash(known.request_hash)} was not ready in time. {last_error}Wait longer, "
            "or submit the request again."
        )
    raise error_named(known.error, known.message or "The trigger failed without a message.")
