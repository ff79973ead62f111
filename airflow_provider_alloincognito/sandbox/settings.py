"""Everything about the sandbox that can be set: what the API's text leaves open, and what tests want to bend."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_alloincognito.sandbox.faults import Fault

Method = Literal["create", "refresh", "getcalllist", "getcallrecordfile", "getrequestresultbyhash"]
METHODS: tuple[Method, ...] = get_args(Method)

ROW_FIELDS = (
    "callId",
    "startTime",
    "direction",
    "callerNumber",
    "calledNumber",
    "duration",
    "waitDuration",
    "status",
    "recordFileId",
    "isVoicemail",
    "isRead",
    "comment",
)

Seconds = float | tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """
    The sandbox's knobs. Frozen: ``Sandbox.configure`` puts another one in place.

    :param authorization_token: the authorization token to start with; None: one is made
    :param access_lifetime: seconds that an access token lives (the text: 24 hours)
    :param refresh_lifetime: seconds that a refresh token lives (the text: 25 hours)
    :param early_refresh: may a pair be refreshed while its access token lives
    :param early_refresh_answer: how an early refresh is refused: as a bad token (``auth``), or as an API ``error``
    :param expiry_format: how ``accessTokenExpiredIn`` and ``refreshTokenExpiredIn`` are written
    :param jwt_exp: the claim ``exp``: a number, a string, or none
    :param pair_envelope: the pair stands ``bare``, as printed in the text, or under ``result``
    :param auth_rejection: HTTP status for a token that is not valid; 200 brings an error in the envelope
    :param auth_error_code: ``errorCode`` of a rejected token; None: the status (401 where that is 200)
    :param quote_tokens: a rejection's text quotes the rejected token
    :param clock_skew: seconds by which the server's clock is ahead of this machine's
    :param forbidden_methods: methods that answer 403 to a living token: the right is missing

    :param create_path: path of ``create``; so with the four others
    :param numbers_field: name of the call-list body's list of numbers
    :param allow_unknown_fields: unknown fields of the body and unknown query parameters are let pass
    :param timezone: IANA zone of all times without a zone
    :param period_end: is a call that starts at ``periodEnd`` inside the period. Compared in whole seconds
    :param call_list_answer: ``hash_only``: the call list answers without rows, they are fetched by the hash
    :param empty_rowset: what a period without calls has for its rows

    :param hash_reruns_query: by-hash runs the query again (newer rows, another hash)
    :param hash_lifetime: seconds that a hash is known; None: for ever
    :param unknown_hash_status: HTTP status of the error about an unknown hash
    :param always_awkward_hashes: each hash holds ``+`` and ``/`` beside ``=``
    :param pending_polls: so many times by-hash says "not ready yet", for each hash
    :param pending_seconds: for so long by-hash says "not ready yet", for each hash
    :param pending_style: how it says so
    :param pending_error_code: the code, where it says so by an error

    :param no_error: how ``error`` looks when there is none
    :param error_status: HTTP status of the API's own errors
    :param error_code: ``errorCode`` of the API's own errors
    :param error_result: an error's ``result``: the envelope with its hash, null, or absent
    :param result_code: ``result.code`` of a good answer
    :param key_order: order of keys in the answer and in ``result``
    :param pretty: answers are indented
    :param ascii_json: Cyrillic is written as ``\\u`` escapes
    :param gzip: bodies are packed where the client takes it
    :param transfer: ``auto``: Content-Length where the length is known beforehand or small, else chunked

    :param base64_dressing: how ``fileContent`` departs from plain base64
    :param file_name: ``file_NAME``: with numbers and Cyrillic, hostile as well, empty, null, or absent
    :param recording_bytes: size of a recording, or a range of sizes; None: as long as the talk (2,000 bytes a second)

    :param seed: another seed gives other calls
    :param calls_per_day: calls on a working day, about
    :param daily_variation: False: every day, weekends too, has exactly ``calls_per_day``
    :param start_fractions: about half of the starts have milliseconds
    :param awkward_rows: ``comment`` holds braces, quotes, escapes and nested values
    :param row_fields: other names for the fields of a row; a field renamed to null is left out
    :param call_appears_after: seconds from a call's end until it is listed; None: calls of the future are listed too
    :param recording_appears_after: seconds from a call's end until its recording is there

    :param latency: seconds that an answer takes, or a range; or a mapping from methods (``*`` for the rest) to those
    :param rate_limit: requests a second, of all methods, before 429; None: no limit
    :param retry_after: seconds in the 429's ``Retry-After``; None: no such header
    :param faults: faults to begin with; see :class:`~airflow_provider_alloincognito.sandbox.faults.Fault`
    :param admin: serve ``/_sandbox/``
    :param log_limit: requests kept in the log
    :param cache_megabytes: rendered rows kept, so that a period asked for again costs nothing (1,000,000 rows: 280)
    """

    authorization_token: str | None = field(default=None, repr=False)
    access_lifetime: float = 24 * 3600.0
    refresh_lifetime: float = 25 * 3600.0
    early_refresh: Literal["allowed", "refused"] = "allowed"
    early_refresh_answer: Literal["auth", "error"] = "auth"
    expiry_format: Literal["iso", "iso_z", "naive", "epoch_s", "epoch_ms", "garbage", "none"] = "iso"
    jwt_exp: Literal["number", "string", "none"] = "number"
    pair_envelope: Literal["bare", "result"] = "bare"
    auth_rejection: int = 401
    auth_error_code: int | str | None = None
    quote_tokens: bool = True
    clock_skew: float = 0.0
    forbidden_methods: tuple[Method, ...] = ()

    create_path: str = "/api/v1/auth/integrationapi/create"
    refresh_path: str = "/api/v1/auth/integrationapi/refresh"
    call_list_path: str = "/api/v1/request/getcalllist"
    record_file_path: str = "/api/v1/request/getcallrecordfile"
    request_result_path: str = "/api/v1/request/getrequestresultbyhash"
    numbers_field: str = "numbers"
    allow_unknown_fields: bool = False
    timezone: str = "Europe/Moscow"
    period_end: Literal["inclusive", "exclusive"] = "exclusive"
    call_list_answer: Literal["rows", "hash_only"] = "rows"
    empty_rowset: Literal["[]", "null"] = "[]"

    hash_reruns_query: bool = False
    hash_lifetime: float | None = None
    unknown_hash_status: int = 200
    always_awkward_hashes: bool = False
    pending_polls: int = 0
    pending_seconds: float = 0.0
    pending_style: Literal["202", "no_rowset", "error_code"] = "202"
    pending_error_code: int | str = 1100

    no_error: Literal["null", "absent", "zero", "zero_string", "null_code"] = "null"
    error_status: int = 200
    error_code: int | str = 1000
    error_result: Literal["envelope", "null", "absent"] = "envelope"
    result_code: int = 0
    key_order: Literal["error_first", "result_first", "rowset_first"] = "error_first"
    pretty: bool = False
    ascii_json: bool = False
    gzip: bool = False
    transfer: Literal["auto", "chunked", "content_length"] = "auto"

    base64_dressing: Literal["plain", "escaped_slashes", "line_breaks", "no_padding", "urlsafe", "data_uri"] = "plain"
    file_name: Literal["plain", "hostile", "empty", "null", "absent"] = "plain"
    recording_bytes: int | tuple[int, int] | None = None

    seed: int | str = 0
    calls_per_day: int = 2500
    daily_variation: bool = True
    start_fractions: bool = False
    awkward_rows: bool = False
    row_fields: Mapping[str, str | None] = field(default_factory=dict)
    call_appears_after: float | None = 0.0
    recording_appears_after: float = 0.0

    latency: Seconds | Mapping[str, Seconds] = 0.0
    rate_limit: float | None = None
    retry_after: int | None = 1
    faults: tuple[Fault, ...] = ()
    admin: bool = True
    log_limit: int = 200_000
    cache_megabytes: int = 192

    def __post_init__(self) -> None:
        for name, value in self._knobs().items():
            object.__setattr__(self, name, _fitting(name, value))
        if unknown := set(self.row_fields) - set(ROW_FIELDS):
            raise ValueError(f"row_fields: no such field: {sorted(unknown)}; a row has {list(ROW_FIELDS)}")
        names = [self.row_fields.get(name, name) for name in ROW_FIELDS]
        named = [name for name in names if name is not None]
        if len(set(named)) != len(named) or not named:
            raise ValueError("row_fields: two fields have one name, or none is left")
        if len(self.methods_by_path) != len(METHODS):
            raise ValueError("two methods have one path")
        _ = self.zone

    @classmethod
    def of(cls, knobs: Mapping[str, Any]) -> Self:
        """
        Settings from a mapping as JSON has it.

        :param knobs: names and values; a value may be given as text, as on the command line
        """
        return cls(**cls._checked_names(knobs))

    def but(self, **knobs: Any) -> Self:
        """
        The same settings but for some.

        :param knobs: what differs
        """
        return replace(self, **self._checked_names(knobs))

    @classmethod
    def _checked_names(cls, knobs: Mapping[str, Any]) -> dict[str, Any]:
        known = [knob.name for knob in fields(cls)]
        for name in knobs:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise ValueError(f"the sandbox has no knob {name!r}{hint}")
        return dict(knobs)

    def _knobs(self) -> dict[str, Any]:
        return {knob.name: getattr(self, knob.name) for knob in fields(self)}

    def to_json(self) -> dict[str, Any]:
        """Give all knobs as JSON has them, without the authorization token."""
        knobs = self._knobs()
        del knobs["authorization_token"]
        knobs["faults"] = [fault.to_json() for fault in self.faults]
        knobs["row_fields"] = dict(self.row_fields)
        return knobs

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of all times without a zone."""
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as e:
            raise ValueError(f"timezone: unknown zone {self.timezone!r}") from e

    @cached_property
    def methods_by_path(self) -> dict[str, Method]:
        """Which method is served under which path."""
        return {
            self.create_path: "create",
            self.refresh_path: "refresh",
            self.call_list_path: "getcalllist",
            self.record_file_path: "getcallrecordfile",
            self.request_result_path: "getrequestresultbyhash",
        }

    @cached_property
    def paths(self) -> dict[Method, str]:
        """Under which path a method is served."""
        return {method: path for path, method in self.methods_by_path.items()}

    def latency_of(self, method: str) -> Seconds:
        """Give the latency of one method."""
        if isinstance(self.latency, Mapping):
            return self.latency.get(method, self.latency.get("*", 0.0))
        return self.latency


