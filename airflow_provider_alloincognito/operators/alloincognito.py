"""The operators: call lists, recordings and results by hash become files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowException, BaseOperator, ObjectStoragePath, conf

from airflow_provider_alloincognito import __version__
from airflow_provider_alloincognito.api.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList, RecordFile
from airflow_provider_alloincognito.api.rows import RowBatch
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.landing.recordings import land_recording, land_recordings
from airflow_provider_alloincognito.landing.rows import LandedRows, land_rows
from airflow_provider_alloincognito.operators.fields import with_fields
from airflow_provider_alloincognito.operators.final import final_errors
from airflow_provider_alloincognito.operators.numbers import read_numbers
from airflow_provider_alloincognito.operators.period import period_of
from airflow_provider_alloincognito.operators.waiting import ready_result

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

POLL_INTERVAL = 30.0
WAIT_TIMEOUT = 3600.0


class AlloincognitoOperator(BaseOperator):
    """What the operators have in common."""

    ui_color = "#e8f0d8"

    def __init__(self, *, alloincognito_conn_id: str = AlloincognitoHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alloincognito_conn_id = alloincognito_conn_id

    @cached_property
    def hook(self) -> AlloincognitoHook:
        """The hook, made when the task runs."""
        return AlloincognitoHook(self.alloincognito_conn_id)


class AlloincognitoCallListOperator(AlloincognitoOperator):
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
    :param file_format: ``parquet``, ``jsonl`` or ``csv``; default by the path's suffix, ``.gz`` and ``.zst`` for texts.
    :param schema: column name to type name, or the path of a JSON file with that; inferred by default.
    :param start_time_field: the row's field with the call's start: rows are then cut to the period exactly, whatever
        the stand takes ``periodEnd`` for. Default the Connection's setting of that name.
    :param required_fields: it is an error if there are rows, and one of these fields is in none of them.
    :param unknown_fields: ``keep`` fields that the schema does not name (default), or ``refuse`` them.
    :param min_rows: fewer rows are an error, before anything is replaced.
    :param window: longest period of one request; a longer one is split.
    :param allow_incomplete: accept a period that has not ended yet.
    :param deferrable: wait for a result that is not ready without holding a worker.
    :param poll_interval: seconds between two questions for a result that is not ready.
    :param wait_timeout: seconds after which to give up waiting.
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
        required_fields: Iterable[str] = (),
        unknown_fields: Literal["keep", "refuse"] = "keep",
        min_rows: int = 0,
        window: timedelta | None = None,
        allow_incomplete: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = POLL_INTERVAL,
        wait_timeout: float = WAIT_TIMEOUT,
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
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.wait_timeout = wait_timeout

    @cached_property
    def hook(self) -> AlloincognitoHook:
        """The hook, made when the task runs."""
        return AlloincognitoHook(self.alloincognito_conn_id, start_time_field=self.start_time_field)

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, and land."""
        with final_errors():
            query = self._query(context)
            hashes: list[str | None] = []
            batches = with_fields(self._batches(query.split(self.window), hashes), self.required_fields)
            if self.output_path is None:
                rows = sum(len(batch) for batch in batches)
                manifest: dict[str, Any] = {"path": None, "format": None, "rows": rows, "bytes": 0}
            else:
                landed = self._land(batches, self.output_path, query, hashes)
                manifest = _manifest(landed)
            return {**manifest, "request_hashes": hashes, **self._sent_period(query)}

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

    def _batches(self, queries: list[CallListQuery], hashes: list[str | None]) -> Iterator[RowBatch]:
        """Rows of one window after the other, and the hash of each."""
        for query in queries:
            with self.hook.list_calls(query) as asked:
                if self.output_path is None and asked.is_pending:
                    hashes.append(asked.request_hash)
                    continue
                with self._ready(asked, query) as calls:
                    yield from calls.batches()
                    hashes.append(calls.request_hash or asked.request_hash)

    def _ready(self, asked: CallList, query: CallListQuery) -> CallList:
        result = ready_result(
            self.hook, asked, poll_interval=self.poll_interval, wait_timeout=self.wait_timeout, query=query
        )
        assert isinstance(result, CallList)
        return result

    def _land(
        self, batches: Iterator[RowBatch], path: str | ObjectStoragePath, query: CallListQuery, hashes: list[str | None]
    ) -> LandedRows:
        return land_rows(
            batches,
            ObjectStoragePath(path),
            file_format=self.file_format,
            schema=self.schema,
            timezone=self.hook.settings.timezone,
            unknown_fields=self.unknown_fields,
            min_rows=self.min_rows,
            metadata=lambda: {
                "alloincognito.request_hashes": ",".join(filter(None, hashes)),
                "alloincognito.provider_version": __version__,
                **{f"alloincognito.{key}": value for key, value in self._sent_period(query).items()},
            },
        )

    def _sent_period(self, query: CallListQuery) -> dict[str, str]:
        body = query.body(self.hook.settings)
        return {"period_start": body["periodStart"], "period_end": body["periodEnd"]}


