"""The JSON envelope of every response, in all the shapes and with all the places that the API's text leaves open."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_alloincognito.sandbox.names import ERROR_FIELDS, RECORDING_FIELDS, RESULT_FIELDS
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings
from airflow_provider_alloincognito.sandbox.tokens import Pair, Token

_PARTS = {
    "error": ERROR_FIELDS,
    "result": (*RESULT_FIELDS, "rowset", *RECORDING_FIELDS),
}
_MARK = "\x00value\x00"
_MARK_JSON = json.dumps(_MARK).encode()


@dataclass(frozen=True, slots=True)
class Head:
    """What a response says about its request; without a hash, the text is empty."""

    api_name: str
    call_time: datetime
    seconds: float
    request_hash: str


def to_bytes(settings: SandboxSettings, document: Any) -> bytes:
    """Return a document as JSON, written as the settings say."""
    if settings.pretty:
        return json.dumps(document, ensure_ascii=settings.ascii_json, indent=2).encode()
    return json.dumps(document, ensure_ascii=settings.ascii_json, separators=(",", ":")).encode()


def without_error(settings: SandboxSettings, head: Head) -> bytes:
    """Return a response without an error that has neither rows nor a recording."""
    document = _placed(settings, head.api_name, _document(settings, _no_error(settings), _head(settings, head)))
    if settings.answer_fields:
        # There is a result, and it has no rows: what would hold them is there.
        _parent(document, str(settings.place_of("rowset", head.api_name)))
    return to_bytes(settings, document)


def null_rowset(settings: SandboxSettings, head: Head) -> bytes:
    """Return a response without an error whose rows are null."""
    return b"null".join(around(settings, head, "rowset", {}))


def around(settings: SandboxSettings, head: Head, payload: str, first: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """
    Return what comes before and after the value of one key of ``result`` in a response without an error.

    :param payload: the key
    :param first: the first items of ``result``
    """
    result = {**first, **_head(settings, head)}
    if settings.key_order == "rowset_first":
        result = {payload: _MARK, **result}
    else:
        result[payload] = _MARK
    if settings.place_of(payload, head.api_name) == "":
        return b"", b""
    document = _placed(settings, head.api_name, _document(settings, _no_error(settings), result))
    before, _, after = to_bytes(settings, document).partition(_MARK_JSON)
    return before, after


def with_error(
    settings: SandboxSettings, method: str, code: int | str | None, message: str, head: Head | None
) -> bytes:
    """Return a method's response with an error; without a head, its ``result`` is null."""
    if settings.numbers_as_text and code is not None:
        code = str(code)
    document: dict[str, Any] = {"error": {"errorMessage": message, "errorCode": code}}
    if head is None or settings.error_result == "null":
        document = _document(settings, document, None)
    elif settings.error_result == "envelope":
        document = _document(settings, document, _head(settings, head))
    return to_bytes(settings, _placed(settings, method, document))


def with_pair(settings: SandboxSettings, method: str, pair: Pair) -> bytes:
    """Return the response of ``create`` or ``refresh``."""
    document: dict[str, Any] = {
        "accessToken": pair.access.text,
        "accessTokenExpiredIn": _expiry(settings, pair.access),
        "refreshToken": pair.refresh.text,
        "refreshTokenExpiredIn": _expiry(settings, pair.refresh),
    }
    if settings.pair_envelope == "result":
        document = _document(settings, _no_error(settings), document)
    return to_bytes(settings, _placed(settings, method, document))


def _head(settings: SandboxSettings, head: Head) -> dict[str, Any]:
    as_text = settings.numbers_as_text
    code = settings.result_code
    values = {
        "apiName": head.api_name,
        "apiVersion": "1" if as_text else 1,
        "callTime": head.call_time.strftime("%Y-%m-%d %H:%M:%S"),
        "responseDuration": f"{head.seconds:.6f}",
        "code": str(code) if as_text and code is not None else code,
    }
    return {**values, "requestHash": head.request_hash} if head.request_hash else values


def _placed(settings: SandboxSettings, method: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return a response with its fields in the places that the settings give them."""
    if not settings.answer_fields:
        return document
    placed: dict[str, Any] = {}
    # A part that is null comes last: the other part may be inside it.
    for part, values in sorted(document.items(), key=lambda item: item[1] is None):
        if part not in _PARTS:
            _put(placed, settings.place_of(part, method), values)
        elif values is not None:
            for name, value in values.items():
                _put(placed, settings.place_of(name, method), value)
        elif (place := settings.place_of(part, method)) and not any(map(settings.answer_fields.get, _PARTS[part])):
            _put(placed, place, None)
        elif part == "error":
            for name in ERROR_FIELDS:
                _put(placed, settings.place_of(name, method), None)
    return placed


def _put(document: dict[str, Any], place: str | None, value: Any) -> None:
    if place is not None:
        _parent(document, place).setdefault(place.rpartition(".")[2], value)


def _parent(document: dict[str, Any], place: str) -> dict[str, Any]:
    """Return the object that holds the value of a place; it and those around it are made if there are none."""
    for name in place.split(".")[:-1]:
        document = document.setdefault(name, {})
    return document


def _document(settings: SandboxSettings, error: Mapping[str, Any], result: Any) -> dict[str, Any]:
    if settings.key_order == "error_first":
        return {**error, "result": result}
    return {"result": result, **error}


def _no_error(settings: SandboxSettings) -> dict[str, Any]:
    shapes: dict[str, dict[str, Any]] = {
        "null": {"error": None},
        "absent": {},
        "zero": {"error": {"errorMessage": "", "errorCode": 0}},
        "zero_string": {"error": {"errorMessage": None, "errorCode": "0"}},
        "null_code": {"error": {"errorMessage": None, "errorCode": None}},
        "ok": {"error": {"errorMessage": "OK", "errorCode": 0}},
    }
    return shapes[settings.no_error]


def _expiry(settings: SandboxSettings, token: Token) -> str | None:
    match settings.expiry_format:
        case "none":
            return None
        case "garbage":
            return "скоро"
        case "epoch_s":
            return str(int(token.expires))
        case "epoch_ms":
            return str(int(token.expires * 1000))
        case "seconds":
            return str(int(token.expires - settings.clock_skew - time.time()))
    moment = datetime.fromtimestamp(token.expires, settings.zone)
    if settings.expiry_format == "naive":
        return moment.strftime("%Y-%m-%d %H:%M:%S")
    if settings.expiry_format == "iso_z":
        return datetime.fromtimestamp(token.expires, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    return moment.isoformat(timespec="milliseconds")
