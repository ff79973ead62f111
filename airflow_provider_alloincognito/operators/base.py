"""What the operators and the sensor share: the hook, SIGTERM, waiting."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import tenacity

from airflow_provider_alloincognito import __version__
from airflow_provider_alloincognito.api.backoff import LONGEST_BACKOFF, SHORTEST_POLL
from airflow_provider_alloincognito.api.wait_log import WaitLog
from airflow_provider_alloincognito.compat import (
    MULTIPLE_OUTPUTS_TAKE_NONE,
    AirflowTaskTerminated,
    AirflowTaskTimeout,
    conf,
)
from airflow_provider_alloincognito.errors import (
    DISCOVER,
    AlloincognitoError,
    AlloincognitoResponseError,
    AlloincognitoSlowError,
    AlloincognitoTruncatedError,
    AlloincognitoWaitTimeout,
)
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.announcing import AnnouncingOperator
from airflow_provider_alloincognito.operators.arguments import PACKAGE, TemplatedArguments
from airflow_provider_alloincognito.scrubbing import scrub_hash

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.query import CallListQuery
    from airflow_provider_alloincognito.api.results import CallList, RecordFile
    from airflow_provider_alloincognito.compat import Context
    from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger

Landed = TypeVar("Landed")

POLL_INTERVAL = 30.0
WAIT_TIMEOUT = 3600.0


def _may_be_whole_next_time(error: BaseException) -> bool:
    return isinstance(error, AlloincognitoTruncatedError) and not error.retries_used_up


class StopOnSigterm:
    """Leaves ``execute`` when the task is stopped. For operators and sensors."""

    hook: Any
    _stopped = False

    def on_kill(self) -> None:
        """
        Leave ``execute`` by an exception, which closes connections and removes unfinished files.

        Airflow 2 does so itself; Airflow 3 lets the task run on for some seconds, then kills it with SIGKILL.
        """
        # After a time-out, execute has been left already.
        if not isinstance(sys.exc_info()[1], AirflowTaskTimeout):
            self._stopped = True
            if "hook" in vars(self):
                # Ends what other threads do. This one may be waiting for the event, and hold its lock, right now.
                threading.Thread(target=self.hook.stopped.set, daemon=True).start()
            self.raise_if_stopped()

    def raise_if_stopped(self) -> None:
        """
        Leave ``execute`` if the task was stopped. Every loop that waits calls this.

        Python drops what a signal raises while an object is finalized, a response's connection for example.
        """
        if self._stopped:
            raise AirflowTaskTerminated("The task was stopped (SIGTERM).")


class AlloincognitoOperator(StopOnSigterm, TemplatedArguments, AnnouncingOperator):
    """
    An operator with a hook. Each key of what it returns is an XCom of its own, too: ``task.output["path"]``.

    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    """

    ui_color = "#e8f0d8"

    def __init__(self, *, alloincognito_conn_id: str = AlloincognitoHook.default_conn_name, **kwargs: Any) -> None:
        # A missing key of the output is then None, which is refused. Whoever overrides execute may return no dict.
        kwargs.setdefault("multiple_outputs", type(self).execute.__module__.startswith(f"{PACKAGE}."))
        super().__init__(**kwargs)
        self.alloincognito_conn_id = alloincognito_conn_id

    def push_each(self, context: Context, returned: dict[str, Any]) -> dict[str, Any]:
        """Make each value that the task returns an XCom of its own, where Airflow itself fails for one that is None."""
        if MULTIPLE_OUTPUTS_TAKE_NONE:
            return returned
        self.multiple_outputs = False
        push: Any = getattr(context.get("ti"), "xcom_push", None)  # missing where execute is called without Airflow
        for key, value in returned.items() if push and self.do_xcom_push else ():
            if value is not None:
                push(key=key, value=value)
        return returned

    @cached_property
    def hook(self) -> AlloincognitoHook:
        """The hook, made when the task runs."""
        return AlloincognitoHook(self.alloincognito_conn_id)


class AlloincognitoWaitingOperator(AlloincognitoOperator):
    """
    An operator whose result may not be ready yet. Subclasses have a method ``resume``.

    :param ready_check: dotted path of a function that takes a response's
        :class:`~airflow_provider_alloincognito.api.answer.envelope.Envelope` and returns whether the result is ready;
        decided by the Connection's settings by default.
    :param deferrable: wait without occupying a worker.
    :param poll_interval: seconds, or a timedelta, to the first poll; 30 s by default. Deferred, the intervals grow.
    :param wait_timeout: seconds, or a timedelta, after which to stop waiting for one result; an hour by default.
    """

    def __init__(
        self,
        *,
        ready_check: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = POLL_INTERVAL,
        wait_timeout: float | timedelta = WAIT_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ready_check = ready_check
        self.deferrable = deferrable
        self.poll_interval = cast("float", poll_interval)  # see `converters`
        self.wait_timeout = cast("float", wait_timeout)

    def wait_until_ready(
        self,
        result: CallList | RecordFile | None,
        request_hash: str | None,
        *,
        request_hashes: Sequence[str | None],
        query: CallListQuery | None = None,
        wait_for: str | None = None,
    ) -> CallList | RecordFile:
        """
        Return the result when it is ready: at once, after waiting here, or by way of ``resume``.

        What passes by itself, such as a server that is down, is waited out as well.

        :param result: the response in hand; None to fetch it.
        :param request_hash: its hash, as far as it is known: "not ready yet" may come without one.
        :param request_hashes: the hashes known so far, for ``resume``.
        :param query: the call list's query, if rows are cut to its period.
        :param wait_for: the hash to wait for when deferred, if it is not the result's own.
        :raises AlloincognitoWaitTimeout: if the result is not ready in time.
        """
        deadline = time.monotonic() + self.wait_timeout
        wait_log = WaitLog(self.log)
        trouble: AlloincognitoError | None = None
        while True:
            try:
                result = result or self._fetch(request_hash, query, deadline)
                if not result.is_pending:
                    if wait_log.has_waited:
                        wait_log.log_ready(request_hash)
                    return result
                result.close()
                request_hash = result.request_hash or request_hash
                trouble, pause = None, result.retry_after
            except AlloincognitoError as error:
                if not error.transient:
                    raise
                is_cut_off = isinstance(error, AlloincognitoSlowError) and time.monotonic() >= deadline
                trouble = trouble or error if is_cut_off else error
                pause = getattr(error, "retry_after", None)
            result = None
            waits_for = wait_for or request_hash
            if self.deferrable and waits_for:
                wait_log.log_pending(waits_for, self.wait_timeout, trouble)
                trigger = self._trigger(waits_for, time.time() + self.wait_timeout, request_hashes)
                self.defer(trigger=trigger, method_name="resume")
            self._sleep_until_next_poll(request_hash, deadline, trouble, pause, wait_log)

    def _fetch(self, request_hash: str | None, query: CallListQuery | None, deadline: float) -> CallList | RecordFile:
        if request_hash is None:
            raise AlloincognitoResponseError(
                "Unexpected response: neither a result nor a requestHash to poll for one. Check that the method's "
                f"path in the Connection, and api_mapping, are as on the server's /docs page. {DISCOVER}"
            )
        deadline = max(deadline, time.monotonic() + SHORTEST_POLL)
        return self.hook.get_request_result(request_hash, query, deadline=deadline)

    def _sleep_until_next_poll(
        self,
        request_hash: str | None,
        deadline: float,
        trouble: AlloincognitoError | None,
        pause: float | None,
        wait_log: WaitLog,
    ) -> None:
        self.raise_if_stopped()
        seconds_left = deadline - time.monotonic()
        if seconds_left <= 0:
            last_error = f"The last error: {trouble} " if trouble else ""
            raise AlloincognitoWaitTimeout(
                f"The result of request {scrub_hash(request_hash)} was not ready within {self.wait_timeout:.0f} s. "
                f"{last_error}Raise wait_timeout, or wait with AlloincognitoRequestResultSensor."
            )
        seconds = min(max(self.poll_interval, pause or 0.0), seconds_left)
        wait_log.log_pending(request_hash, seconds_left, trouble)
        with self.hook.tally.waiting("polls"):
            self._sleep(seconds)

    def _sleep(self, seconds: float) -> None:
        self.hook.stopped.wait(seconds)
        self.raise_if_stopped()

    def again_if_truncated(self, land: Callable[[], Landed]) -> Landed:
        """
        Land again, from the start, if the connection broke in the middle of a response.

        :param land: requests what it lands by itself.
        :raises AlloincognitoTruncatedError: if that happens more often than the Connection's ``retries``.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_be_whole_next_time),
            stop=tenacity.stop_after_attempt(self.hook.settings.retries + 1),
            wait=tenacity.wait_random_exponential(max=LONGEST_BACKOFF),
            before_sleep=self._log_truncated,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(land)

    def _log_truncated(self, state: tenacity.RetryCallState) -> None:
        from airflow_provider_alloincognito.api.transport.retries import retry_text

        assert state.outcome is not None
        assert state.next_action is not None
        error, seconds = state.outcome.exception(), state.next_action.sleep
        self.log.warning("%s", retry_text(error, seconds, state.attempt_number, self.hook.settings.retries))

    def _trigger(
        self, request_hash: str, deadline: float, request_hashes: Sequence[str | None]
    ) -> AlloincognitoRequestResultTrigger:
        from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger

        return AlloincognitoRequestResultTrigger(
            request_hash=request_hash,
            deadline=deadline,
            poll_interval=self.poll_interval,
            ready_check=self.ready_check,
            request_hashes=request_hashes,
            alloincognito_conn_id=self.alloincognito_conn_id,
        )


def file_metadata(request_hashes: Sequence[str | None], **more: str) -> dict[str, str]:
    """Where a file comes from, for formats that can hold it."""
    values = {"request_hashes": ",".join(filter(None, request_hashes)), "provider_version": __version__, **more}
    return {f"alloincognito.{name}": value for name, value in values.items()}