def knob_from_text(text: str) -> tuple[str, Any]:
    """
    Read ``knob=value`` from a command line; the value is JSON, or else plain text.

    :param text: what was typed
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"expected knob=value, got {text!r}")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _fitting(name: str, value: Any) -> Any:
    """Check a knob's value against its type, and bring what JSON gave into that type."""
    if name == "faults":
        return tuple(f if isinstance(f, Fault) else Fault.of(f) for f in value)
    if name == "latency":
        return _latency(value)
    if name == "row_fields":
        if not isinstance(value, Mapping) or not all(v is None or isinstance(v, str) for v in value.values()):
            raise ValueError("row_fields: a mapping from names to names (or null) is expected")
        return dict(value)
    if isinstance(value, list):
        value = tuple(value)
    allowed = _HINTS.get(name) or _HINTS.setdefault(name, get_type_hints(SandboxSettings)[name])
    if not _fits(value, allowed):
        raise ValueError(f"{name}: {value!r} is not allowed; expected {_readable(allowed)}")
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0 and name not in _MAY_BE_NEGATIVE:
        raise ValueError(f"{name}: {value!r} is negative")
    if name.endswith("_path") and not value.startswith("/"):
        raise ValueError(f"{name}: {value!r} does not begin with a slash")
    if name.endswith(("_status", "_rejection")) and not 200 <= value <= 599:
        raise ValueError(f"{name}: {value!r} is no HTTP status from 200 to 599")
    return value


