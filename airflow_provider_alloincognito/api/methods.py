"""The five methods of the API as requests: pure functions, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import AlloincognitoQueryError


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """
    One request, but for the token.

    :param method: the API's name for it, as errors and logs say it.
    :param verb: the HTTP verb.
    :param url: the whole URL, without the query string.
    :param params: the query string's values, raw: they are percent-encoded once, when sent.
    :param body: the JSON body, if any. Out of ``repr``: it may hold phone numbers.
    """

    method: str
    verb: Literal["GET", "POST"]
    url: str
    params: dict[str, str] = field(default_factory=dict, repr=False)
    body: dict[str, Any] | None = field(default=None, repr=False)


def create(settings: Settings) -> ApiRequest:
    """Make a token pair; kills the pair before it. Sent with the authorization token."""
    return ApiRequest("create", "GET", settings.server + settings.create_path)


def refresh(settings: Settings) -> ApiRequest:
    """Renew the token pair; kills the pair before it. Sent with the refresh token."""
    return ApiRequest("refresh", "GET", settings.server + settings.refresh_path)


def call_list(settings: Settings, query: CallListQuery) -> ApiRequest:
    """List calls. Sent with the access token, as every method below."""
    return ApiRequest("getcalllist", "POST", settings.server + settings.call_list_path, body=query.body(settings))


def call_record_file(settings: Settings, record_file_id: str) -> ApiRequest:
    """Fetch one recording."""
    _check_given("record_file_id", record_file_id)
    return ApiRequest(
        "getcallrecordfile",
        "GET",
        settings.server + settings.record_file_path,
        params={"recordFileId": record_file_id},
    )


def request_result(settings: Settings, request_hash: str) -> ApiRequest:
    """Fetch the result of an earlier request."""
    _check_given("request_hash", request_hash)
    return ApiRequest(
        "getrequestresultbyhash",
        "GET",
        settings.server + settings.request_result_path,
        params={"requestHash": request_hash},
    )


def _check_given(argument: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip() or value == "None":
        raise AlloincognitoQueryError(
            f"{argument} is empty. Give the text that an earlier answer held; the usual cause is a template or an "
            "XCom that rendered to nothing."
        )
