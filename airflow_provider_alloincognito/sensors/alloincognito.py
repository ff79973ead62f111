"""The sensor on a ``requestHash``."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_alloincognito.api.backoff import SHORTEST_POLL
from airflow_provider_alloincognito.api.wait_log import WaitLog
from airflow_provider_alloincognito.compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    conf,
    first_reschedule,
)
from airflow_provider_alloincognito.errors import AlloincognitoError, AlloincognitoWaitTimeout
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.arguments import TemplatedArguments, boolean, request_hash
from airflow_provider_alloincognito.operators.base import StopOnSigterm
from airflow_provider_alloincognito.operators.failures import fail_without_retry
from airflow_provider_alloincognito.operators.task_log import TaskLog

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Context
    from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger


class AlloincognitoRequestResultSensor(StopOnSigterm, TemplatedArguments, BaseSensorOperator):
    """
    Wait until the result of an earlier request is ready.

    :param request_hash: ``requestHash`` of any response, as it came (not percent-encoded), or the ``output`` of an
        ``AlloincognitoCallListOperator`` that sent one request.
    :param ready_check: dotted path of a function that takes a response's
        :class:`~airflow_provider_alloincognito.api.answer.envelope.Envelope` and returns whether the result is ready;
        decided by the Connection's settings by default.
    :param deferrable: wait without occupying a worker; polling intervals then grow from ``poke_interval``, and the
        wait ends at an absolute time, ``timeout`` after the first poll.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :raises AlloincognitoApiError: if the hash is unknown or has expired; ``soft_fail`` skips on a time-out only.
    :raises AlloincognitoAuthError: if the authorization token is not accepted. Not retried.
    """

    template_fields: Sequence[str] = ("alloincognito_conn_id", "request_hash", "ready_check", "deferrable")
    converters = {"request_hash": request_hash, "deferrable": boolean}  # noqa: RUF012 - as Airflow declares such
    ui_color = "#e8f0d8"
    _deadline = math.inf
    _pause: float | None = None
    _wait_log: WaitLog | None = None

    def __init__(
        self,
        *,
        request_hash: str | Sequence[str] | Mapping[str, Any],
        ready_check: str | None = None,
        alloincognito_conn_id: str = AlloincognitoHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request_hash = cast("str", request_hash)  # see `converters`
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
            self.convert_arguments()
            self._wait_log = None
            if not self.deferrable:
                # Not super(): Airflow 2.11 would take that call for another operator's, and warn or fail.
                return inspect.unwrap(BaseSensorOperator.execute)(self, context)
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
            ready_event(event, self.log)
        except AlloincognitoWaitTimeout as error:
            skips = self.soft_fail or self.never_fail
            raise (AirflowSkipException if skips else AirflowSensorTimeout)(str(error)) from None

    def poke(self, context: Context) -> bool:
        """Poll once; only the head of the response is read. What passes by itself is waited out."""
        self.raise_if_stopped()
        wait_log = self._begin(context)
        error: AlloincognitoError | None = None
        try:
            with self.hook.get_request_result(self.request_hash, deadline=self._poke_deadline) as result:
                is_ready, self._pause = not result.is_pending, result.retry_after
        except AlloincognitoError as failure:
            if not failure.transient:
                raise
            is_ready, error, self._pause = False, failure, getattr(failure, "retry_after", None)
        if is_ready:
            wait_log.log_ready(self.request_hash)
        else:
            wait_log.log_pending(self.request_hash, self._seconds_left, error)
        return is_ready

    def _get_next_poke_interval(self, *arguments: Any) -> float:
        """Take the server's ``Retry-After`` into account, in the modes ``poke`` and ``reschedule``."""
        interval: float = super()._get_next_poke_interval(*arguments)
        if self._pause is None:
            return interval
        return max(interval, min(self._pause, self._seconds_left))

    def _begin(self, context: Context) -> WaitLog:
        """At the first poke of this process, find out how long the wait has taken, and log its start."""
        if self._wait_log is None:
            # None on Airflow 2: there a poke after a reschedule may take the whole timeout.
            rescheduled = first_reschedule(context)
            waited = (datetime.now(UTC) - rescheduled).total_seconds() if rescheduled else 0.0
            self._deadline = time.monotonic() + self.timeout - waited
            self._wait_log = WaitLog(self.log, waited=waited)
            if not waited:
                TaskLog(self.log, self.hook).log_wait(self.request_hash)
        return self._wait_log

    @property
    def _seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    @property
    def _poke_deadline(self) -> float:
        """Monotonic seconds at which the sensor's ``timeout`` ends, but for the shortest poll after it."""
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