_HINTS: dict[str, Any] = {}
_MAY_BE_NEGATIVE = frozenset(
    {"clock_skew", "seed", "error_code", "auth_error_code", "pending_error_code", "result_code"}
)


def _fits(value: Any, allowed: Any) -> bool:
    arguments = get_args(allowed)
    if get_origin(allowed) is Literal:
        return any(value == one and type(value) is type(one) for one in arguments)
    if get_origin(allowed) is tuple:
        if not isinstance(value, tuple):
            return False
        if arguments[-1] is Ellipsis:
            return all(_fits(one, arguments[0]) for one in value)
        ordered = len(value) == len(arguments) and all(map(_fits, value, arguments))
        return ordered and value[0] <= value[1]
    if arguments:
        return any(_fits(value, one) for one in arguments)
    if allowed is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is allowed


def _readable(allowed: Any) -> str:
    if get_origin(allowed) is Literal:
        return "one of " + ", ".join(repr(one) for one in get_args(allowed))
    return allowed.__name__ if isinstance(allowed, type) and not get_args(allowed) else str(allowed)


def _latency(value: Any) -> Any:
    if isinstance(value, Mapping):
        if unknown := set(value) - {*METHODS, "*"}:
            raise ValueError(f"latency: unknown methods {sorted(unknown)}; expected some of {[*METHODS, '*']}")
        return {method: _latency(one) for method, one in value.items()}
    if isinstance(value, list):
        value = tuple(value)
    if not _fits(value, Seconds) or (value if isinstance(value, int | float) else value[0]) < 0:
        raise ValueError(f"latency: seconds, or a range of seconds [least, most], expected; got {value!r}")
    return value
