"""Every open question about the API: the ways in which a server may answer it, as settings of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RENAMED = {
    "callId": "id",
    "startTime": "nachalo",
    "direction": "napravlenie",
    "callerNumber": "kto",
    "calledNumber": "komu",
    "duration": "dlitelnost",
    "recordFileId": "zapis",
}
OTHER_NAMES = {
    "periodStart": "from",
    "periodEnd": "to",
    "isRead": None,
    "recordFileId": "id",
    "requestHash": "request",
}
PAIR = {
    "accessToken": "tokens.access",
    "accessTokenExpiredIn": "tokens.access_ends",
    "refreshToken": "tokens.refresh",
    "refreshTokenExpiredIn": "tokens.refresh_ends",
}
COMBINATIONS = 220
"""With random ones, if the pairwise cover has fewer."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """
    One way in which a server may behave.

    :param name: in a few words.
    :param sandbox: the sandbox's settings for it.
    :param extra: what the Connection has to say; empty if the package copes by itself.
    :param fields: what ``FIELDS`` of the daily DAG has to say: the sandbox's names and the server's.
    :param cut: rows are cut to their period by their start.
    :param number: the call list is asked for by a phone number.
    :param has_hash: a call list's response has a requestHash.
    :param names: what an error names if Connection and DAG keep their defaults: one of these. Empty: the truth lands.
    :param warns: as ``names``, in a warning, where an error would be wrong as often as right.
    """

    name: str
    sandbox: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    cut: bool = True
    number: bool = False
    has_hash: bool = True
    names: Sequence[str] = ()
    warns: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Switch:
    """
    One open question.

    :param name: of the sandbox's setting, or of what several are about.
    :param question: as in the documentation.
    :param answers: the first is what is assumed.
    """

    name: str
    question: str
    answers: Sequence[Answer]


def values(setting: str, *others: Any) -> list[Answer]:
    """Return answers with which the package copes by itself."""
    return [Answer(name=f"`{value}`", sandbox={setting: value}) for value in others]


def path(question: str, setting: str, assumed: str, other: str, *, names: Sequence[str] | None = None) -> Switch:
    """Return the switch of a method's path."""
    answer = Answer(
        name=f"any other, such as `{other}`",
        sandbox={setting: other},
        extra={setting: other},
        names=(setting,) if names is None else names,
    )
    return Switch(name=setting, question=question, answers=[Answer(name=f"`{assumed}`"), answer])


def mapped(name: str, sandbox: Mapping[str, Any], mapping: Mapping[str, Any], **others: Any) -> Answer:
    """Return the answer for which ``api_mapping`` has to say something."""
    return Answer(name=name, sandbox=sandbox, extra={"api_mapping": mapping}, **{"names": ("api_mapping",), **others})


def verb(method: str, other: str, **others: Any) -> Answer:
    """Return the answer that a method has another verb."""
    return mapped(f"{other} {method}", {"verbs": {method: other}}, {method: {"verb": other}}, **others)


def period(style: str, time_format: str) -> Answer:
    """Return the answer that periods are written in another format."""
    sandbox = {"period_format": style, "validation_style": "fastapi"}
    return mapped(f"`{style}`", sandbox, {"getcalllist": {"time_format": time_format}})


def in_path(setting: str, path: str) -> Answer:
    """Return the answer that a method's parameter is in its path."""
    return Answer(name=f"in the path: `{path}`", sandbox={setting: path}, extra={setting: path}, names=(setting,))


def pending(name: str, style: str, *, code: int | str | None = None, **others: Any) -> Answer:
    """Return a way to say "not ready yet", of which the hash of a call list gets one."""
    said = {} if code is None else {"pending_error_code": code}
    sandbox = {"pending_style": style, **said, "call_list_answer": "hash_only", "pending_polls": 1}
    return Answer(name=name, sandbox=sandbox, **others)


