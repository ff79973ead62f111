"""
How a server's API differs from the API's text: verbs, bodies, names and values of fields, places in the answers.

``airflow alloincognito discover`` writes it as the Connection's setting ``api_mapping``. The API's own text is the
default mapping, ``ApiMapping()``. ``methods.py`` applies it to requests, ``answer/envelope.py`` to answers, and
``tokens/pair.py`` to token pairs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

import msgspec

from airflow_provider_alloincognito.api.times import API_FORMAT, to_api

Path = tuple[str, ...]
"""The keys that lead to a value of an answer, from its root."""
Scalar = str | int | float | bool | None

DEFAULT_VERBS: dict[str, Literal["GET", "POST"]] = {
    "getcalllist": "POST",
    "getcallrecordfile": "GET",
    "getrequestresultbyhash": "GET",
    "create": "GET",
    "refresh": "GET",
}
REQUEST_FIELDS: dict[str, tuple[str, ...]] = {
    "getcalllist": (
        "periodStart",
        "periodEnd",
        "direction",
        "durationFrom",
        "durationTo",
        "isCallRecord",
        "isRead",
    ),
    "getcallrecordfile": ("recordFileId",),
    "getrequestresultbyhash": ("requestHash",),
    "create": (),
    "refresh": (),
}
# What the text calls our values; of the fields that are not here, any.
VALUES: dict[str, tuple[str, ...] | None] = {
    "direction": ("0", "1", "2"),
    "durationFrom": None,
    "durationTo": None,
    "isCallRecord": ("0", "1"),
    "isRead": ("null", "0", "1"),
}
# What is sent for a filter that is not set; null for those that are not here.
UNSET = {"direction": 0, "isCallRecord": 0}
# They may be in a path, as {recordFileId}.
ALWAYS_SENT = ("periodStart", "periodEnd", "recordFileId", "requestHash")
TIMES = ("periodStart", "periodEnd")
EPOCH_FORMAT = re.compile(r"%s(000)?")  # sent as a number
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
ANSWER_PATHS: dict[str, tuple[Path, ...]] = {
    **{
        name: (("result", name),)
        for name in (
            "rowset",
            "fileContent",
            "requestHash",
            "file_NAME",
            "code",
            "apiName",
            "apiVersion",
            "callTime",
            "responseDuration",
        )
    },
    "errorCode": (("error", "errorCode"),),
    "errorMessage": (("error", "errorMessage"),),
    **{
        name: ((name,), ("result", name))
        for name in ("accessToken", "accessTokenExpiredIn", "refreshToken", "refreshTokenExpiredIn")
    },
}
LIST_FORMATS = {"json": ("list", "comma"), "form": ("repeat", "comma"), "query": ("repeat", "comma")}
ALLOWED = {
    "verb": "'GET' or 'POST'",
    "body": "'json', 'form' or 'query'",
    "names": "an object from the API text's name of a field to the server's, or to null if the server has none",
    "values": "an object from the API text's name of a field to an object from our value, as text, to the server's: a "
    "text, a number, true, false or null",
    "time_format": "a format of Python's strftime, such as '%Y-%m-%dT%H:%M:%S%:z'",
    "list_format": "'list' or 'comma' in a body of the kind 'json', otherwise 'repeat' or 'comma'",
    "nulls": "'send' or 'omit'",
    "answer": "an object from the API text's name of a field to a dotted path, or to a list of them",
}
DEEPEST = 6
MOST_PATHS = 8
LONGEST_NAME = 200
A_MOMENT = datetime(2026, 3, 1, tzinfo=UTC)


class RequestMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    How one method is requested.

    :param verb: the HTTP verb.
    :param body: where the fields are sent: ``json``, ``form`` or ``query``; by default ``json`` with POST and ``query``
        with GET.
    :param names: the API text's name of a field to the server's; None if the server has no such field.
    :param values: the API text's name of a field to what is sent for each of our values, which are written as text.
    :param time_format: the format of times, in the Connection's ``timezone``, as for ``strftime``; besides, ``%s`` is
        the seconds since the epoch, and ``%:z`` an offset such as ``+03:00``.
    :param list_format: how the numbers are sent: ``list`` (default in ``json``), ``repeat`` (``a=1&a=2``, default
        elsewhere) or ``comma``.
    :param nulls: ``send`` a field without a value as null, in ``json``, or ``omit`` it, as in ``form`` and ``query``.
    """

    verb: Literal["GET", "POST"] = "GET"
    body: Literal["json", "form", "query"] | None = None
    names: dict[str, str | None] = {}
    values: dict[str, dict[str, Scalar]] = {}
    time_format: str = API_FORMAT
    list_format: Literal["list", "repeat", "comma"] | None = None
    nulls: Literal["send", "omit"] = "send"

    @property
    def place(self) -> Literal["json", "form", "query"]:
        """Where the fields are sent."""
        return self.body or ("json" if self.verb == "POST" else "query")

    def sent_value(self, name: str, value: Any) -> Any:
        """
        Return what is sent for a value.

        :param name: the API text's name of the field.
        :param value: ours.
        """
        if name in TIMES and EPOCH_FORMAT.fullmatch(self.time_format):
            return int(value)
        table = self.values.get(name)
        return value if table is None else table.get("null" if value is None else str(value), value)

    def problem(self, fields: tuple[str, ...]) -> str | None:
        """
        Return what is wrong, if anything, beginning with the key.

        :param fields: the names of the method's fields.
        """
        if self.verb == "GET" and self.place != "query":
            return "body must be 'query', or left out, with the verb 'GET': a GET has no body"
        if self.list_format is not None and self.list_format not in LIST_FORMATS[self.place]:
            return f"list_format must be {ALLOWED['list_format']}"
        if not _is_time_format(self.time_format):
            return f"time_format must be {ALLOWED['time_format']}"
        return self._names_problem(fields) or self._values_problem(fields)

    def _names_problem(self, fields: tuple[str, ...]) -> str | None:
        for name, sent in self.names.items():
            if unknown := unknown_key("names", name, fields):
                return unknown
            if sent is not None and not _is_name(sent):
                return f"names.{name} must be the name of a field, or null if the server has none"
        sent_names = [sent for name in fields if (sent := self.names.get(name, name)) is not None]
        repeated = next((name for name in sent_names if sent_names.count(name) > 1), None)
        return None if repeated is None else f"names must not have {repeated!r} for two fields"

    def _values_problem(self, fields: tuple[str, ...]) -> str | None:
        for name, table in self.values.items():
            if unknown := unknown_key("values", name, [one for one in fields if one in VALUES]):
                return unknown
            for value in table:
                if (allowed := VALUES[name]) and (unknown := unknown_key(f"values.{name}", value, allowed)):
                    return unknown
        return None


class ApiMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """
    How a server's API differs from the API's text. False if it does not.

    :param getcalllist: how a call list is requested.
    :param getcallrecordfile: how a recording is.
    :param getrequestresultbyhash: how an earlier result is.
    :param create: how a token pair is.
    :param refresh: how a renewed one is.
    :param answer: the API text's name of an answer's field to the dotted paths at which the server has it; of several,
        each method has one. ``""`` for ``rowset``: the answer is an array of rows.
    :raises ValueError: if something does not fit together. It names the key and what is allowed.
    """

    getcalllist: RequestMapping = RequestMapping(verb=DEFAULT_VERBS["getcalllist"])
    getcallrecordfile: RequestMapping = RequestMapping()
    getrequestresultbyhash: RequestMapping = RequestMapping()
    create: RequestMapping = RequestMapping()
    refresh: RequestMapping = RequestMapping()
    answer: dict[str, str | list[str]] = {}

    def __post_init__(self) -> None:
        for method, fields in REQUEST_FIELDS.items():
            if problem := self.request(method).problem(fields):
                raise ValueError(f"{method}.{problem}")
        for name, paths in self.answer.items():
            if unknown := unknown_key("answer", name, ANSWER_PATHS):
                raise ValueError(unknown)
            given = [paths] if isinstance(paths, str) else paths
            valid = [path for path in given if _is_path(path) or (name == "rowset" and not path)]
            if valid != given or not 0 < len(given) <= MOST_PATHS:
                raise ValueError(
                    f"answer.{name} must be a dotted path of up to {DEEPEST} keys from the root of the answer, such as "
                    f"'data.items', or a list of up to {MOST_PATHS} of them"
                )

    def __bool__(self) -> bool:
        return self != DEFAULT

    def request(self, method: str) -> RequestMapping:
        """Return how a method is requested, by its name in the API's text."""
        mapping: RequestMapping = getattr(self, method)
        return mapping

    def path_problem(self, method: str, path: str) -> str | None:
        """
        Return what is wrong with the path of a method, if anything.

        :param method: its name in the API's text.
        :param path: it may have ``{recordFileId}`` or the like in the place of a field.
        """
        required = [name for name in REQUEST_FIELDS[method] if name in ALWAYS_SENT]
        names = self.request(method).names
        in_path = PLACEHOLDER.findall(path)
        for name in in_path:
            if name not in required:
                known = " or ".join(f"{{{one}}}" for one in required) or "none"
                return f"it has the unknown placeholder {{{name}}}; known for this method: {known}"
        missing = [name for name in required if name not in in_path and names.get(name, name) is None]
        if missing:
            return f"it must have {{{missing[0]}}}, since api_mapping has null as the name of that field"
        return None

    @cached_property
    def answer_paths(self) -> tuple[tuple[str, tuple[Path, ...]], ...]:
        """The API text's name of each field of an answer, with all paths at which the server may have it."""
        return tuple((name, self._paths(name)) for name in ANSWER_PATHS)

    def _paths(self, name: str) -> tuple[Path, ...]:
        paths = self.answer.get(name)
        if paths is None:
            return ANSWER_PATHS[name]
        return tuple(tuple(path.split(".")) if path else () for path in ([paths] if isinstance(paths, str) else paths))

    def paths(self, name: str) -> tuple[Path, ...]:
        """Return the paths at which the server may have a field, by its name in the API's text."""
        return dict(self.answer_paths)[name]

    def path_text(self, name: str) -> str:
        """Return what errors call a field of the answer."""
        return " or ".join(".".join(path) or "the answer itself" for path in self.paths(name))


