"""
The API's five methods as requests: pure functions, no I/O. Tests: ``tests/api/test_methods.py``, over HTTP.

To add a method: its path in ``settings.py`` and ``get_provider_info.py``, a function here, a method of the hook.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import AlloincognitoQueryError


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """
    One request, without its token.

    :param method: the API's name of the method, for errors and logs.
    :param verb: the HTTP verb.
    :param url: the whole URL, without the query string.
    :param params: the query string's values, not encoded: they are percent-encoded once, when sent.
    :param body: the JSON body, if any. Not in ``repr``: it may contain phone numbers.
    """

    method: str
    verb: Literal["GET", "POST"]
    url: str
    params: dict[str, str] = field(default_factory=dict, repr=False)
    body: dict[str, Any] | None = field(default=None, repr=False)


def create(settings: Settings) -> ApiRequest:
    """Create a token pair, which invalidates the previous one. Sent with the authorization token."""
    return ApiRequest("create", "GET", settings.server + settings.create_path)


def refresh(settings: Settings) -> ApiRequest:
    """Renew the token pair, which invalidates the previous one. Sent with the refresh token."""
    return ApiRequest("refresh", "GET", settings.server + settings.refresh_path)


def call_list(settings: Settings, query: CallListQuery) -> ApiRequest:
    """List calls. Sent with the access token, like every method below."""
    return ApiRequest("getcalllist", "POST", settings.server + settings.call_list_path, body=query.body(settings))


def call_record_file(settings: Settings, record_file_id: str) -> ApiRequest:
    """Fetch one recording."""
    params = {"recordFileId": _not_empty("record_file_id", record_file_id)}
    return ApiRequest("getcallrecordfile", "GET", settings.server + settings.record_file_path, params)


def request_result(settings: Settings, request_hash: str) -> ApiRequest:
    """Fetch the result of an earlier request."""
    params = {"requestHash": _not_empty("request_hash", request_hash)}
    return ApiRequest("getrequestresultbyhash", "GET", settings.server + settings.request_result_path, params)


def _not_empty(argument: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or value == "None":
        raise AlloincognitoQueryError(
            f"{argument} is empty. Set it to the value of an earlier response; the usual cause is a template or an "
            "XCom that rendered to nothing."
        )
    return value
