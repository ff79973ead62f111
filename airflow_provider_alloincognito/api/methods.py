"""
The API's five methods as requests: pure functions, no I/O. Tests: ``tests/api/test_methods.py``, over HTTP.

To add a method: its path in ``settings.py`` and ``get_provider_info.py``, its fields in ``mapping.py``, a function
here, a method of the hook.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, quote

from airflow_provider_alloincognito.api.mapping import UNSET, RequestMapping
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import AlloincognitoQueryError

CAPITAL = re.compile(r"[A-Z]")
DOTS = (".", "..")

Texts = dict[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """
    One request, without its token.

    :param method: the API's name of the method, for errors and logs.
    :param verb: the HTTP verb.
    :param url: the whole URL, without the query string.
    :param params: the query string's values, not encoded: they are percent-encoded once, when sent.
    :param body: the JSON body, if any. Not in ``repr``: it may contain phone numbers.
    :param form: the fields of a body that is a form, if any. Not in ``repr`` either.
    """

    method: str
    verb: Literal["GET", "POST"]
    url: str
    params: Texts = field(default_factory=dict, repr=False)
    body: dict[str, Any] | None = field(default=None, repr=False)
    form: Texts | None = field(default=None, repr=False)


def create(settings: Settings) -> ApiRequest:
    """Create a token pair, which invalidates the previous one. Sent with the authorization token."""
    return _request(settings, "create", {})


def refresh(settings: Settings) -> ApiRequest:
    """Renew the token pair, which invalidates the previous one. Sent with the refresh token."""
    return _request(settings, "refresh", {})


def call_list(settings: Settings, query: CallListQuery) -> ApiRequest:
    """List calls. Sent with the access token, like every method below."""
    return _request(settings, "getcalllist", query.fields(settings))


def call_record_file(settings: Settings, record_file_id: str) -> ApiRequest:
    """Fetch one recording."""
    fields = {"recordFileId": _not_empty("record_file_id", record_file_id)}
    return _request(settings, "getcallrecordfile", fields)


def request_result(settings: Settings, request_hash: str) -> ApiRequest:
    """Fetch the result of an earlier request."""
    fields = {"requestHash": _not_empty("request_hash", request_hash)}
    return _request(settings, "getrequestresultbyhash", fields)


def endpoint(settings: Settings, method: str) -> str:
    """Return a method's URL without query string, and without the id or hash that its path may hold."""
    return settings.server + settings.path_of(method).partition("?")[0]


def _request(settings: Settings, method: str, fields: Mapping[str, Any]) -> ApiRequest:
    mapping = settings.api_mapping.request(method)
    path, _, query = settings.path_of(method).partition("?")
    in_path = [name for name in fields if f"{{{name}}}" in path]
    for name in in_path:
        path = path.replace(f"{{{name}}}", _as_segment(name, str(mapping.sent_value(name, fields[name]))))
    sent = _sent(mapping, {name: value for name, value in fields.items() if name not in in_path})
    url = settings.server + path
    params: Texts = dict(parse_qsl(query, keep_blank_values=True))
    match mapping.place if sent else None:
        case "json":
            return ApiRequest(method, mapping.verb, url, params, body=_as_json(mapping, sent))
        case "form":
            return ApiRequest(method, mapping.verb, url, params, form=_as_texts(mapping, sent))
        case _:
            return ApiRequest(method, mapping.verb, url, params | _as_texts(mapping, sent))


def _sent(mapping: RequestMapping, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields by the server's names, with its values."""
    sent = {}
    for name, value in fields.items():
        server_name = mapping.names.get(name, name)
        if server_name is not None:
            sent[server_name] = mapping.sent_value(name, value)
        elif value != UNSET.get(name):
            argument = CAPITAL.sub(lambda found: f"_{found[0].lower()}", name)
            raise AlloincognitoQueryError(
                f"{argument} is set, but the server has no such filter: the Connection's api_mapping has null as the "
                f"name of {name}. Leave the argument out, or put the name into api_mapping."
            )
    return sent


def _as_json(mapping: RequestMapping, sent: Mapping[str, Any]) -> dict[str, Any]:
    is_sent = mapping.nulls == "send"
    is_text = mapping.list_format == "comma"
    return {
        name: ",".join(value) if is_text and isinstance(value, list) else value
        for name, value in sent.items()
        if is_sent or value is not None
    }


def _as_texts(mapping: RequestMapping, sent: Mapping[str, Any]) -> Texts:
    is_text = mapping.list_format == "comma"
    return {
        name: (",".join(value) if is_text else value) if isinstance(value, list) else _as_text(value)
        for name, value in sent.items()
        if value is not None
    }


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_segment(name: str, value: str) -> str:
    if value in DOTS:
        raise AlloincognitoQueryError(f"{name} is {value!r}, which cannot be part of a path.")
    return quote(value, safe="")


def _not_empty(argument: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or value == "None":
        raise AlloincognitoQueryError(
            f"{argument} is empty. Set it to the value of an earlier response; the usual cause is a template or an "
            "XCom that rendered to nothing."
        )
    return value
