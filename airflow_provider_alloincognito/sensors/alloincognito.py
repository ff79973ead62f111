"""The sensor on a ``requestHash``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    conf,
)

from airflow_provider_alloincognito.api.errors import AlloincognitoWaitTimeout
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.final import final_errors
from airflow_provider_alloincognito.operators.killing import StopsWhenKilled
from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger
from airflow_provider_alloincognito.triggers.events import ready_event

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class AlloincognitoRequestResultSensor(StopsWhenKilled, BaseSensorOperator):
    """
    Wait until the result of an earlier request is ready.

    :param request_hash: ``requestHash`` of any answer, raw.
    :param ready_check: dotted path of a function from an answer's
        :class:`~airflow_provider_alloincognito.api.envelope.Envelope` to a bool, in place of the usual judgement.
    :param deferrable: wait without holding a worker; polls then back off from ``poke_interval``, and end at an
        absolute time, ``timeout`` after the first.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :raises AlloincognitoApiError: if the hash is unknown or has expired; ``soft_fail`` skips on a time-out only.
    :raises AlloincognitoAuthError: if the authorization token is not accepted. Not retried.
    """

    template_fields: Sequence[str] = ("alloincognito_conn_id", "request_hash")
    ui_color = "#e8f0d8"

    def __init__(
        self,
        *,
        request_hash: str,
        ready_check: str | None = None,
        alloincognito_conn_id: str = AlloincognitoHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request_hash = request_hash
        self.ready_check = ready_check
        self.alloincognito_conn_id = alloincognito_conn_id
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> AlloincognitoHook:
        """The hook, made when the task runs."""
        return AlloincognitoHook(self.alloincognito_conn_id)

    def execute(self, context: Context) -> Any:
        """Poke until ready, or once and then defer."""
        # Outside of the base class' own handling, which with soft_fail would turn a final error into a skip.
        with final_errors():
            if not self.deferrable:
                return super().execute(context)
            if not self.poke(context):
                self.defer(trigger=self._trigger(), method_name="resume")
            return None

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Take up the event, past the base sensor, which with soft_fail would skip for a trigger that broke."""
        with final_errors():
            return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)

    def resume(self, context: Context, event: Any = None) -> None:
        """Judge the trigger's event."""
        try:
            ready_event(event)
        except AlloincognitoWaitTimeout as error:
            skipped = self.soft_fail or self.never_fail
            raise (AirflowSkipException if skipped else AirflowSensorTimeout)(str(error)) from None
        self.log.info("Result %s is ready", self.request_hash)

    def poke(self, context: Context) -> bool:
        """Ask once; no more of the answer is read than its head."""
        self.stop_if_told()
        with self.hook.get_request_result(self.request_hash) as result:
            ready = result.is_ready(self.ready_check)
        self.log.info("Result %s is %s", self.request_hash, "ready" if ready else "not ready yet")
        return ready

    def _trigger(self) -> AlloincognitoRequestResultTrigger:
        interval = self.poke_interval
        seconds = interval if isinstance(interval, int | float) else interval.total_seconds()
        return AlloincognitoRequestResultTrigger(
            request_hash=self.request_hash,
            deadline=time.time() + self.timeout,
            poll_interval=float(seconds),
            ready_check=self.ready_check,
            alloincognito_conn_id=self.alloincognito_conn_id,
        )
