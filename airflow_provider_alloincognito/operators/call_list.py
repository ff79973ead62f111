"""The operator that lands a call list."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_alloincognito.api.errors import (
    AlloincognitoApiError,
    AlloincognitoCutOffError,
    AlloincognitoError,
    AlloincognitoResponseError,
)
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList, RecordFile
from airflow_provider_alloincognito.api.rows import RowBatch
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.landing.errors import AlloincognitoTooFewRowsError
from airflow_provider_alloincognito.landing.rows import land_rows
from airflow_provider_alloincognito.operators.asked import AskedRequests
from airflow_provider_alloincognito.operators.base import AlloincognitoWaitingOperator, file_metadata
from airflow_provider_alloincognito.operators.fields import with_fields
from airflow_provider_alloincognito.operators.final import final_errors
from airflow_provider_alloincognito.operators.numbers import read_numbers
from airflow_provider_alloincognito.operators.period import period_of
from airflow_provider_alloincognito.triggers.events import ready_event

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class AlloincognitoCallListOperator(AlloincognitoWaitingOperator):
    """
    Land the calls of a period in a file, whole or not at all.

    :param output_path: the file (any ``ObjectStoragePath``, such as ``s3://conn_id@bucket/key``); None only asks, and
        gives the ``requestHash`` to fetch the result by.
    :param period_start: first moment; default the data interval's start. Without a zone it is in the API's.
    :param period_end: moment after the period; default the data interval's end.
    :param numbers: list only the calls of these: a list, a text with commas, or the path of a file with one a line.
        Rendered as a template, but not shown in the UI's rendered fields.
    :param direction: ``all`` (default), ``outgoing``, ``incoming``, or the API's 0, 1, 2.
    :param duration_from: shortest call, in seconds.
    :param duration_to: longest call, in seconds.
    :param is_call_record: True for only the calls that have a recording.
    :param is_read: the API's voicemail flag, 0 or 1; no limit by default.
    :param file_format: ``parquet``, ``jsonl`` or ``csv``; default by the path's suffix (with ``.gz`` or ``.zst`` for
        texts), which it must not contradict.
    :param schema: column name to type name, or the path of a JSON file with that; inferred by default. A period without
        calls has columns only by a schema: without one, many readers refuse its Parquet or CSV file.
    :param start_time_field: the row's field with the call's start: rows are then cut to the period exactly, whatever
        the stand takes ``periodEnd`` for. Default the Connection's setting of that name.
    :param required_fields: it is an error if there are rows, and one of these fields is in none of them.
    :param unknown_fields: ``keep`` fields that the schema does not name (default), or ``refuse`` them.
    :param min_rows: fewer rows are an error, before anything is replaced.
    :param window: longest period of one request; a longer one is split.
    :param allow_incomplete: accept a period that has not ended yet.
    :param deferrable: wait for a result that is not ready without holding a worker; default
        ``[operators] default_deferrable``.
    :param poll_interval: seconds to the first question for a result that is not ready; deferred, the waits grow.
    :param wait_timeout: seconds after which to give up waiting for one result.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :return: ``path``, ``format``, ``rows``, ``bytes``, ``request_hashes``, and ``period_start``, ``period_end`` as
        they were sent.
    :raises AlloincognitoQueryError: before anything is sent, if the query cannot be meant. Not retried.
    :raises AlloincognitoAuthError: if the authorization token is not accepted. Not retried.
    """

    template_fields: Sequence[str] = (
        "alloincognito_conn_id",
        "output_path",
        "period_start",
        "period_end",
        "direction",
        "duration_from",
        "duration_to",
        "is_call_record",
        "is_read",
        "file_format",
        "schema",
        "start_time_field",
        "required_fields",
    )
    template_fields_renderers = {"schema": "json"}  # noqa: RUF012 - Airflow declares it as an instance's

    def __init__(
        self,
        *,
        output_path: str | ObjectStoragePath | None = None,
        period_start: datetime | str | None = None,
        period_end: datetime | str | None = None,
        numbers: Iterable[str] | str | None = None,
        direction: int | str | None = None,
        duration_from: int | str | None = None,
        duration_to: int | str | None = None,
        is_call_record: bool | str | None = None,
        is_read: int | str | None = None,
        file_format: str | None = None,
        schema: Mapping[str, str] | str | None = None,
        start_time_field: str | None = None,
        required_fields: Iterable[str] | str = (),
        unknown_fields: Literal["keep", "refuse"] = "keep",
        min_rows: int = 0,
        window: timedelta | None = None,
        allow_incomplete: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output_path
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
        self.min_rows = min_rows
        self.window = window
        self.allow_incomplete = allow_incomplete

    @cached_property
    def hook(self) -> AlloincognitoHook:
        """The hook, made when the task runs."""
        field = self.start_time_field or None
        if self.output_path is None:
            field = ""  # whoever fetches the rows may not cut them: then the request has to be exact
        return AlloincognitoHook(self.alloincognito_conn_id, start_time_field=field)

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, and land."""
        return self._ask_and_land(context)

    def resume(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on once the trigger says that a result is ready: what has been asked is fetched by its hash."""
        with final_errors():
            hashes = ready_event(event).asked
        return self._ask_and_land(context, hashes)

    def _ask_and_land(self, context: Context, hashes: Sequence[str | None] = ()) -> dict[str, Any]:
        with final_errors():
            query = self._query(context)
            windows = query.split(self.window, self.hook.settings.zone)
            bodies = [window.body(self.hook.settings) for window in windows]
            asked = AskedRequests(context, bodies, self.hook.access.authorization_token)
            asked.restore(hashes)
            if self.output_path is None:
                self._ask(windows, asked)
                manifest: dict[str, Any] = {"path": None, "format": None, "rows": None, "bytes": 0}
            else:
                batches = with_fields(self._batches(windows, asked), self.required_fields)
                try:
                    manifest = self._land(batches, self.output_path, query, asked)
                except AlloincognitoTooFewRowsError:
                    asked.forget_all()  # by their hashes, the same few may come for ever
                    raise
            asked.forget_all()
            return {**manifest, "request_hashes": asked.hashes, **self._sent_period(query)}

    def _query(self, context: Context) -> CallListQuery:
        start, end = period_of(
            context,
            self.period_start,
            self.period_end,
            self.hook.settings.zone,
            allow_incomplete=self.allow_incomplete,
        )
        return CallListQuery.checked(
            period_start=start,
            period_end=end,
            numbers=read_numbers(self.render_template(self.numbers, context)),
            direction=self.direction,
            duration_from=self.duration_from,
            duration_to=self.duration_to,
            is_call_record=self.is_call_record,
            is_read=self.is_read,
        )

    def _ask(self, windows: list[CallListQuery], asked: AskedRequests) -> None:
        """Come by each window's hash; what else the answers hold is left to whoever fetches it."""
        for index, window in enumerate(windows):
            if asked.hashes[index] is None:
                with self.hook.list_calls(window) as calls:
                    if calls.request_hash is None and not calls.is_pending:
                        deque(calls.batches(), maxlen=0)
                    asked.note(index, calls.request_hash)

    def _batches(self, windows: list[CallListQuery], asked: AskedRequests) -> Iterator[RowBatch]:
        """Rows of one window after the other."""
        for index in range(len(windows)):
            with self._result(index, windows, asked) as calls:
                try:
                    if not isinstance(calls, CallList):
                        raise AlloincognitoResponseError("The requestHash of a call list stands for a recording.")
                    yield from calls.batches()
                except AlloincognitoCutOffError:
                    raise
                except AlloincognitoError:
                    asked.forget(index)  # by its hash, the same may come for ever
                    raise
                asked.note(index, calls.request_hash)

    def _result(self, index: int, windows: list[CallListQuery], asked: AskedRequests) -> CallList | RecordFile:
        """A window's result: by the hash of an earlier try, or asked for."""
        window, wait_for = windows[index], None
        result = self._earlier_result(index, window, asked) or self.hook.list_calls(window)
        asked.note(index, result.request_hash)
        if result.is_pending and self.deferrable and None in asked.hashes:
            # Whoever defers begins again: one wait for the last of all, not one for each.
            result.close()
            self._ask(windows, asked)
            wait_for = asked.hashes[-1]
        return self.ready(result, asked.hashes[index], query=window, asked=asked.hashes, wait_for=wait_for)

    def _earlier_result(self, index: int, window: CallListQuery, asked: AskedRequests) -> CallList | RecordFile | None:
        request_hash = asked.hashes[index]
        if request_hash is None:
            return None
        try:
            return self.hook.get_request_result(request_hash, window)
        except AlloincognitoCutOffError:
            raise
        except (AlloincognitoApiError, AlloincognitoResponseError) as error:
            self.log.info("The result of request %s cannot be had any more (%s); asking anew", request_hash, error)
            asked.forget(index)
            return None

    def _land(
        self,
        batches: Iterator[RowBatch],
        path: str | ObjectStoragePath,
        query: CallListQuery,
        asked: AskedRequests,
    ) -> dict[str, Any]:
        landed = land_rows(
            batches,
            ObjectStoragePath(path),
            file_format=self.file_format,
            schema=self.schema,
            timezone=self.hook.settings.timezone,
            unknown_fields=self.unknown_fields,
            min_rows=self.min_rows,
            metadata=lambda: file_metadata(asked.hashes, **self._sent_period(query)),
        )
        return asdict(landed)

    def _sent_period(self, query: CallListQuery) -> dict[str, str]:
        body = query.body(self.hook.settings)
        return {"period_start": body["periodStart"], "period_end": body["periodEnd"]}