class AlloincognitoRecordingOperator(AlloincognitoOperator):
    """
    Land recordings as ``<recordFileId>.mp3``, and a manifest with a line for each.

    A recording that fails does not keep the others from landing. Running again fetches only what is missing.

    :param output_path: the folder (any ``ObjectStoragePath``).
    :param record_file_ids: the ids; give these or ``calls``.
    :param calls: the file that :class:`AlloincognitoCallListOperator` landed, whose rows hold the ids.
    :param record_file_id_field: the rows' field with the id; default the Connection's setting of that name.
    :param concurrency: how many recordings to fetch at a time, by threads over one connection pool.
    :param skip_existing: do not fetch again what is there.
    :param on_error: ``fail`` the task after all have been tried (default), or ``skip`` those that failed.
    :param manifest_path: the manifest's file; default ``manifest.jsonl`` in the folder.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :return: ``manifest``, ``fetched``, ``skipped``, ``failed``, ``bytes``.
    :raises AlloincognitoAuthError: if the authorization token is not accepted. Not retried.
    """

    template_fields: Sequence[str] = (
        "alloincognito_conn_id",
        "output_path",
        "record_file_ids",
        "calls",
        "record_file_id_field",
        "manifest_path",
    )

    def __init__(
        self,
        *,
        output_path: str | ObjectStoragePath,
        record_file_ids: Iterable[str] | None = None,
        calls: str | ObjectStoragePath | None = None,
        record_file_id_field: str | None = None,
        concurrency: int = 4,
        skip_existing: bool = True,
        on_error: Literal["fail", "skip"] = "fail",
        manifest_path: str | ObjectStoragePath | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output_path
        self.record_file_ids = record_file_ids
        self.calls = calls
        self.record_file_id_field = record_file_id_field
        self.concurrency = concurrency
        self.skip_existing = skip_existing
        self.on_error = on_error
        self.manifest_path = manifest_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch all, then judge."""
        with final_errors():
            landed = land_recordings(
                self.hook.get_call_record_file,
                self._ids(),
                ObjectStoragePath(self.output_path),
                manifest=ObjectStoragePath(self.manifest_path) if self.manifest_path else None,
                concurrency=self.concurrency,
                skip_existing=self.skip_existing,
            )
        if landed.failed and self.on_error == "fail":
            raise AirflowException(
                f"{landed.failed} recordings could not be fetched; the other {landed.fetched + landed.skipped} are "
                f"there. The manifest says which failed and why: {landed.manifest}. A retry fetches only those that "
                "are missing; on_error='skip' makes do without them."
            )
        return {
            "manifest": landed.manifest,
            "fetched": landed.fetched,
            "skipped": landed.skipped,
            "failed": landed.failed,
            "bytes": landed.bytes,
        }

    def _ids(self) -> Iterable[str]:
        if (self.record_file_ids is None) == (self.calls is None):
            raise AlloincognitoQueryError(
                "Give either record_file_ids (a list) or calls (the path that the call-list operator gave)."
            )
        if self.calls is not None:
            from airflow_provider_alloincognito.landing.record_file_ids import read_record_file_ids

            field = self.record_file_id_field or self.hook.settings.record_file_id_field
            return read_record_file_ids(ObjectStoragePath(self.calls), field)
        return list(self.record_file_ids or ())


class AlloincognitoRequestResultOperator(AlloincognitoOperator):
    """
    Land the result of an earlier request: calls, or a recording.

    :param request_hash: ``requestHash`` of any answer, raw.
    :param output_path: the file (any ``ObjectStoragePath``).
    :param file_format: for calls; see :class:`AlloincognitoCallListOperator`.
    :param schema: for calls; likewise.
    :param unknown_fields: for calls; likewise.
    :param min_rows: for calls; likewise.
    :param deferrable: wait for a result that is not ready without holding a worker.
    :param poll_interval: seconds between two questions for a result that is not ready.
    :param wait_timeout: seconds after which to give up waiting.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :return: for calls ``path``, ``format``, ``rows``, ``bytes``, ``request_hashes``; for a recording ``path``,
        ``bytes``, ``sha256``, ``status``.
    :raises AlloincognitoApiError: if the hash is unknown or has expired.
    :raises AlloincognitoAuthError: if the authorization token is not accepted. Not retried.
    """

    template_fields: Sequence[str] = ("alloincognito_conn_id", "request_hash", "output_path", "file_format", "schema")
    template_fields_renderers = {"schema": "json"}  # noqa: RUF012 - Airflow declares it as an instance's

    def __init__(
        self,
        *,
        request_hash: str,
        output_path: str | ObjectStoragePath,
        file_format: str | None = None,
        schema: Mapping[str, str] | str | None = None,
        unknown_fields: Literal["keep", "refuse"] = "keep",
        min_rows: int = 0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = POLL_INTERVAL,
        wait_timeout: float = WAIT_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request_hash = request_hash
        self.output_path = output_path
        self.file_format = file_format
        self.schema = schema
        self.unknown_fields = unknown_fields
        self.min_rows = min_rows
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.wait_timeout = wait_timeout

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch, and land."""
        with final_errors():
            asked = self.hook.get_request_result(self.request_hash)
            ready = ready_result(self.hook, asked, poll_interval=self.poll_interval, wait_timeout=self.wait_timeout)
            with ready as result:
                if isinstance(result, RecordFile):
                    return self._land_recording(result)
                return self._land_calls(result)

    def _land_calls(self, calls: CallList) -> dict[str, Any]:
        landed = land_rows(
            calls.batches(),
            ObjectStoragePath(self.output_path),
            file_format=self.file_format,
            schema=self.schema,
            timezone=self.hook.settings.timezone,
            unknown_fields=self.unknown_fields,
            min_rows=self.min_rows,
            metadata=lambda: {
                "alloincognito.request_hashes": calls.request_hash or "",
                "alloincognito.provider_version": __version__,
            },
        )
        return {**_manifest(landed), "request_hashes": [calls.request_hash or self.request_hash]}

    def _land_recording(self, recording: RecordFile) -> dict[str, Any]:
        line = land_recording(lambda _: recording, self.request_hash, ObjectStoragePath(self.output_path))
        return {"path": line.path, "bytes": line.bytes, "sha256": line.sha256, "status": line.status}


def _manifest(landed: LandedRows) -> dict[str, Any]:
    return {"path": landed.path, "format": landed.format, "rows": landed.rows, "bytes": landed.bytes}
