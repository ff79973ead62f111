"""Parameters of a request: read as strictly as the settings say, and returned under the names of the API's text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

from airflow_provider_alloincognito.sandbox.faults import Method
from airflow_provider_alloincognito.sandbox.names import REQUIRED
from airflow_provider_alloincognito.sandbox.requests import CallQuery, HttpRequest, same_number
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

MEDIA_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}
PERIOD_FORMATS = {
    "naive": "yyyy-mm-dd hh:mm:ss",
    "iso": "yyyy-mm-ddThh:mm:ss",
    "iso_offset": "yyyy-mm-ddThh:mm:ss+hh:mm",
    "iso_z": "yyyy-mm-ddThh:mm:ssZ",
    "dotted": "dd.mm.yyyy hh:mm:ss",
}
_PLACES: dict[str, Literal["query", "body", "path"]] = {
    "query": "query",
    "path": "path",
    "form": "body",
    "json": "body",
}
_INTEGERS = frozenset({"direction", "durationFrom", "durationTo", "isCallRecord", "isRead"})
_ALLOWED: dict[str, tuple[int | str, ...]] = {"direction": (0, 1, 2, ""), "isCallRecord": (0, 1, ""), "isRead": (0, 1)}
_INTEGER = re.compile(r"-?\d+", re.ASCII)
_NUMBER = re.compile(r"\+?\d{3,15}", re.ASCII)


def _pattern(shape: str) -> re.Pattern[str]:
    """Return the regular expression of a shape such as ``dd.mm.yyyy``."""
    runs = ((one, len(list(run))) for one, run in groupby(shape))
    signs = {"+": "[+-]", ".": r"\."}
    parts = (f"\\d{{{length}}}" if one in "ymdhs" else signs.get(one, one) for one, length in runs)
    return re.compile("".join(parts), re.ASCII)


_PERIODS = {style: _pattern(shape) for style, shape in PERIOD_FORMATS.items()}


@dataclass(frozen=True, slots=True)
class Problem:
    """
    What is wrong with a request.

    :param kind: the media type; the body as a whole; a parameter that is missing, unknown or invalid
    :param place: where the parameter is or should be
    :param name: the server's name of the parameter; empty: it is about the whole body
    :param message: in Russian, as the API's own
    :param value: what was received
    """

    kind: Literal["media_type", "body", "missing", "unknown", "invalid"]
    place: Literal["query", "body", "path"]
    name: str
    message: str
    value: Any = None


class BadRequest(ValueError):
    """A request is not as the API describes it. Its text is Russian, as the API's own."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{one.name}: {one.message}" if one.name else one.message for one in problems))
        self.problems = problems


def read_parameters(settings: SandboxSettings, method: Method, request: HttpRequest) -> dict[str, Any]:
    """
    Return the parameters of a request by their names in the API's text.

    Texts of a query, form or path are returned as the values that JSON would have. A period is returned as naive times
    in the API's zone.

    :param settings: where parameters are, their names, and how values are written
    :param method: the method
    :param request: the request, with its body
    :raises BadRequest: it is not as the settings say
    """
    place = "path" if request.in_path else settings.place_of_parameters(method)
    expected = settings.parameters[method]
    given = _given(settings, place, request)
    problems = [] if settings.allow_unknown_fields else _unknown(place, request, given, expected)
    for name, parameter in expected.items():
        if parameter in REQUIRED and given.get(name) in (None, "", [""]):
            problems.append(Problem("missing", _PLACES[place], name, "обязательный параметр не передан"))
    if problems:
        raise BadRequest(*problems)
    reader = _Reader(settings, textual=place != "json")
    read: dict[str, Any] = {}
    for name, value in given.items():
        if parameter := expected.get(name, ""):
            try:
                read[parameter] = reader.read(parameter, value)
            except ValueError as e:
                problems.append(Problem("invalid", _PLACES[place], name, str(e), value))
    if problems:
        raise BadRequest(*problems)
    return read


def read_query(settings: SandboxSettings, request: HttpRequest) -> CallQuery:
    """
    Read the request of a call list.

    :param settings: as for :func:`read_parameters`
    :param request: as for :func:`read_parameters`
    :raises BadRequest: it is not as the settings say
    """
    read = read_parameters(settings, "getcalllist", request)
    start, end = read["periodStart"], read["periodEnd"]
    if end < start:
        place = _PLACES[settings.place_of_parameters("getcalllist")]
        raise BadRequest(
            Problem("invalid", place, str(settings.parameter_name("periodEnd")), "конец периода раньше начала")
        )
    return CallQuery(
        start=start,
        end=end,
        numbers=read.get("numbers"),
        direction=read.get("direction") or 0,
        duration_from=read.get("durationFrom"),
        duration_to=read.get("durationTo"),
        only_recorded=read.get("isCallRecord") == 1,
        is_read=read.get("isRead"),
    )


