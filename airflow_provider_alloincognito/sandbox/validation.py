"""How a server answers a request with wrong parameters: as those do that were made with a well-known framework."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from airflow_provider_alloincognito.sandbox.parameters import BadRequest, Problem
from airflow_provider_alloincognito.sandbox.requests import HttpRequest
from airflow_provider_alloincognito.sandbox.responses import Response

VALIDATION_STATUS = {"fastapi": 422, "spring": 400, "aspnet": 400, "problem": 422}
_PROBLEM_TYPE = b"application/problem+json"
_FASTAPI_TYPES = {
    "media_type": "model_attributes_type",
    "body": "model_attributes_type",
    "missing": "missing",
    "unknown": "extra_forbidden",
}
_FASTAPI_MESSAGES = {
    "media_type": "Input should be a valid dictionary or object to extract fields from",
    "body": "Input should be a valid dictionary or object to extract fields from",
    "missing": "Field required",
    "unknown": "Extra inputs are not permitted",
}
_SPRING_CODES = {"missing": "NotNull", "unknown": "UnknownField"}


def invalid_request(style: str, request: HttpRequest, error: BadRequest) -> Response:
    """
    Return the answer to a request with wrong parameters.

    :param style: the setting ``validation_style``, but not ``envelope``
    :param request: the request
    :param error: what is wrong
    """
    status = VALIDATION_STATUS[style]
    if style != "fastapi" and error.problems[0].kind == "media_type":
        status = 415
    make = {"fastapi": _fastapi, "spring": _spring, "aspnet": _aspnet, "problem": _problem}[style]
    body = json.dumps(make(status, request, error), ensure_ascii=False, default=str).encode()
    content_type = _PROBLEM_TYPE if style in ("aspnet", "problem") else b"application/json"
    return Response("error", status, body, content_type=content_type)


def _fastapi(_: int, request: HttpRequest, error: BadRequest) -> dict[str, Any]:
    given = request.body or request.query
    return {
        "detail": [
            {
                "type": _FASTAPI_TYPES.get(one.kind, "value_error"),
                "loc": [one.place, one.name] if one.name else [one.place],
                "msg": _FASTAPI_MESSAGES.get(one.kind) or f"Value error, {one.message}",
                "input": given if one.kind == "missing" else one.value,
            }
            for one in error.problems
        ]
    }


def _spring(status: int, request: HttpRequest, error: BadRequest) -> dict[str, Any]:
    return {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "status": status,
        "error": "Unsupported Media Type" if status == 415 else "Bad Request",
        "message": f"Validation failed for object='request'. Error count: {len(error.problems)}",
        "errors": [
            {
                "objectName": "request",
                "field": one.name,
                "rejectedValue": one.value,
                "defaultMessage": one.message,
                "code": _SPRING_CODES.get(one.kind, "typeMismatch"),
            }
            for one in error.problems
        ],
        "path": request.path,
    }


def _aspnet(status: int, _: HttpRequest, error: BadRequest) -> dict[str, Any]:
    if status == 415:
        return {"title": "Unsupported Media Type", "status": status}
    return {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": "One or more validation errors occurred.",
        "status": status,
        "errors": {one.name: [f"The {one.name} field: {one.message}"] for one in error.problems},
    }


def _problem(status: int, request: HttpRequest, error: BadRequest) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": "Unsupported Media Type" if status == 415 else "Unprocessable Content",
        "status": status,
        "detail": str(error),
        "instance": request.path,
        "errors": [{"detail": one.message, **_where(one)} for one in error.problems],
    }


def _where(problem: Problem) -> dict[str, str]:
    return {"pointer": f"#/{problem.name}"} if problem.place == "body" else {"parameter": problem.name}
