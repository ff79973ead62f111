"""All settings of the sandbox: what the API's text leaves open, and what tests need to change."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeFloat, NonNegativeInt, Strict, model_validator

from airflow_provider_alloincognito.sandbox.changes import Change
from airflow_provider_alloincognito.sandbox.docs.settings import Docs
from airflow_provider_alloincognito.sandbox.faults import METHODS, AnyMethod, Fault, Method, StrictModel
from airflow_provider_alloincognito.sandbox.names import (
    ERROR_FIELDS,
    PAIR_FIELDS,
    PARAMETERS,
    RECORDING_FIELDS,
    RESULT_FIELDS,
    valid_places,
    valid_request_fields,
    valid_row_fields,
    valid_spellings,
)

_USUAL = "."
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def _as_tuple(value: Any) -> Any:
    """Return a list, which JSON has for a tuple, as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def _as_moment(value: Any) -> Any:
    """Return a text such as ``2026-03-03 12:00:00``, which JSON has for a moment, as a datetime."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _in_order(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError("the range ends before it begins.")
    return ends


def _known_zone(timezone: str) -> str:
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"unknown IANA zone {timezone!r}.") from None
    return timezone


def _path_pattern(path: str) -> re.Pattern[str]:
    literals, names = _PLACEHOLDER.split(path)[::2], _PLACEHOLDER.findall(path)
    groups = [f"(?P<{name}>[^/]+)" for name in names]
    return re.compile("".join(f"{re.escape(one)}{group}" for one, group in zip(literals, [*groups, ""], strict=True)))


AsTuple = BeforeValidator(_as_tuple)
Range = (AsTuple, AfterValidator(_in_order))
Seconds = NonNegativeFloat | Annotated[tuple[NonNegativeFloat, NonNegativeFloat], *Range]
Path = Annotated[str, Field(pattern="^/")]
HttpStatus = Annotated[int, Field(ge=200, le=599)]
TimeFormat = Literal["naive", "iso", "iso_offset", "iso_z", "dotted", "epoch_s", "epoch_ms"]
Place = Annotated[str, Field(pattern=r"^([^.]+(\.[^.]+)*)?$")]
Spellings = Mapping[Literal["0", "1", "2"], int | str | bool]


class SandboxSettings(StrictModel):
    """
    The sandbox's settings. Frozen: ``Sandbox.configure`` replaces them.

    :param authorization_token: the first authorization token; None: a new one is made
    :param access_lifetime: lifetime of an access token in seconds (the API's text: 24 hours)
    :param refresh_lifetime: lifetime of a refresh token in seconds (the API's text: 25 hours)
    :param early_refresh: may a pair be refreshed before its access token has expired
    :param early_refresh_answer: how an early refresh is rejected: as a bad token (``auth``), or as an API ``error``
    :param expiry_format: how ``accessTokenExpiredIn`` and ``refreshTokenExpiredIn`` are written; ``seconds``: the
        seconds that are left
    :param jwt_exp: the claim ``exp``: a number, a string, or none
    :param pair_envelope: the pair is the whole response (``bare``), as in the API's text, or its ``result``
    :param auth_rejection: HTTP status for a token that is not valid; with 200, the error is in the envelope
    :param auth_error_code: ``errorCode`` of a rejected token; None: the status (401 if that is 200)
    :param quote_tokens: a rejection quotes the rejected token
    :param clock_skew: seconds by which the server's clock is ahead of this machine's
    :param forbidden_methods: methods that respond with 403 to a valid token: the right is missing

    :param create_path: path of ``create``; the next four: of the other methods. ``{recordFileId}`` and
        ``{requestHash}`` in a path: the parameter is there
    :param verbs: other HTTP verbs than those of the text, by method
    :param parameters_in: where a method's other parameters are, by method: in the ``query``, or in the body as
        ``json`` or ``form``; default: json with POST, query with GET
    :param request_fields: other names for the parameters of all requests; one renamed to null is refused
    :param request_values: how values of ``direction``, ``isCallRecord`` and ``isRead`` are written, by parameter, such
        as ``{"direction": {"0": "ALL", "1": "OUT", "2": "IN"}}``; values that are not named are refused
    :param null_parameters: may a parameter in JSON be null; False: it has to be left out
    :param period_format: how ``periodStart`` and ``periodEnd`` are written; anything else is refused. See
        ``start_format``; ``iso_offset``: with any offset
    :param list_format: a list is a JSON list, and in a query or form the repeated parameter (``list``); or one text,
        with commas (``comma``)
    :param numbers_field: name of the list of numbers in the call list's request; None: it has none
    :param validation_style: how a request with missing, unknown or invalid parameters is answered: by the API's own
        error, or as servers do that were made with FastAPI (422), Spring (400) or ASP.NET (400), or by the problem
        details of RFC 9457 (422)
    :param allow_unknown_fields: unknown fields of the body and unknown query parameters are ignored
    :param timezone: IANA zone of all times without a zone
    :param period_end: is a call that starts at ``periodEnd`` inside the period. Compared in whole seconds
    :param call_list_answer: ``hash_only``: the response has no rows, they are fetched by its hash; ``pending``:
        likewise, and it is "not ready yet"
    :param empty_rowset: the rows of a period without calls

    :param hash_reruns_query: a request by hash runs the query again, and may find newer rows
    :param rerun_hash: the hash of a query that was run again
    :param hash_lifetime: seconds for which a hash is known; None: for ever
    :param unknown_hash_status: HTTP status of the error about an unknown hash
    :param always_awkward_hashes: each hash has ``+`` and ``/`` as well as ``=``
    :param pending_polls: how many polls of each hash get "not ready yet"
    :param pending_seconds: for how many seconds polls of each hash get "not ready yet"
    :param pending_style: how "not ready yet" is said; ``empty_202``: without a body
    :param pending_error_code: the ``errorCode`` of ``pending_style="error_code"``

    :param answer_fields: other places of a response's fields, by their names in the API's text, as dotted paths from
        the response's root, such as ``{"result": "data", "rowset": "data.items", "errorCode": "status.code"}``.
        ``result`` and ``error`` move all their fields (``""``: to the root). ``""`` for ``rowset``: the response is the
        list of rows, and nothing else; null: there is no such field. Where methods differ, a mapping from methods
        (``*`` for the rest) to those
    :param no_error: how ``error`` looks when there is none; ``ok``: code 0 and the message OK
    :param success_status: HTTP status of a response without an error
    :param error_status: HTTP status of the API's own errors
    :param error_code: ``errorCode`` of the API's own errors
    :param error_result: an error's ``result``: the envelope with its hash, null, or absent
    :param result_code: ``result.code`` of a response without an error
    :param key_order: order of keys in the response and in ``result``
    :param numbers_as_text: numbers in rows and in the envelope are strings
    :param pretty: responses are indented
    :param ascii_json: Cyrillic is written as ``\\u`` escapes
    :param content_type: the header ``Content-Type``; None: no such header
    :param gzip: bodies are compressed if the client accepts it
    :param transfer: ``auto``: Content-Length if the length is known beforehand or small, else chunked

    :param base64_dressing: how ``fileContent`` differs from plain base64
    :param file_name: ``file_NAME``: with numbers and Cyrillic, hostile as well, empty, null, or absent
    :param recording_bytes: size of a recording, or a range of sizes; None: as long as the call (2,000 bytes a second)

    :param seed: another seed gives other calls
    :param calls_per_day: approximate number of calls on a working day
    :param daily_variation: False: every day, weekends too, has exactly ``calls_per_day``
    :param start_fractions: about half of the starts have milliseconds
    :param start_format: how a row's start is written; ``dotted``: ``dd.mm.yyyy hh:mm:ss``
    :param awkward_rows: ``comment`` has braces, quotes, escapes and nested values
    :param row_fields: other names for the fields of a row; a field renamed to null is left out
    :param row_values: how a row's ``direction`` is written, such as ``{"direction": {"1": "OUT", "2": "IN"}}``
    :param clock_start: what the clock of the calls shows when the sandbox starts, in the API's zone, such as
        ``2026-03-03 12:00:00``; None: the server's clock
    :param clock_speed: how many times faster that clock runs, if it has a start of its own
    :param call_appears_after: seconds from a call's end until it is listed; None: future calls are listed too
    :param recording_appears_after: seconds from a call's end until its recording is available
    :param changes: calls that were added, removed or corrected late, and recordings that are late; see
        :class:`~airflow_provider_alloincognito.sandbox.changes.Change`

    :param latency: seconds until a response, or a range; or a mapping from methods (``*`` for the rest) to those
    :param docs: how the API is described under ``/docs``; see
        :class:`~airflow_provider_alloincognito.sandbox.docs.settings.Docs`
    :param rate_limit: requests a second, of all methods, before a response that says "too many"; None: no limit
    :param rate_limit_status: HTTP status of that response
    :param retry_after: seconds in its ``Retry-After``; None: no such header
    :param retry_after_date: ``Retry-After`` is a date
    :param faults: the first faults; see :class:`~airflow_provider_alloincognito.sandbox.faults.Fault`
    :param admin: serve ``/_sandbox/``
    :param log_limit: requests kept in the log
    :param cache_megabytes: rendered rows kept for later requests of the same days (1,000,000 rows: 280)
    :raises ValueError: naming the setting that is unknown or not valid
    """

    authorization_token: str | None = Field(default=None, repr=False, exclude=True)
    access_lifetime: NonNegativeFloat = 24 * 3600.0
    refresh_lifetime: NonNegativeFloat = 25 * 3600.0
    early_refresh: Literal["allowed", "refused"] = "allowed"
    early_refresh_answer: Literal["auth", "error"] = "auth"
    expiry_format: Literal["iso", "iso_z", "naive", "epoch_s", "epoch_ms", "seconds", "garbage", "none"] = "iso"
    jwt_exp: Literal["number", "string", "none"] = "number"
    pair_envelope: Literal["bare", "result"] = "bare"
    auth_rejection: HttpStatus = 401
    auth_error_code: int | str | None = None
    quote_tokens: bool = True
    clock_skew: float = 0.0
    forbidden_methods: Annotated[tuple[Method, ...], AsTuple] = ()

    create_path: Path = "/api/v1/auth/integrationapi/create"
    refresh_path: Path = "/api/v1/auth/integrationapi/refresh"
    call_list_path: Path = "/api/v1/request/getcalllist"
    record_file_path: Path = "/api/v1/request/getcallrecordfile"
    request_result_path: Path = "/api/v1/request/getrequestresultbyhash"
    verbs: Mapping[Method, Literal["GET", "POST"]] = {}
    parameters_in: Mapping[Method, Literal["query", "form", "json"]] = {}
    request_fields: Annotated[Mapping[str, str | None], AfterValidator(valid_request_fields)] = {}
    request_values: Annotated[
        Mapping[Literal["direction", "isCallRecord", "isRead"], Spellings], AfterValidator(valid_spellings)
    ] = {}
    null_parameters: bool = True
    period_format: TimeFormat = "naive"
    list_format: Literal["list", "comma"] = "list"
    numbers_field: str | None = "numbers"
    validation_style: Literal["envelope", "fastapi", "spring", "aspnet", "problem"] = "envelope"
    allow_unknown_fields: bool = False
    timezone: Annotated[str, AfterValidator(_known_zone)] = "Europe/Moscow"
    period_end: Literal["inclusive", "exclusive"] = "exclusive"
    call_list_answer: Literal["rows", "hash_only", "pending"] = "rows"
    empty_rowset: Literal["[]", "null"] = "[]"

    hash_reruns_query: bool = False
    rerun_hash: Literal["new", "same", "absent"] = "new"
    hash_lifetime: NonNegativeFloat | None = None
    unknown_hash_status: HttpStatus = 200
    always_awkward_hashes: bool = False
    pending_polls: NonNegativeInt = 0
    pending_seconds: NonNegativeFloat = 0.0
    pending_style: Literal["202", "empty_202", "no_rowset", "null_rowset", "error_code"] = "202"
    pending_error_code: int | str = 1100

    answer_fields: Annotated[
        Mapping[str, Place | Mapping[AnyMethod, Place | None] | None], AfterValidator(valid_places)
    ] = {}
    no_error: Literal["null", "absent", "zero", "zero_string", "null_code", "ok"] = "null"
    success_status: Annotated[int, Field(ge=200, le=299)] = 200
    error_status: HttpStatus = 200
    error_code: int | str = 1000
    error_result: Literal["envelope", "null", "absent"] = "envelope"
    result_code: int | str | None = 0
    key_order: Literal["error_first", "result_first", "rowset_first"] = "error_first"
    numbers_as_text: bool = False
    pretty: bool = False
    ascii_json: bool = False
    content_type: str | None = "application/json; charset=utf-8"
    gzip: bool = False
    transfer: Literal["auto", "chunked", "content_length"] = "auto"

    base64_dressing: Literal["plain", "escaped_slashes", "line_breaks", "no_padding", "urlsafe", "data_uri"] = "plain"
    file_name: Literal["plain", "hostile", "empty", "null", "absent"] = "plain"
    recording_bytes: NonNegativeInt | Annotated[tuple[NonNegativeInt, NonNegativeInt], *Range] | None = None

    seed: int | str = 0
    calls_per_day: NonNegativeInt = 2500
    daily_variation: bool = True
    start_fractions: bool = False
    start_format: TimeFormat = "naive"
    awkward_rows: bool = False
    row_fields: Annotated[Mapping[str, str | None], AfterValidator(valid_row_fields)] = {}
    row_values: Annotated[Mapping[Literal["direction"], Spellings], AfterValidator(valid_spellings)] = {}
    clock_start: Annotated[datetime, BeforeValidator(_as_moment)] | None = None
    clock_speed: Annotated[float, Field(gt=0)] = 1.0
    call_appears_after: NonNegativeFloat | None = 0.0
    recording_appears_after: NonNegativeFloat = 0.0
    changes: Annotated[tuple[Annotated[Change, Strict(False)], ...], AsTuple] = ()

    latency: Seconds | Mapping[AnyMethod, Seconds] = 0.0
    docs: Annotated[Docs, Strict(False)] = Docs()
    rate_limit: NonNegativeFloat | None = None
    rate_limit_status: Literal[429, 503] = 429
    retry_after: NonNegativeInt | None = 1
    retry_after_date: bool = False
    faults: Annotated[tuple[Annotated[Fault, Strict(False)], ...], AsTuple] = ()
    admin: bool = True
    log_limit: NonNegativeInt = 200_000
    cache_megabytes: NonNegativeInt = 192

    @model_validator(mode="after")
    def _distinct_changes(self) -> Self:
        if len(set(self.changes)) != len(self.changes):
            raise ValueError("changes: one change is there twice.")
        return self

    @model_validator(mode="after")
    def _distinct_paths(self) -> Self:
        if len(self.methods_by_path) != len(METHODS):
            raise ValueError("two methods have one path.")
        return self

    @model_validator(mode="after")
    def _describable(self) -> Self:
        if others := [path for path in self.methods_by_path if not path.startswith(f"{self.docs.base}/")]:
            raise ValueError(f"docs.base is not the beginning of {others[0]}.")
        return self

    @model_validator(mode="after")
    def _distinct_parameters(self) -> Self:
        for method, parameters in PARAMETERS.items():
            names = [name for name in map(self.parameter_name, parameters) if name is not None]
            if len(set(names)) != len(names):
                raise ValueError(f"two parameters of {method} have one name.")
            placed = _PLACEHOLDER.findall(self.paths[method])
            if placed and tuple(placed) != parameters:
                raise ValueError(f"the path of {method} can only hold its parameter.")
        return self

    @model_validator(mode="after")
    def _distinct_places(self) -> Self:
        for method in METHODS:
            pair = method in ("create", "refresh")
            for fields in (PAIR_FIELDS,) if pair else ((*RESULT_FIELDS, "rowset"), (*RESULT_FIELDS, *RECORDING_FIELDS)):
                found = (self.place_of(field, method) for field in (*ERROR_FIELDS, *fields))
                places = sorted(f"{place}." for place in found if place)
                if any(two.startswith(one) for one, two in pairwise(places)):
                    raise ValueError(f"answer_fields: one field of {method} is inside another.")
        return self

    def but(self, **changes: Any) -> Self:
        """
        Return the same settings with some changed.

        :param changes: names and new values
        :raises ValueError: naming the setting that is unknown or not valid
        """
        return type(self)(**{name: getattr(self, name) for name in self.model_fields_set} | changes)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of all times without a zone."""
        return ZoneInfo(self.timezone)

    @cached_property
    def methods_by_path(self) -> dict[str, Method]:
        """The method that each path serves."""
        return {
            self.create_path: "create",
            self.refresh_path: "refresh",
            self.call_list_path: "getcalllist",
            self.record_file_path: "getcallrecordfile",
            self.request_result_path: "getrequestresultbyhash",
        }

    @cached_property
    def paths(self) -> dict[Method, str]:
        """The path that serves each method."""
        return {method: path for path, method in self.methods_by_path.items()}

    @cached_property
    def _path_patterns(self) -> list[tuple[re.Pattern[str], Method]]:
        """The paths that hold a parameter, as patterns of a path that is still percent-encoded."""
        held = ((path, method) for path, method in self.methods_by_path.items() if _PLACEHOLDER.search(path))
        return [(_path_pattern(path), method) for path, method in held]

    def find_method(self, path: str, raw_path: str) -> tuple[Method, dict[str, str]] | None:
        """
        Return the method of a path, and the parameters in it; None: no method has it.

        :param path: the path, decoded
        :param raw_path: as it was received, percent-encoded
        """
        if method := self.methods_by_path.get(path):
            return method, {}
        for pattern, method in self._path_patterns:
            if found := pattern.fullmatch(raw_path):
                return method, {name: unquote(text) for name, text in found.groupdict().items()}
        return None

    def verb_of(self, method: Method) -> str:
        """
        Return the HTTP verb of one method.

        :param method: the method
        """
        return self.verbs.get(method, "POST" if method == "getcalllist" else "GET")

    def place_of_parameters(self, method: Method) -> Literal["query", "form", "json"]:
        """
        Return where the parameters of one method are that are not in its path.

        :param method: the method
        """
        return self.parameters_in.get(method, "json" if self.verb_of(method) == "POST" else "query")

    def parameter_name(self, parameter: str) -> str | None:
        """
        Return the server's name of a parameter; None: it has none.

        :param parameter: its name in the API's text
        """
        return self.numbers_field if parameter == "numbers" else self.request_fields.get(parameter, parameter)

    @cached_property
    def parameters(self) -> dict[Method, dict[str, str]]:
        """The parameters of each method: the server's name and the one in the API's text."""
        return {
            method: {server: name for name in names if (server := self.parameter_name(name)) is not None}
            for method, names in PARAMETERS.items()
        }

    def place_of(self, field: str, method: str) -> str | None:
        """
        Return the dotted path of a response's field; None: it is left out.

        :param field: its name in the API's text
        :param method: the method that responds
        """
        place = self.answer_fields.get(field, {})
        if isinstance(place, Mapping):
            place = place.get(method, place.get("*", _USUAL))  # type: ignore[call-overload]
        if place != _USUAL:
            return place
        if field in ("error", "result") or (field in PAIR_FIELDS and self.pair_envelope == "bare"):
            return field
        parent = self.place_of("error" if field in ERROR_FIELDS else "result", method)
        return f"{parent}.{field}" if parent else field

    @cached_property
    def row_directions(self) -> dict[int, int | str | bool]:
        """The direction as a row has it, by the one that the API's text has."""
        spelled = self.row_values.get("direction", {})
        return {number: spelled.get(str(number), number) for number in (1, 2)}  # type: ignore[call-overload]

    def latency_of(self, method: Method) -> Seconds:
        """
        Return the latency of one method.

        :param method: the method
        """
        if isinstance(self.latency, Mapping):
            return self.latency.get(method, self.latency.get("*", 0.0))
        return self.latency


def setting_from_text(text: str) -> tuple[str, Any]:
    """
    Read ``NAME=VALUE`` from a command line. The value is JSON, or else plain text.

    :param text: the argument
    :raises ValueError: it has no ``=``
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not NAME=VALUE.")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value