def _given(settings: SandboxSettings, place: str, request: HttpRequest) -> Mapping[str, Any]:
    """Return the parameters as they were received, by the server's names; all but those of JSON as lists of texts."""
    if place == "path":
        return {str(settings.parameter_name(name)): [text] for name, text in request.in_path.items()}
    if place == "query":
        return request.query
    expected = MEDIA_TYPES[place]
    if request.media_type != expected:
        raise BadRequest(Problem("media_type", "body", "", f"ожидается Content-Type: {expected}"))
    if not isinstance(request.body, dict):
        raise BadRequest(Problem("body", "body", "", "тело запроса должно быть объектом JSON", request.body))
    return request.body


def _unknown(place: str, request: HttpRequest, given: Mapping[str, Any], expected: Mapping[str, str]) -> list[Problem]:
    message = "неизвестный параметр"
    beside = {} if place == "query" else request.query
    found = [Problem("unknown", "query", name, message, value) for name, value in beside.items()]
    others = {name: value for name, value in given.items() if name not in expected}
    return found + [Problem("unknown", _PLACES[place], name, message, value) for name, value in others.items()]


class _Reader:
    """
    Reads single values.

    :param textual: values are lists of texts, as a query or form has them, not values of JSON
    """

    def __init__(self, settings: SandboxSettings, *, textual: bool) -> None:
        self._settings = settings
        self._textual = textual

    def read(self, parameter: str, value: Any) -> Any:
        """
        Return the value of a parameter.

        :raises ValueError: saying in Russian what is expected
        """
        if value is None and not self._settings.null_parameters:
            raise ValueError("null не допускается")
        if parameter == "numbers":
            return self._numbers(value)
        textual = self._textual
        if textual:
            if len(value) != 1:
                raise ValueError("параметр передан несколько раз")
            value = value[0]
        if spellings := self._settings.request_values.get(parameter):  # type: ignore[call-overload]
            return _spelled(spellings, value, textual)
        if parameter in _INTEGERS and textual:
            value = _integer(value) if value else None
        match parameter:
            case "periodStart" | "periodEnd":
                return self._moment(value)
            case "durationFrom" | "durationTo":
                return _seconds(value)
            case "recordFileId":
                return _uuid(value)
            case "requestHash":
                return value
        return _one_of(value, _ALLOWED[parameter])

    def _moment(self, value: Any) -> datetime:
        style, zone = self._settings.period_format, self._settings.zone
        if style in ("epoch_s", "epoch_ms"):
            if self._textual:
                value = _integer(value)
            if type(value) is int:
                try:
                    return datetime.fromtimestamp(value if style == "epoch_s" else value / 1000, zone).replace(
                        tzinfo=None
                    )
                except (ValueError, OverflowError, OSError):
                    pass
            raise ValueError("ожидается целое число от 01.01.1970")
        if isinstance(value, str) and _PERIODS[style].fullmatch(value):
            try:
                # Stricter than either of these is the pattern.
                is_iso = style != "dotted"
                moment = datetime.fromisoformat(value) if is_iso else datetime.strptime(value, "%d.%m.%Y %H:%M:%S")
            except ValueError:
                pass
            else:
                return moment if moment.tzinfo is None else moment.astimezone(zone).replace(tzinfo=None)
        raise ValueError(f"ожидается {PERIOD_FORMATS[style]}")

    def _numbers(self, value: Any) -> frozenset[str] | None:
        if self._settings.list_format == "comma":
            if self._textual:
                value = value[0] if len(value) == 1 else value
            if value is not None and not isinstance(value, str):
                raise ValueError("ожидаются номера через запятую")
            value = value.split(",") if value else None
        elif self._textual and value == [""]:
            value = None
        if value is None or value == []:
            return None
        if not isinstance(value, list):
            raise ValueError("ожидается список строк")
        for number in value:
            if not isinstance(number, str) or not _NUMBER.fullmatch(number):
                raise ValueError(f"неверный номер {number!r}")
        return frozenset(map(same_number, value))


def period_pattern(style: str) -> str:
    """
    Return the regular expression of a period's times.

    :param style: the setting ``period_format``; not one that is a number
    """
    return f"^{_PERIODS[style].pattern}$"


def _spelled(spellings: Mapping[Any, Any], value: Any, textual: bool) -> int | None:
    if value is None or value == "":
        return None
    for number, written in spellings.items():
        as_text = written if isinstance(written, str) else json.dumps(written)
        if value == as_text if textual else (type(value) is type(written) and value == written):
            return int(number)
    raise ValueError(f"ожидается одно из: {', '.join(map(str, spellings.values()))}")


def _integer(text: Any) -> int:
    if isinstance(text, str) and _INTEGER.fullmatch(text):
        return int(text)
    raise ValueError("ожидается целое число")


def _one_of(value: Any, allowed: tuple[int | str, ...]) -> Any:
    if value is None or (type(value) in (int, str) and value in allowed):
        return value
    raise ValueError("недопустимое значение")


def _seconds(value: Any) -> int | None:
    if value is None or (type(value) is int and value >= 0):
        return value
    raise ValueError("ожидается целое число секунд или null")


def _uuid(value: Any) -> str:
    try:
        if isinstance(value, str) and str(UUID(value)) == value.lower():
            return value
    except ValueError:
        pass
    raise ValueError("ожидается uuid")