def read_mapping(given: Any) -> ApiMapping:
    """
    Read the setting.

    :param given: an object, or the text of a JSON object.
    :raises ValueError: if it is invalid. It names the key and what is allowed, and suggests the nearest known name.
    """
    if isinstance(given, str):
        try:
            given = msgspec.json.decode(given)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise ValueError("it must be a JSON object, and is not valid JSON") from None
    if not isinstance(given, Mapping):
        raise ValueError('it must be a JSON object, such as {"getcalllist": {"verb": "GET"}}')
    values: dict[str, Any] = {}
    for name, value in given.items():
        if unknown := unknown_key("", name, ApiMapping.__struct_fields__):
            raise ValueError(unknown)
        if name == "answer":
            values[name] = _converted(name, value, ApiMapping)
            continue
        if not isinstance(value, Mapping):
            raise ValueError(f'{name} must be an object, such as {{"verb": "GET"}}')
        fields: dict[str, Any] = {"verb": DEFAULT_VERBS[name]}
        for key, inner in value.items():
            if unknown := unknown_key(name, key, RequestMapping.__struct_fields__):
                raise ValueError(unknown)
            fields[key] = _converted(key, inner, RequestMapping, name)
        values[name] = RequestMapping(**fields)
    return ApiMapping(**values)


def unknown_key(where: str, name: object, allowed: Iterable[str]) -> str | None:
    """Return what is wrong with a key: None if it is one of those that are allowed."""
    known = list(allowed)
    if name in known:
        return None
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    may_be = f"known are {', '.join(known)}" if known else "it takes none"
    return f"{where or 'api_mapping'} has the unknown key {str(name)[:LONGEST_NAME]!r}{hint} ({may_be})"


def _converted(key: str, value: Any, struct: type[msgspec.Struct], *outer: str) -> Any:
    types = {field.name: field.type for field in msgspec.structs.fields(struct)}
    try:
        return msgspec.convert(value, types[key])
    except msgspec.ValidationError:
        raise ValueError(f"{'.'.join((*outer, key))} must be {ALLOWED[key]}") from None


def _is_path(path: str) -> bool:
    keys = path.split(".")
    return len(keys) <= DEEPEST and all(map(_is_name, keys))


def _is_name(name: str) -> bool:
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()


def _is_time_format(text: str) -> bool:
    """Return whether a format tells one day from the next."""
    try:
        today, tomorrow = (to_api(A_MOMENT + timedelta(days), UTC, text) for days in (0, 1))
    except ValueError:
        return False
    return _is_name(text) and today != tomorrow and today.isprintable()


DEFAULT = ApiMapping()
