"""What the operators have in common: the hook, and waiting for a result that is not ready."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_alloincognito import __version__
from airflow_provider_alloincognito.api.errors import AlloincognitoResponseError, AlloincognitoWaitTimeout
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList, RecordFile
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.killing import StopsWhenKilled
from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger

POLL_INTERVAL = 30.0
WAIT_TIMEOUT = 3600.0


class AlloincognitoOperator(StopsWhenKilled, BaseOperator):
    """
    An operator with a hook.

    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    """

    ui_color = "#e8f0d8"

    def __init__(self, *, alloincognito_conn_id: str = AlloincognitoHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alloincognito_conn_id = alloincognito_conn_id

    @cached_property
    def hook(self) -> AlloincognitoHook:
        """The hook, made when the task runs."""
        return AlloincognitoHook(self.alloincognito_conn_id)


class AlloincognitoWaitingOperator(AlloincognitoOperator):
    """
    An operator whose result may not be ready yet. Subclasses have a method ``resume``.

    :param deferrable: wait without holding a worker.
    :param poll_interval: seconds to the first question; deferred, the waits grow.
    :param wait_timeout: seconds after which to give up waiting for one result.
    """

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = POLL_INTERVAL,
        wait_timeout: float = WAIT_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.wait_timeout = wait_timeout

    def ready(
        self,
        result: CallList | RecordFile,
        request_hash: str | None,
        *,
        asked: Sequence[str | None],
        query: CallListQuery | None = None,
        wait_for: str | None = None,
    ) -> CallList | RecordFile:
        """
        Give the result itself: at once, or after waiting for it here, or by way of ``resume``.

        :param result: the answer in hand.
        :param request_hash: its hash, as far as it is known: "not ready yet" may come without one.
        :param asked: the hashes come by so far, for ``resume``.
        :param query: what rows are cut to.
        :param wait_for: the hash to wait for, deferred, if it is not the result's own.
        :raises AlloincognitoWaitTimeout: if it is not ready in time.
        """
        deadline = time.time() + self.wait_timeout
        while result.is_pending:
            result.close()
            request_hash = result.request_hash or request_hash
            if request_hash is None:
                raise AlloincognitoResponseError("The answer holds neither a result nor a requestHash to ask by.")
            if self.deferrable:
                self.defer(trigger=self._trigger(wait_for or request_hash, deadline, asked), method_name="resume")
            self._wait(request_hash, deadline)
            result = self.hook.get_request_result(request_hash, query)
        return result

    def _wait(self, request_hash: str, deadline: float) -> None:
        self.stop_if_told()
        if time.time() + self.poll_interval > deadline:
            raise AlloincognitoWaitTimeout(
                f"The result of request {request_hash} was not ready within {self.wait_timeout:.0f} s (wait_timeout). "
                "Give it more time, or wait with AlloincognitoRequestResultSensor."
            )
        self.log.info("Result %s is not ready; asking again in %.0f s", request_hash, self.poll_interval)
        time.sleep(self.poll_interval)

    def _trigger(
        self, request_hash: str, deadline: float, asked: Sequence[str | None]
    ) -> AlloincognitoRequestResultTrigger:
        return AlloincognitoRequestResultTrigger(
            request_hash=request_hash,
            deadline=deadline,
            poll_interval=self.poll_interval,
            asked=asked,
            alloincognito_conn_id=self.alloincognito_conn_id,
        )


def file_metadata(request_hashes: Sequence[str | None], **more: str) -> dict[str, str]:
    """What a file says of its origin, where its format has a place for that."""
    told = {"request_hashes": ",".join(filter(None, request_hashes)), "provider_version": __version__, **more}
    return {f"alloincognito.{name}": value for name, value in told.items()}
