"""The sensor on a ``requestHash``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api.backoff import SHORTEST_POLL
from airflow_provider_alloincognito.compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    conf,
    first_reschedule,
)
from airflow_provider_alloincognito.errors import AlloincognitoError, AlloincognitoWaitTimeout
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.base import StopOnSigterm, fail_without_retry
from airflow_provider_alloincognito.scrubbing import scrub_hash

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Context
    from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger


class AlloincognitoRequestResultSensor(StopOnSigterm, BaseSensorOperator):
    """
    Wait until the result of an earlier request is ready.

    :param request_hash: ``requestHash`` of any response, as it came (not percent-encoded).
    :param ready_check: dotted path of a function that takes a response's
        :class:`~airflow_provider_alloincognito.api.answer.envelope.Envelope` and returns whether the result is ready;
        decided by the Connection's settings by default.
    :param deferrable: wait without occupying a worker; polling intervals then grow from ``poke_interval``, and the
        wait ends at an absolute time, ``timeout`` after the first poll.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :raises AlloincognitoApiError: if the hash is unknown or has expired; ``soft_fail`` skips on a time-out only.
    :raises AlloincognitoAuthError: if the authorization token is not accepted. Not retried.
    """

    template_fields: Sequence[str] = ("alloincognito_conn_id", "request_hash")
    ui_color = "#e8f0d8"
    _deadline: float | None = None
    _pause: float | None = None

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
        return AlloincognitoHook(self.alloincognito_conn_id, ready_check=self.ready_check)

    def execute(self, context: Context) -> Any:
        """Poke until ready, or once and then defer."""
        # Around the base class' own handling, which with soft_fail would turn these errors into a skip.
        with fail_without_retry():
            self._deadline = None
            if not self.deferrable:
                return super().execute(context)
            if not self.poke(context):
                self.defer(trigger=self._trigger(), method_name="resume")
            return None

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Take the event past the base sensor, which with soft_fail would skip when the trigger fails."""
        with fail_without_retry():
            return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)

    def resume(self, context: Context, event: Any = None) -> None:
        """Succeed, time out or fail as the trigger's event says."""
        from airflow_provider_alloincognito.triggers.alloincognito import ready_event

        try:
            ready_event(event)
        except AlloincognitoWaitTimeout as error:
            skips = self.soft_fail or self.never_fail
            raise (AirflowSkipException if skips else AirflowSensorTimeout)(str(error)) from None
        self.log.info("Result %s is ready", scrub_hash(self.request_hash))

    def poke(self, context: Context) -> bool:
        """Poll once; only the head of the response is read. What passes by itself is waited out."""
        self.raise_if_stopped()
        try:
            with self.hook.get_request_result(self.request_hash, deadline=self._poke_deadline(context)) as result:
                is_ready, self._pause = not result.is_pending, result.retry_after
        except AlloincognitoError as error:
            if not error.transient:
                raise
            self._pause = getattr(error, "retry_after", None)
            self.log.warning("Result %s: polling again after an error: %s", scrub_hash(self.request_hash), error)
            return False
        self.log.info("Result %s is %s", scrub_hash(self.request_hash), "ready" if is_ready else "not ready yet")
        return is_ready

    def _get_next_poke_interval(self, *arguments: Any) -> float:
        """Take the server's ``Retry-After`` into account, in the modes ``poke`` and ``reschedule``."""
        interval: float = super()._get_next_poke_interval(*arguments)
        if self._pause is None or self._deadline is None:
            return interval
        return max(interval, min(self._pause, self._deadline - time.monotonic()))

    def _poke_deadline(self, context: Context) -> float:
        """Monotonic seconds at which the sensor's ``timeout`` ends, but for the shortest poll after it."""
        if self._deadline is None:
            # None on Airflow 2: there a poke after a reschedule may take the whole timeout.
            rescheduled = first_reschedule(context)
            waited = (datetime.now(UTC) - rescheduled).total_seconds() if rescheduled else 0.0
            self._deadline = time.monotonic() + self.timeout - waited
        return max(self._deadline, time.monotonic() + SHORTEST_POLL)

    def _trigger(self) -> AlloincognitoRequestResultTrigger:
        from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger

        interval = self.poke_interval
        seconds = interval if isinstance(interval, int | float) else interval.total_seconds()
        return AlloincognitoRequestResultTrigger(
            request_hash=self.request_hash,
            deadline=time.time() + self.timeout,
            poll_interval=float(seconds),
            ready_check=self.ready_check,
            alloincognito_conn_id=self.alloincognito_conn_id,
        )
