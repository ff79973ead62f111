"""The trigger on a ``requestHash``: waiting that holds no worker."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.async_client import AsyncClient
from airflow_provider_alloincognito.api.errors import (
    AlloincognitoConnectionError,
    AlloincognitoCutOffError,
    AlloincognitoError,
    AlloincognitoRotationError,
    AlloincognitoStoreError,
)
from airflow_provider_alloincognito.api.readiness import is_ready
from airflow_provider_alloincognito.hooks.async_process import shared_async_client
from airflow_provider_alloincognito.triggers.events import ResultEvent, Status
from airflow_provider_alloincognito.triggers.polling import CEILING, FACTOR, Polling

log = logging.getLogger(__name__)

ARGUMENTS = (
    "request_hash",
    "deadline",
    "poll_interval",
    "poll_factor",
    "poll_ceiling",
    "ready_check",
    "asked",
    "alloincognito_conn_id",
)
# A wait of hours outlives them.
PASSING_ERRORS = (
    AlloincognitoConnectionError,
    AlloincognitoCutOffError,
    AlloincognitoRotationError,
    AlloincognitoStoreError,
)


class AlloincognitoRequestResultTrigger(BaseTrigger):
    """
    Wait until the result of a request is ready.

    All triggers of a triggerer that use one Connection share a client, a connection pool and the token pair.

    :param request_hash: ``requestHash`` of any answer, raw.
    :param deadline: epoch seconds at which to give up.
    :param poll_interval: seconds to the first poll after the one at once.
    :param poll_factor: how much longer each wait is than the one before.
    :param poll_ceiling: the longest wait between two polls, in seconds.
    :param ready_check: dotted path of a function from an answer's
        :class:`~airflow_provider_alloincognito.api.envelope.Envelope` to a bool, in place of the usual judgement.
    :param asked: hashes that the task has come by so far; the event gives them back.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    """

    def __init__(
        self,
        request_hash: str,
        deadline: float,
        poll_interval: float = 30.0,
        poll_factor: float = FACTOR,
        poll_ceiling: float = CEILING,
        ready_check: str | None = None,
        asked: Sequence[str | None] = (),
        alloincognito_conn_id: str = "alloincognito_default",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.request_hash = request_hash
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.poll_factor = poll_factor
        self.poll_ceiling = poll_ceiling
        self.ready_check = ready_check
        self.asked = list(asked)
        self.alloincognito_conn_id = alloincognito_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give the class' path and its arguments."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in ARGUMENTS}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll, and tell how the wait ended."""
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
        client = await shared_async_client(self.alloincognito_conn_id)
        while True:
            trouble, asked = None, None
            try:
                is_ready, asked = await self._poll(client)
                if is_ready:
                    return self._event("ready")
            except PASSING_ERRORS as error:
                trouble = error
                if isinstance(error, AlloincognitoConnectionError) and error.retry_after is not None:
                    asked = str(error.retry_after)
                log.warning("Result %s: %s; asking again", self.request_hash, error)
            seconds = polling.wait(time.time(), asked)
            if seconds is None:
                if trouble is not None:
                    raise trouble
                return self._event("timeout")
            await asyncio.sleep(seconds)

    def _event(self, status: Status, error: str | None = None, message: str | None = None) -> ResultEvent:
        return ResultEvent(
            status=status, request_hash=self.request_hash, asked=self.asked, error=error, message=message
        )

    async def _poll(self, client: AsyncClient) -> tuple[bool, str | None]:
        head = await client.head(methods.request_result(client.settings, self.request_hash))
        return is_ready(head, self.ready_check), head.retry_after
