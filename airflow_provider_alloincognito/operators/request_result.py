"""The operator that lands the result of an earlier request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList, RecordFile
from airflow_provider_alloincognito.compat import ObjectStoragePath
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.arguments import FILE_OF_CALLS, WAITING, request_hash
from airflow_provider_alloincognito.operators.base import AlloincognitoWaitingOperator, file_metadata
from airflow_provider_alloincognito.operators.failures import fail_without_retry
from airflow_provider_alloincognito.operators.outcome import Outcome
from airflow_provider_alloincognito.operators.period import resolve_period
from airflow_provider_alloincognito.operators.rewriting import read_rewriting
from airflow_provider_alloincognito.operators.task_log import TaskLog

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Context
    from airflow_provider_alloincognito.landing.rewriting import Rewriting


class AlloincognitoRequestResultOperator(AlloincognitoWaitingOperator):
    """
    Land the result of an earlier request: calls, or a recording.

    :param request_hash: ``requestHash`` of any response, as it came (not percent-encoded), or the ``output`` of an
        :class:`AlloincognitoCallListOperator` that sent one request.
    :param output_path: the file (any ``ObjectStoragePath``).
    :param period_start: for calls: the first moment of the period that was requested. With it rows are cut to the
        period exactly, as :class:`AlloincognitoCallListOperator` does; without it they land as they come.
    :param period_end: for calls: the moment after that period. If only one of the two is given, the other is the data
        interval's.
    :param start_time_field: for calls: the field that they are cut by; default the Connection's setting of that name.
    :param file_format: for calls; see :class:`AlloincognitoCallListOperator`.
    :param schema: for calls; likewise.
    :param unknown_fields: for calls; likewise.
    :param row_key: for calls; likewise.
    :param row_key_fields: for calls; likewise.
    :param protect: for calls; likewise.
    :param digest_key: for calls; likewise.
    :param min_rows: for calls; likewise.
    :param escape_formulas: for calls; likewise.
    :param partition_by_day: emit an asset event for each day of the period, with the day as its partition key (Airflow
        3.3). Such events start only DAGs that are scheduled by partitions.
    :param ready_check: dotted path of a function that takes a response's
        :class:`~airflow_provider_alloincognito.api.answer.envelope.Envelope` and returns whether the result is ready;
        decided by the Connection's settings by default.
    :param deferrable: wait for a result that is not ready without occupying a worker; default
        ``[operators] default_deferrable``.
    :param poll_interval: seconds, or a timedelta, to the first poll for a result that is not ready; 30 s by default.
        Deferred, the intervals grow.
    :param wait_timeout: seconds, or a timedelta, after which to stop waiting; an hour by default.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :return: for calls ``path``, ``format``, ``rows``, ``bytes``, ``request_hashes``; for a recording ``path``,
        ``bytes``, ``sha256``, ``status``.
    :raises AlloincognitoApiError: if the hash is unknown or has expired.
    :raises AlloincognitoAuthError: if the authorization token is not accepted. Not retried.
    """

    # In the order in which they are rendered: the others' templates may use the period.
    template_fields: Sequence[str] = (
        "alloincognito_conn_id",
        "period_start",
        "period_end",
        "request_hash",
        "output_path",
        "start_time_field",
        "file_format",
        "schema",
        "unknown_fields",
        "row_key",
        "row_key_fields",
        "protect",
        "digest_key",
        "min_rows",
        "escape_formulas",
        "partition_by_day",
        "ready_check",
        "deferrable",
        "poll_interval",
        "wait_timeout",
    )
    template_fields_renderers = {"schema": "json", "protect": "json"}  # noqa: RUF012 - Airflow declares it as an instance's
    converters = {**FILE_OF_CALLS, **WAITING, "request_hash": request_hash}  # noqa: RUF012 - likewise

    def __init__(
        self,
        *,
        request_hash: str | Sequence[str] | Mapping[str, Any],
        output_path: str | ObjectStoragePath,
        period_start: datetime | str | None = None,
        period_end: datetime | str | None = None,
        start_time_field: str | None = None,
        file_format: str | None = None,
        schema: Mapping[str, str] | str | None = None,
        unknown_fields: Literal["keep", "refuse", "drop"] = "keep",
        row_key: str | None = None,
        row_key_fields: Sequence[str] | str = (),
        protect: Mapping[str, str] | str | None = None,
        digest_key: str | None = None,
        min_rows: int = 0,
        escape_formulas: bool = False,
        partition_by_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request_hash = cast("str", request_hash)  # see `converters`
        self.output_path = cast("ObjectStoragePath", output_path)  # see `converters`
        self.period_start = period_start
        self.period_end = period_end
        self.start_time_field = start_time_field
        self.file_format = file_format
        self.schema = schema
        self.unknown_fields = unknown_fields
        self.row_key = row_key
        self.row_key_fields = row_key_fields
        self.protect = cast("Mapping[str, str] | None", protect)  # see `converters`
        self.digest_key = digest_key
        self.min_rows = min_rows
        self.escape_formulas = escape_formulas
        self.partition_by_day = partition_by_day
        self.add_own_outlet()

    @cached_property
    def hook(self) -> AlloincognitoHook:
        """The hook, made when the task runs."""
        return AlloincognitoHook(
            self.alloincognito_conn_id,
            start_time_field=self.start_time_field or None,
            ready_check=self.ready_check,
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch the result and land it."""
        return self._land_result(context)

    def resume(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on after the trigger's event."""
        from airflow_provider_alloincognito.triggers.alloincognito import ready_event

        with fail_without_retry():
            ready_event(event, self.log)
        # Not by execute: Airflow 2.11 would take that call for another operator's, and warn or fail.
        return self._land_result(context, is_resumed=True)

    def _land_result(self, context: Context, *, is_resumed: bool = False) -> dict[str, Any]:
        with fail_without_retry():
            self.convert_arguments()
            rewriting = read_rewriting(self.row_key, self.row_key_fields, self.protect, self.digest_key)
            task_log = TaskLog(self.log, self.hook, is_resumed=is_resumed)
            query = self._query(context)
            task_log.log_result(self.request_hash, query, self.output_path, rewriting)
            landed, outcome = self.again_if_truncated(lambda: self._fetch_and_land(query, rewriting))
            self.announce(context, outcome, by_day=self.partition_by_day)
            task_log.log_landed(landed)
            task_log.log_end()
            return self.push_each(context, landed)

    def _fetch_and_land(self, query: CallListQuery | None, rewriting: Rewriting) -> tuple[dict[str, Any], Outcome]:
        hashes = [self.request_hash]
        with self.wait_until_ready(None, self.request_hash, request_hashes=hashes, query=query) as result:
            if isinstance(result, RecordFile):
                return self._land_recording(result)
            return self._land_calls(result, query, rewriting)

    def _query(self, context: Context) -> CallListQuery | None:
        """The query whose period rows are cut to, if they are."""
        if not self.period_start and not self.period_end:
            return None
        zone, field = self.hook.settings.zone, self.hook.settings.start_time_field
        if field is None:
            raise AlloincognitoQueryError(
                "period_start and period_end are given, but not the field that holds a call's start, so rows outside "
                "the period cannot be removed. Set start_time_field, here or in the Connection, or leave out the "
                "period."
            )
        start, end = resolve_period(context, self.period_start, self.period_end, zone, allow_incomplete=True)
        return CallListQuery.checked(period_start=start, period_end=end)

    def _land_calls(
        self, calls: CallList, query: CallListQuery | None, rewriting: Rewriting
    ) -> tuple[dict[str, Any], Outcome]:
        from airflow_provider_alloincognito.landing.calls import land_calls

        landed = land_calls(
            calls.batches(),
            self.output_path,
            file_format=self.file_format,
            schema=self.schema,
            timezone=self.hook.settings.timezone,
            unknown_fields=self.unknown_fields,
            rewriting=rewriting,
            min_rows=self.min_rows,
            escape_formulas=self.escape_formulas,
            metadata=lambda: file_metadata([calls.request_hash]),
        )
        hashes = [calls.request_hash or self.request_hash]
        settings = self.hook.settings
        outcome = Outcome.of_calls(landed, settings.request_result_path, hashes, query, settings.zone)
        return {**landed.summary(), "request_hashes": hashes}, outcome

    def _land_recording(self, recording: RecordFile) -> tuple[dict[str, Any], Outcome]:
        from airflow_provider_alloincognito.landing.recordings import land_recording

        line = land_recording(lambda _: recording, self.request_hash, self.output_path)
        result = {"path": line.path, "bytes": line.bytes, "sha256": line.sha256, "status": line.status}
        return result, Outcome.of_recording(line, self.hook.settings.request_result_path, self.request_hash)
