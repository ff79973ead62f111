"""The Connection-backed hook."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList, NumbersCheck, RecordFile, RowFilter
from airflow_provider_alloincognito.api.times import parse_moment
from airflow_provider_alloincognito.compat import BaseHook, add_hook_lineage
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.get_provider_info import (
    CONNECTION_FIELDS,
    CONNECTION_LABELS,
    NAME,
    UI_FIELD_BEHAVIOUR,
)
from airflow_provider_alloincognito.scrubbing import without_locals

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.answer.rows import RowBatch
    from airflow_provider_alloincognito.api.methods import ApiRequest
    from airflow_provider_alloincognito.api.settings import Settings
    from airflow_provider_alloincognito.api.transport.client import Client, StreamedAnswer
    from airflow_provider_alloincognito.api.transport.tally import Tally
    from airflow_provider_alloincognito.hooks.connection import Access


_OF_ONE_PROCESS = ("stopped", "_client_lock", "_client", "access", "settings")


class AlloincognitoHook(BaseHook):
    """
    Calls AlloIncognito's integration API, with one token pair for the whole deployment.

    Threads may share a hook. It asks nothing of Airflow or the server before the first method is called.

    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :param start_time_field: the row's field with the call's start, instead of the Connection's setting; ``""`` for
        none: rows are not cut to their period.
    :param ready_check: dotted path of a function that takes a response's
        :class:`~airflow_provider_alloincognito.api.answer.envelope.Envelope` and returns whether the result is ready;
        decided by the Connection's settings by default.
    """

    conn_name_attr = "alloincognito_conn_id"
    default_conn_name = "alloincognito_default"
    conn_type = "alloincognito"
    hook_name = NAME

    def __init__(
        self,
        alloincognito_conn_id: str = default_conn_name,
        *,
        start_time_field: str | None = None,
        ready_check: str | None = None,
    ) -> None:
        super().__init__()
        self.alloincognito_conn_id = alloincognito_conn_id
        self.start_time_field = start_time_field
        self.ready_check = ready_check
        self.stopped = Event()
        """Set it to end all requests and waits of this hook at once."""
        self._client_lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle without what belongs to one process, and without the authorization token."""
        return {name: value for name, value in vars(self).items() if name not in _OF_ONE_PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, stopped=Event(), _client_lock=Lock())

    @cached_property
    def access(self) -> Access:
        """The Connection's settings and authorization token."""
        with without_locals(), self._naming_the_connection():
            return self._read_access()

    @cached_property
    def settings(self) -> Settings:
        """The Connection's settings."""
        if self.start_time_field is None:
            return self.access.settings
        return self.access.settings.replace(start_time_field=self.start_time_field or None)

    def get_conn(self) -> Client:
        """Return the client, for requests that have no method here."""
        with without_locals(), self._naming_the_connection(), self._client_lock:
            return self._client

    @property
    def tally(self) -> Tally:
        """What this hook has sent and received so far, and how long it waited."""
        return self.get_conn().tally

    @cached_property
    def _client(self) -> Client:
        from airflow_provider_alloincognito.api.transport.client import Client
        from airflow_provider_alloincognito.hooks.shared import shared_pair

        return Client(self.settings, *shared_pair(self.settings, self.access.authorization_token), self.stopped)

    def get_call_list(
        self,
        period_start: datetime | str,
        period_end: datetime | str,
        *,
        numbers: Iterable[str] | str | None = None,
        direction: int | str | None = None,
        duration_from: int | None = None,
        duration_to: int | None = None,
        is_call_record: bool | None = None,
        is_read: int | None = None,
    ) -> CallList:
        """
        List the calls of a period.

        :param period_start: first moment; without a zone it is in the API's.
        :param period_end: moment after the period.
        :param numbers: list only calls of these; all by default.
        :param direction: ``all`` (default), ``outgoing``, ``incoming``, or the API's 0, 1, 2.
        :param duration_from: shortest call, in seconds.
        :param duration_to: longest call, in seconds.
        :param is_call_record: True for only the calls that have a recording.
        :param is_read: the API's voicemail flag, 0 or 1; no limit by default.
        :return: a context manager; iterate over it for lists of rows.
        :raises AlloincognitoQueryError: before anything is sent, if an argument is invalid.
        :raises AlloincognitoAuthError: if the authorization token is not accepted.
        :raises AlloincognitoApiError: for the API's own error.
        :raises AlloincognitoResponseError: if the response is not one that the API's description allows.
        """
        query = CallListQuery.checked(
            period_start=self._moment("period_start", period_start),
            period_end=self._moment("period_end", period_end),
            numbers=numbers,
            direction=direction,
            duration_from=duration_from,
            duration_to=duration_to,
            is_call_record=is_call_record,
            is_read=is_read,
        )
        return self.list_calls(query)

    def list_calls(self, query: CallListQuery) -> CallList:
        """As :meth:`get_call_list`, for a query that has been checked already."""
        with self._naming_the_connection():
            answer = self._open(methods.call_list(self.settings, query))
        return CallList(answer, self._row_filter(query), self.ready_check, self.settings)

    def get_call_record_file(self, record_file_id: str, target: Any = None) -> RecordFile:
        """
        Fetch one recording.

        :param record_file_id: from a row's field ``recordFileId``.
        :param target: an ``ObjectStoragePath`` to land the mp3 at, whole or not at all; None to iterate over its
            bytes, in a ``with``, as they arrive.
        :raises AlloincognitoApiError: if there is no such recording.
        """
        with self._naming_the_connection():
            answer = self._open(methods.call_record_file(self.settings, record_file_id))
        recording = RecordFile(answer, self.ready_check)
        if target is not None:
            from airflow_provider_alloincognito.landing.recordings import land_recording
            from airflow_provider_alloincognito.landing.stores.targets import plain_uri

            line = land_recording(lambda _: recording, record_file_id, target)
            add_hook_lineage(self, "output", plain_uri(line.path or ""))
        return recording

    def get_request_result(
        self, request_hash: str, query: CallListQuery | None = None, *, deadline: float = math.inf
    ) -> CallList | RecordFile:
        """
        Fetch the result of an earlier request.

        :param request_hash: ``requestHash`` of any response, as it came: it is percent-encoded once when sent.
        :param query: the call list's query, if rows are to be cut to its period.
        :param deadline: monotonic seconds (``time.monotonic()``) at which the result is no longer needed.
        :return: whichever the request was; it may be pending.
        :raises AlloincognitoApiError: if the hash is unknown or has expired (assumed: any error of the API's).
        """
        with self._naming_the_connection():
            answer = self._open(methods.request_result(self.settings, request_hash), deadline=deadline)
        if answer.envelope is not None and answer.envelope.file_content == "string":
            return RecordFile(answer, self.ready_check)
        return CallList(answer, self._row_filter(query) if query is not None else None, self.ready_check)

    def test_connection(self) -> tuple[bool, str]:
        """
        Check a Connection, for Airflow's test button and ``airflow connections test``.

        It makes a token pair, which would end the one in use, only if the setting ``test_makes_pair`` allows it.

        :return: whether all is well enough to work, and what was found, the bad news first.
        """
        from airflow_provider_alloincognito.hooks.connection_check import report, run_checks

        with without_locals():
            return report(run_checks(self._read_access))

    def _read_access(self) -> Access:
        from airflow_provider_alloincognito.hooks.connection import find_connection, read_connection

        return read_connection(find_connection(self.alloincognito_conn_id))

    def _moment(self, argument: str, given: datetime | str) -> datetime:
        zone = self.settings.zone  # an invalid setting is a ValueError, too
        try:
            return parse_moment(given, zone)
        except ValueError:
            raise AlloincognitoQueryError(
                f"{argument} is not a valid time. Give a datetime or a text such as '2026-03-01 00:00:00' or "
                "'2026-03-01T00:00:00+03:00'."
            ) from None

    def _row_filter(self, query: CallListQuery) -> Callable[[RowBatch], RowBatch]:
        field, check = self.settings.start_time_field, NumbersCheck(query.numbers)
        if field is None:
            return check
        cut = RowFilter(field, query.period_start, query.period_end, self.settings.zone)
        return lambda batch: check(cut(batch))

    def _open(self, request: ApiRequest, *, deadline: float = math.inf) -> StreamedAnswer:
        add_hook_lineage(self, "input", methods.endpoint(self.settings, request.method))
        return self.get_conn().open(request, deadline=deadline)

    def _naming_the_connection(self) -> AbstractContextManager[None]:
        from airflow_provider_alloincognito.hooks.connection import naming_the_connection

        return naming_the_connection(self.alloincognito_conn_id)

    # Airflow 2.11's form; Airflow 3 reads the same definition from the provider info.

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The fields of the Connection's form."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import StringField

        return {
            name: StringField(CONNECTION_LABELS[name], description=field["description"], widget=BS3TextFieldWidget())
            for name, field in CONNECTION_FIELDS.items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Labels and hidden fields of the Connection's form."""
        return {key.replace("-", "_"): value for key, value in UI_FIELD_BEHAVIOUR.items()}
