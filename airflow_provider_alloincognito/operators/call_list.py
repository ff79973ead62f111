"""The operator that lands a call list."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList, RecordFile
from airflow_provider_alloincognito.compat import ObjectStoragePath
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoError,
    AlloincognitoResponseError,
    AlloincognitoTooFewRowsError,
)
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.arguments import (
    FILE_OF_CALLS,
    WAITING,
    boolean,
    length,
    refuse_missing,
)
from airflow_provider_alloincognito.operators.base import AlloincognitoWaitingOperator, file_metadata
from airflow_provider_alloincognito.operators.failures import fail_without_retry
from airflow_provider_alloincognito.operators.numbers import (
    HiddenNumbers,
    PartlyHidden,
    hidden,
    read_numbers,
    revealed,
)
from airflow_provider_alloincognito.operators.outcome import Outcome
from airflow_provider_alloincognito.operators.period import format_interval, resolve_period
from airflow_provider_alloincognito.operators.rewriting import read_rewriting
from airflow_provider_alloincognito.operators.submitted import SubmittedRequests
from airflow_provider_alloincognito.operators.task_log import TaskLog
from airflow_provider_alloincognito.scrubbing import scrub_hash

if TYPE_CHECKING:
    import jinja2

    from airflow_provider_alloincognito.api.answer.rows import RowBatch
    from airflow_provider_alloincognito.compat import Context
    from airflow_provider_alloincognito.landing.calls import LandedCalls
    from airflow_provider_alloincognito.landing.rewriting import Rewriting


class AlloincognitoCallListOperator(AlloincognitoWaitingOperator):
    """
    Land the calls of a period in a file, whole or not at all.

    All arguments take templates and the outputs of other tasks, here and in the other operators. A value that was
    given and turns out to be None or an empty text is an error. Templates may use ``period_start`` and ``period_end``,
    the period's ends in the API's zone: ``{{ period_start | ds }}``.

    :param output_path: the file (any ``ObjectStoragePath``, such as ``s3://conn_id@bucket/key``); None only submits
        the request and returns its ``requestHash``, to fetch the result by.
    :param period_start: first moment; default the run's param of this name, see
        :func:`~airflow_provider_alloincognito.operators.period.period_params`, or else the data interval's start.
        Without a zone it is in the API's.
    :param period_end: moment after the period; default likewise.
    :param numbers: list only the calls of these numbers: a list, a text with commas, or the path of a file with one a
        line. The UI shows only how many there are, or the path.
    :param direction: ``all`` (default), ``outgoing``, ``incoming``, or the API's 0, 1, 2.
    :param duration_from: shortest call, in seconds.
    :param duration_to: longest call, in seconds.
    :param is_call_record: True for only the calls that have a recording.
    :param is_read: the API's voicemail flag, 0 or 1; no limit by default.
    :param file_format: ``parquet``, ``jsonl`` or ``csv``; default by the path's suffix (with ``.gz`` or ``.zst`` for
        text), which it must not contradict.
    :param schema: column name to type name, or the path of a JSON file with that; inferred by default. Give one
        wherever files are read together: inferred types may differ from file to file. A period without calls has
        columns only by a schema: without one, many readers refuse its Parquet or CSV file.
    :param start_time_field: the row's field with the call's start: rows are then cut to the period exactly, whatever
        the server does at ``periodEnd``. Default the Connection's setting of that name.
    :param required_fields: fail if there are rows and none of them has one of these fields.
    :param unknown_fields: ``keep`` fields that the schema does not name (default), ``refuse`` them, or ``drop`` them:
        only the schema's land.
    :param row_key: name of a text column to add, the first: a key of each row, the same on every try and in every
        format.
    :param row_key_fields: the fields of the row, as it lands, that identify a call; all by default.
    :param protect: field to ``digest`` or ``mask``: what lands in place of its numbers, as text. A mapping, or its
        JSON text.
    :param digest_key: where the secret key of digests is: ``variable://<name of a Variable>``, or
        ``connection://<id of a Connection>`` for its password; at least 16 characters.
    :param min_rows: fail if there are fewer rows, before anything is replaced.
    :param escape_formulas: put an apostrophe before each text in a CSV file that spreadsheets would take for a formula.
    :param window: longest period of one request, as a timedelta or in seconds; a longer one is split.
    :param allow_incomplete: accept a period that has not ended yet.
    :param partition_by_day: emit an asset event for each day of the period, with the day as its partition key (Airflow
        3.3). Such events start only DAGs that are scheduled by partitions.
    :param ready_check: dotted path of a function that takes a response's
        :class:`~airflow_provider_alloincognito.api.answer.envelope.Envelope` and returns whether the result is ready;
        decided by the Connection's settings by default.
    :param deferrable: wait for a result that is not ready without occupying a worker; default
        ``[operators] default_deferrable``.
    :param poll_interval: seconds, or a timedelta, to the first poll for a result that is not ready; 30 s by default.
        Deferred, the intervals grow.
    :param wait_timeout: seconds, or a timedelta, after which to stop waiting for one result; an hour by default.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :return: ``path``, ``format``, ``rows``, ``bytes``, ``request_hashes``, and ``period_start``, ``period_end`` as
        they were sent, and ``timezone``, the zone that they are in; ``interval``, the period in ISO 8601, with offsets.
    :raises AlloincognitoQueryError: before anything is sent, if an argument is invalid. Not retried.
    :raises AlloincognitoAuthError: if the authorization token is not accepted. Not retried.
    """

    # In the order in which they are rendered: the others' templates may use the period.
    template_fields: Sequence[str] = (
        "alloincognito_conn_id",
        "period_start",
        "period_end",
        "output_path",
        "numbers",
        "direction",
        "duration_from",
        "duration_to",
        "is_call_record",
        "is_read",
        "file_format",
        "schema",
        "start_time_field",
        "required_fields",
        "unknown_fields",
        "row_key",
        "row_key_fields",
        "protect",
        "digest_key",
        "min_rows",
        "escape_formulas",
        "window",
        "allow_incomplete",
        "partition_by_day",
        "ready_check",
        "deferrable",
        "poll_interval",
        "wait_timeout",
    )
    template_fields_renderers = {"schema": "json", "protect": "json"}  # noqa: RUF012 - Airflow declares it as an instance's
    converters = {**FILE_OF_CALLS, **WAITING, "window": length, "allow_incomplete": boolean}  # noqa: RUF012

    def __init__(
        self,
        *,
        output_path: str | ObjectStoragePath | None = None,
        period_start: datetime | str | None = None,
        period_end: datetime | str | None = None,
        numbers: Iterable[str | int] | str | int | None = None,
        direction: int | str | None = None,
        duration_from: int | str | None = None,
        duration_to: int | str | None = None,
        is_call_record: bool | str | None = None,
        is_read: int | str | None = None,
        file_format: str | None = None,
        schema: Mapping[str, str] | str | None = None,
        start_time_field: str | None = None,
        required_fields: Iterable[str] | str = (),
        unknown_fields: Literal["keep", "refuse", "drop"] = "keep",
        row_key: str | None = None,
        row_key_fields: Sequence[str] | str = (),
        protect: Mapping[str, str] | str | None = None,
        digest_key: str | None = None,
        min_rows: int = 0,
        escape_formulas: bool = False,
        window: timedelta | float | None = None,
        allow_incomplete: bool = False,
        partition_by_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = cast("ObjectStoragePath | None", output_path)  # see `converters`
        self.period_start = period_start
        self.period_end = period_end
        self.numbers = numbers
        self.direction = direction
        self.duration_from = duration_from
        self.duration_to = duration_to
        self.is_call_record = is_call_record
        self.is_read = is_read
        self.file_format = file_format
        self.schema = schema
        self.start_time_field = start_time_field
        self.required_fields = required_fields
        self.unknown_fields = unknown_fields
        self.row_key = row_key
        self.row_key_fields = row_key_fields
        self.protect = cast("Mapping[str, str] | None", protect)  # see `converters`
        self.digest_key = digest_key
        self.min_rows = min_rows
        self.escape_formulas = escape_formulas
        self.window = cast("timedelta | None", window)  # likewise
        self.allow_incomplete = allow_incomplete
        self.partition_by_day = partition_by_day
        if output_path is not None:
            self.add_own_outlet()

    @property
    def numbers(self) -> Any:
        """What Airflow may render, see and show of the argument."""
        return hidden(self._numbers)

    @numbers.setter
    def numbers(self, numbers: Any) -> None:
        self._numbers = revealed(numbers)

    def arguments_with(self, content: Any) -> list[str]:
        """Return the arguments that have just this value, also for numbers."""
        if content is not None and (content is self._numbers or isinstance(content, PartlyHidden)):
            return ["numbers"]
        return super().arguments_with(content)

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render as the other operators do, and hidden numbers too."""
        if isinstance(content, HiddenNumbers):
            rendered = super().render_template(content.numbers, context, jinja_env, seen_oids)
            with fail_without_retry():
                refuse_missing("numbers", content.numbers, rendered)
            return HiddenNumbers(rendered)
        return super().render_template(content, context, jinja_env, seen_oids)

    @cached_property
    def hook(self) -> AlloincognitoHook:
        """The hook, made when the task runs."""
        field = self.start_time_field or None
        if self.output_path is None:
            field = ""  # the rows are fetched elsewhere and may not be cut there: the request has to be exact
        return AlloincognitoHook(self.alloincognito_conn_id, start_time_field=field, ready_check=self.ready_check)

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit the requests and land their results."""
        return self._submit_and_land(context)

    def resume(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on after the trigger's event: results of submitted requests are fetched by their hashes."""
        from airflow_provider_alloincognito.triggers.alloincognito import ready_event

        with fail_without_retry():
            hashes = ready_event(event, self.log).request_hashes
        return self._submit_and_land(context, hashes)

    def _submit_and_land(self, context: Context, hashes: Sequence[str | None] = ()) -> dict[str, Any]:
        with fail_without_retry():
            self.convert_arguments()
            rewriting = read_rewriting(self.row_key, self.row_key_fields, self.protect, self.digest_key)
            task_log = TaskLog(self.log, self.hook, is_resumed=bool(hashes))
            query = self._query(context)
            windows = query.split(self.window, self.hook.settings.zone)
            task_log.log_call_list(query, len(windows), self.output_path, rewriting)
            fields = [window.fields(self.hook.settings) for window in windows]
            submitted = SubmittedRequests(context, fields, self.hook.access.authorization_token)
            submitted.restore(hashes)
            if self.output_path is None:
                self.again_if_truncated(lambda: self._submit(windows, submitted))
                summary: dict[str, Any] = {"path": None, "format": None, "rows": None, "bytes": 0}
            else:
                landed = self._land(windows, submitted, self.output_path, query, rewriting)
                summary = landed.summary()
                settings = self.hook.settings
                outcome = Outcome.of_calls(landed, settings.call_list_path, submitted.hashes, query, settings.zone)
                self.announce(context, outcome, by_day=self.partition_by_day)
                task_log.log_landed(summary)
            task_log.log_end(submitted.hashes)
            submitted.forget_all()
            zone = self.hook.settings.zone
            interval = format_interval(query.period_start.astimezone(zone), query.period_end.astimezone(zone))
            period = {**self._sent_period(query), "timezone": self.hook.settings.timezone, "interval": interval}
            return self.push_each(context, {**summary, "request_hashes": submitted.hashes, **period})

    def _query(self, context: Context) -> CallListQuery:
        start, end = resolve_period(
            context,
            self.period_start,
            self.period_end,
            self.hook.settings.zone,
            allow_incomplete=self.allow_incomplete,
        )
        return CallListQuery.checked(
            period_start=start,
            period_end=end,
            numbers=read_numbers(self._numbers),
            direction=self.direction,
            duration_from=self.duration_from,
            duration_to=self.duration_to,
            is_call_record=self.is_call_record,
            is_read=self.is_read,
        )

    def _submit(self, windows: list[CallListQuery], submitted: SubmittedRequests) -> None:
        """Submit each window that has no hash yet and keep its requestHash."""
        for index, window in enumerate(windows):
            if submitted.hashes[index] is None:
                with self.hook.list_calls(window) as calls:
                    if calls.request_hash is None and not calls.is_pending:
                        deque(calls.batches(), maxlen=0)  # the hash follows the rows
                    submitted.add(index, calls.request_hash)

    def _land(
        self,
        windows: list[CallListQuery],
        submitted: SubmittedRequests,
        path: ObjectStoragePath,
        query: CallListQuery,
        rewriting: Rewriting,
    ) -> LandedCalls:
        from airflow_provider_alloincognito.landing.calls import land_calls

        try:
            return self.again_if_truncated(
                lambda: land_calls(
                    self._batches(windows, submitted),
                    path,
                    file_format=self.file_format,
                    schema=self.schema,
                    timezone=self.hook.settings.timezone,
                    unknown_fields=self.unknown_fields,
                    min_rows=self.min_rows,
                    escape_formulas=self.escape_formulas,
                    required_fields=self.required_fields,
                    rewriting=rewriting,
                    metadata=lambda: file_metadata(submitted.hashes, **self._sent_period(query)),
                )
            )
        except AlloincognitoTooFewRowsError:
            submitted.forget_all()  # their hashes would give the same few rows again
            raise

    def _batches(self, windows: list[CallListQuery], submitted: SubmittedRequests) -> Iterator[RowBatch]:
        """Rows of one window after the other."""
        for index in range(len(windows)):
            with self._result(index, windows, submitted) as calls:
                try:
                    if not isinstance(calls, CallList):
                        raise AlloincognitoResponseError("Unexpected response: a recording, not a call list.")
                    yield from calls.batches()
                except AlloincognitoError as error:
                    if not error.transient:
                        submitted.forget(index)  # its hash would give the same again
                    raise
                submitted.add(index, calls.request_hash)

    def _result(self, index: int, windows: list[CallListQuery], submitted: SubmittedRequests) -> CallList | RecordFile:
        """A window's result: by the hash of an earlier try, or by a new request."""
        window = windows[index]
        earlier = self._earlier_result(index, window, submitted)
        if earlier is not None:
            return earlier
        result, wait_for = self.hook.list_calls(window), None
        submitted.add(index, result.request_hash)
        if result.is_pending and self.deferrable and None in submitted.hashes:
            # A task that defers starts again: wait once for the last of all windows, not once for each.
            result.close()
            self._submit(windows, submitted)
            wait_for = submitted.hashes[-1]
        return self.wait_until_ready(
            result, submitted.hashes[index], query=window, request_hashes=submitted.hashes, wait_for=wait_for
        )

    def _earlier_result(
        self, index: int, window: CallListQuery, submitted: SubmittedRequests
    ) -> CallList | RecordFile | None:
        request_hash = submitted.hashes[index]
        if request_hash is None:
            return None
        try:
            return self.wait_until_ready(None, request_hash, query=window, request_hashes=submitted.hashes)
        except (AlloincognitoApiError, AlloincognitoResponseError) as error:
            self.log.info(
                "Submitting request %s again, since its result is not available: %s", scrub_hash(request_hash), error
            )
            submitted.forget(index)
            return None

    def _sent_period(self, query: CallListQuery) -> dict[str, str]:
        start, end = query.sent_period(self.hook.settings)
        return {"period_start": start, "period_end": end}