SWITCHES: list[Switch] = [
    path("Path of the call list?", "call_list_path", "/api/v1/request/getcalllist", "/api/v2/calls/list"),
    path("Path of `create`?", "create_path", "/api/v1/auth/integrationapi/create", "/auth/create"),
    # Where refresh fails, a pair is created.
    path(
        "Path of `refresh`?",
        "refresh_path",
        "/api/v1/auth/integrationapi/refresh",
        "/auth/integrationapi/refresh",
        names=(),
    ),
    path("Path of a recording?", "record_file_path", "/api/v1/request/getcallrecordfile", "/api/v1/request/recordfile"),
    path(
        "Path of the result by hash?", "request_result_path", "/api/v1/request/getrequestresultbyhash", "/api/v1/result"
    ),
    Switch(
        name="verbs",
        question="HTTP verbs?",
        answers=[
            Answer(name="POST for the call list, GET for all others"),
            verb("getcalllist", "GET"),
            verb("create", "POST"),
            # Where refresh fails, a pair is created.
            verb("refresh", "POST", names=()),
            verb("getcallrecordfile", "POST"),
            verb("getrequestresultbyhash", "POST"),
        ],
    ),
    Switch(
        name="parameters_in",
        question="Where are a request's parameters?",
        answers=[
            Answer(name="with POST in a JSON body, with GET in the query"),
            mapped(
                "in a form",
                {"parameters_in": {"getcalllist": "form"}, "verbs": {"getcalllist": "POST"}},
                {"getcalllist": {"verb": "POST", "body": "form"}},
            ),
            mapped(
                "with POST in the query",
                {"parameters_in": {"getcallrecordfile": "query"}, "verbs": {"getcallrecordfile": "POST"}},
                {"getcallrecordfile": {"verb": "POST", "body": "query"}},
            ),
            in_path("record_file_path", "/calls/{recordFileId}/audio"),
            in_path("request_result_path", "/requests/{requestHash}"),
        ],
    ),
    Switch(
        name="request_fields",
        question="Names of parameters?",
        answers=[
            Answer(name="as printed"),
            mapped(
                "others",
                {"request_fields": OTHER_NAMES, "validation_style": "fastapi"},
                {
                    "getcalllist": {
                        "names": {name: OTHER_NAMES[name] for name in ("periodStart", "periodEnd", "isRead")}
                    },
                    "getcallrecordfile": {"names": {"recordFileId": "id"}},
                    "getrequestresultbyhash": {"names": {"requestHash": "request"}},
                },
            ),
        ],
    ),
    Switch(
        name="request_values",
        question="Values of `direction` and `isCallRecord`?",
        answers=[
            Answer(name="as printed"),
            mapped(
                "words",
                {
                    "request_values": {
                        "direction": {"0": "ALL", "1": "OUT", "2": "IN"},
                        "isCallRecord": {"0": False, "1": True},
                    },
                    "validation_style": "spring",
                },
                {
                    "getcalllist": {
                        "values": {
                            "direction": {"0": "ALL", "1": "OUT", "2": "IN"},
                            "isCallRecord": {"0": False, "1": True},
                        }
                    }
                },
            ),
            mapped(
                "none for no limit",
                {"request_values": {"direction": {"1": 1, "2": 2}}, "validation_style": "problem"},
                {"getcalllist": {"values": {"direction": {"0": None}}}},
            ),
        ],
    ),
    Switch(
        name="period_format",
        question="Format of `periodStart` and `periodEnd`?",
        answers=[
            Answer(name="`yyyy-mm-dd hh:mm:ss`"),
            period("iso", "%Y-%m-%dT%H:%M:%S"),
            period("iso_offset", "%Y-%m-%dT%H:%M:%S%:z"),
            period("dotted", "%d.%m.%Y %H:%M:%S"),
            period("epoch_s", "%s"),
            period("epoch_ms", "%s000"),
        ],
    ),
    Switch(
        name="null_parameters",
        question="A parameter without a value?",
        answers=[
            Answer(name="null, in JSON"),
            mapped(
                "left out",
                {"null_parameters": False, "validation_style": "aspnet"},
                {"getcalllist": {"nulls": "omit"}},
            ),
        ],
    ),
    Switch(
        name="answer_fields",
        question="Where are the fields of a response?",
        answers=[
            Answer(name="as printed"),
            mapped(
                "rows, recording and hash elsewhere",
                {"answer_fields": {"rowset": "data.items", "fileContent": "data.file", "requestHash": "meta.id"}},
                {"answer": {"rowset": "data.items", "fileContent": "data.file", "requestHash": "meta.id"}},
            ),
            mapped(
                "hash at different places",
                {"answer_fields": {"requestHash": {"*": "list.id", "getcallrecordfile": "file.id"}}},
                {"answer": {"requestHash": ["list.id", "file.id"]}},
                names=(),  # the rows land without it, but nobody can ask for them again
            ),
            mapped(
                "none: the rows are the response",
                {"answer_fields": {"rowset": ""}},
                {"answer": {"rowset": ""}},
                has_hash=False,
            ),
            mapped(
                "everything under another name",
                {"answer_fields": {"result": "data"}},
                {
                    "answer": {
                        **{
                            name: f"data.{name}"
                            for name in ("rowset", "fileContent", "requestHash", "file_NAME", "code")
                        },
                        **{name: [name, f"data.{name}"] for name in PAIR},
                    }
                },
            ),
        ],
    ),
    Switch(
        name="answer_fields of an error",
        question="Where is an error?",
        answers=[
            Answer(name="`error`"),
            mapped(
                "elsewhere",
                {"answer_fields": {"errorCode": "status.code", "errorMessage": "status.text"}},
                {"answer": {"errorCode": "status.code", "errorMessage": "status.text"}},
                names=(),
            ),
        ],
    ),
    Switch(
        name="answer_fields of a pair",
        question="Names of a pair's fields?",
        answers=[
            Answer(name="as printed"),
            mapped(
                "others",
                {"answer_fields": PAIR},
                {"answer": PAIR},
            ),
        ],
    ),
    Switch(
        name="list_format",
        question="A list of numbers?",
        answers=[
            Answer(name="a list"),
            mapped(
                "a text with commas",
                {"list_format": "comma", "validation_style": "fastapi"},
                {"getcalllist": {"list_format": "comma"}},
                number=True,
            ),
        ],
    ),
    Switch(
        name="numbers_field",
        question="Name of the list of phone numbers in the request?",
        answers=[
            Answer(name="`numbers`", number=True),
            Answer(
                name="`phones`",
                sandbox={"numbers_field": "phones"},
                extra={"numbers_field": "phones"},
                number=True,
                names=("numbers_field",),
            ),
            Answer(
                name="`phones`, and others are ignored",
                sandbox={"numbers_field": "phones", "allow_unknown_fields": True},
                extra={"numbers_field": "phones"},
                number=True,
                warns=("numbers_field",),
            ),
            Answer(name="not needed"),
        ],
    ),
    Switch(
        name="row_fields",
        question="Names of a row's fields?",
        answers=[
            Answer(name="none is needed (`FIELDS` of the daily DAG has the sandbox's)"),
            Answer(name="others", sandbox={"row_fields": RENAMED}, fields=RENAMED, names=("FIELDS",)),
            Answer(name="fewer", sandbox={"row_fields": dict.fromkeys(("waitDuration", "status", "comment"))}),
        ],
    ),
    Switch(
        name="start_format",
        question="Format of a row's start?",
        answers=[
            Answer(name="`yyyy-mm-dd hh:mm:ss`"),
            *values("start_format", "iso", "iso_offset", "iso_z"),
            *values("start_format", "epoch_s", "epoch_ms", "dotted"),
        ],
    ),
    Switch(
        name="numbers_as_text",
        question="Numbers or strings?",
        answers=[Answer(name="as printed"), Answer(name="all strings", sandbox={"numbers_as_text": True})],
    ),
    Switch(
        name="timezone",
        question="Zone of times without a zone?",
        answers=[
            Answer(name="Europe/Moscow"),
            *(
                Answer(name=zone, sandbox={"timezone": zone}, extra={"timezone": zone}, warns=("timezone",))
                for zone in ("Asia/Vladivostok", "UTC")
            ),
        ],
    ),
    Switch(
        name="period_end",
        question="Is `periodEnd` inside the period?",
        answers=[
            Answer(name="unknown: rows are cut to the period by `start_time_field`"),
            Answer(name="inside", sandbox={"period_end": "inclusive"}),
            Answer(name="outside, rows are not cut", extra={"period_end": "exclusive"}, cut=False),
            Answer(
                name="inside, rows are not cut",
                sandbox={"period_end": "inclusive"},
                extra={"period_end": "inclusive"},
                cut=False,
            ),
        ],
    ),
    Switch(
        name="early_refresh",
        question="May a pair be refreshed before its access token has expired?",
        answers=[
            Answer(name="yes"),
            Answer(name="yes, and each request tries to", extra={"refresh_before_expiry": 90_000}),
            Answer(
                name="no: a bad token", sandbox={"early_refresh": "refused"}, extra={"refresh_before_expiry": 90_000}
            ),
            Answer(
                name="no: an error",
                sandbox={"early_refresh": "refused", "early_refresh_answer": "error"},
                extra={"refresh_before_expiry": 90_000},
            ),
        ],
    ),
    Switch(
        name="expiry_format",
        question="Format of `accessTokenExpiredIn`?",
        answers=[
            Answer(name="ISO 8601 with the zone"),
            *values("expiry_format", "iso_z", "naive", "epoch_s", "epoch_ms", "seconds", "garbage", "none"),
        ],
    ),
    Switch(
        name="jwt_exp",
        question="The claim `exp` of a token?",
        answers=[Answer(name="a number"), *values("jwt_exp", "string", "none")],
    ),
    Switch(
        name="pair_envelope",
        question="Where is the pair in the response?",
        answers=[Answer(name="it is the response"), *values("pair_envelope", "result")],
    ),
    Switch(
        name="auth_rejection",
        question='"Your token is not valid"?',
        answers=[
            Answer(name="HTTP 401"),
            Answer(name="HTTP 403", sandbox={"auth_rejection": 403}),
            Answer(name="HTTP 401 and any code", sandbox={"auth_error_code": 1001}),
            Answer(name="HTTP 200 and code 401", sandbox={"auth_rejection": 200}),
            Answer(name="HTTP 200 and code 403", sandbox={"auth_rejection": 200, "auth_error_code": "403"}),
            *(
                Answer(
                    name=f"HTTP {status} and another code",
                    sandbox={"auth_rejection": status, "auth_error_code": code},
                    extra={"auth_error_codes": str(code)},
                    names=("auth_error_codes",),
                )
                for status, code in ((200, 1001), (400, "TOKEN_EXPIRED"))
            ),
        ],
    ),
    Switch(
        name="quote_tokens",
        question="Do error messages quote tokens and phone numbers?",
        answers=[Answer(name="yes"), Answer(name="no", sandbox={"quote_tokens": False})],
    ),
    Switch(
        name="hash_reruns_query",
        question="Does `getrequestresultbyhash` run the query again?",
        answers=[
            Answer(name="no"),
            *(
                Answer(name=f"yes, its hash is {rerun}", sandbox={"hash_reruns_query": True, "rerun_hash": rerun})
                for rerun in ("new", "same", "absent")
            ),
        ],
    ),
    Switch(
        name="pending_style",
        question='"Not ready yet"?',
        answers=[
            pending("HTTP 202", "202"),
            pending("HTTP 202 without a body", "empty_202"),
            pending("a result without rows", "no_rowset"),
            *(
                pending(
                    f"an `errorCode`, such as {code}",
                    "error_code",
                    code=code,
                    extra={"pending_error_codes": str(code)},
                    names=("pending_error_codes",),
                )
                for code in (1100, "NOT_READY")
            ),
            pending("`rowset: null`", "null_rowset", extra={"null_rowset": "pending"}, warns=("null_rowset",)),
        ],
    ),
    Switch(
        name="call_list_answer",
        question="Are the rows in the call list's response?",
        answers=[
            Answer(name="yes, and later by their hash"),
            Answer(name="yes, but at first not by their hash", sandbox={"pending_polls": 2}),
            *(
                Answer(name=name, sandbox={"call_list_answer": style, "pending_polls": 1})
                for name, style in (("no, only by their hash", "hash_only"), ('no, "not ready yet"', "pending"))
            ),
        ],
    ),
    Switch(
        name="empty_rowset",
        question="`rowset` of a period without calls?",
        answers=[
            Answer(name="`[]`"),
            Answer(name="`[]`, and there are none", sandbox={"calls_per_day": 0}),
            Answer(name="`null`, and there are none", sandbox={"calls_per_day": 0, "empty_rowset": "null"}),
        ],
    ),
    Switch(
        name="unknown_hash_status",
        question="An unknown or expired hash?",
        answers=[
            Answer(name="any other error of the API"),
            *(Answer(name=f"HTTP {code}", sandbox={"unknown_hash_status": code}) for code in (404, 410, 400)),
        ],
    ),
    Switch(
        name="rate_limit",
        question="Too many requests?",
        answers=[
            Answer(name="never"),
            Answer(name="HTTP 429 and `Retry-After`", sandbox={"rate_limit": 4}),
            Answer(name="HTTP 429 without it", sandbox={"rate_limit": 4, "retry_after": None}),
            Answer(name="HTTP 503", sandbox={"rate_limit": 4, "rate_limit_status": 503}),
            Answer(
                name="HTTP 503 and a date in `Retry-After`",
                sandbox={"rate_limit": 4, "rate_limit_status": 503, "retry_after_date": True},
            ),
        ],
    ),
    Switch(
        name="base64_dressing",
        question="Base64 of a recording?",
        answers=[
            Answer(name="the standard alphabet"),
            *values("base64_dressing", "escaped_slashes", "line_breaks", "no_padding", "urlsafe", "data_uri"),
        ],
    ),
    Switch(
        name="file_name",
        question="`file_NAME`?",
        answers=[
            Answer(name="numbers and Cyrillic"),
            *values("file_name", "hostile", "empty", "null", "absent"),
        ],
    ),
    Switch(
        name="call_appears_after",
        question="When do a call and its recording appear?",
        answers=[
            Answer(name="some time after the call's end"),
            Answer(name="at once", sandbox={"call_appears_after": None}),
            Answer(name="hours later", sandbox={"call_appears_after": 3600, "recording_appears_after": 7200}),
        ],
    ),
    Switch(
        name="no_error",
        question='"No error"?',
        answers=[
            Answer(name="`error: null`"),
            *values("no_error", "absent", "zero", "zero_string", "null_code"),
            *values("no_error", "ok"),
        ],
    ),
    Switch(
        name="success_status",
        question="HTTP status of success?",
        answers=[Answer(name="200"), *values("success_status", 201, 206)],
    ),
    Switch(
        name="error_status",
        question="HTTP status of the API's own errors?",
        answers=[Answer(name="200"), *values("error_status", 400, 422, 500)],
    ),
    Switch(
        name="error_code",
        question="`errorCode`: a number or a text?",
        answers=[Answer(name="a number"), *values("error_code", "E1000")],
    ),
    Switch(
        name="error_result",
        question="`result` of an error?",
        answers=[Answer(name="the envelope"), *values("error_result", "null", "absent")],
    ),
    Switch(
        name="result_code",
        question="`result.code`?",
        answers=[Answer(name="0"), *values("result_code", 200, "OK", None)],
    ),
    Switch(
        name="key_order",
        question="Order of keys?",
        answers=[Answer(name="as printed"), *values("key_order", "result_first", "rowset_first")],
    ),
    Switch(
        name="json",
        question="How is JSON written?",
        answers=[
            Answer(name="compact"),
            Answer(name="indented", sandbox={"pretty": True}),
            Answer(name="escaped", sandbox={"ascii_json": True}),
        ],
    ),
    Switch(
        name="content_type",
        question="`Content-Type`?",
        answers=[
            Answer(name="`application/json; charset=utf-8`"),
            *values("content_type", "application/json", "text/html; charset=utf-8", "application/octet-stream", None),
        ],
    ),
    Switch(
        name="transfer",
        question="How is a body sent?",
        answers=[
            Answer(name="with its length if it is known"),
            Answer(name="chunked", sandbox={"transfer": "chunked"}),
            Answer(name="compressed", sandbox={"gzip": True}),
            Answer(name="compressed, chunked", sandbox={"gzip": True, "transfer": "chunked"}),
        ],
    ),
    Switch(
        name="always_awkward_hashes",
        question="Special characters of a hash?",
        answers=[Answer(name="some of them"), Answer(name="`+`, `/` and `=`", sandbox={"always_awkward_hashes": True})],
    ),
    Switch(
        name="awkward_rows",
        question="Values of a row?",
        answers=[
            Answer(name="scalars"),
            Answer(name="fractions of seconds", sandbox={"start_fractions": True}),
            Answer(name="nested, with quotes and braces", sandbox={"awkward_rows": True}),
        ],
    ),
]
