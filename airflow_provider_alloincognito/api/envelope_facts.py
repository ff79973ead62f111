"""What an answer's envelope says, gathered from the events of a JSON parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from airflow_provider_alloincognito.api.errors import AlloincognitoResponseError

Scalar = str | int | float | bool | None
Path = tuple[str, ...]

ROWSET: Path = ("result", "rowset")
FILE_CONTENT: Path = ("result", "fileContent")

_TEXTS = {
    ("result", "requestHash"): "request_hash",
    ("result", "file_NAME"): "file_name",
    ("error", "errorMessage"): "error_message",
}
_SCALARS = {
    ("result", "code"): "code",
    ("result", "apiName"): "api_name",
    ("result", "apiVersion"): "api_version",
    ("result", "callTime"): "call_time",
    ("result", "responseDuration"): "response_duration",
    ("error", "errorCode"): "error_code",
}
_LARGE_VALUES = {ROWSET: ("rowset", "array"), FILE_CONTENT: ("file_content", "string")}
_KNOWN: set[Path] = {("error",), ("result",), *_LARGE_VALUES, *_TEXTS, *_SCALARS}


@dataclass(frozen=True, slots=True)
class Envelope:
    """All that an answer says beside its rows or its recording; ``None`` for what it does not say."""

    request_hash: str | None = None
    code: Scalar = None
    api_name: Scalar = None
    api_version: Scalar = None
    call_time: Scalar = None
    response_duration: Scalar = None
    file_name: str | None = field(default=None, repr=False)
    error_code: Scalar = None
    error_message: str | None = field(default=None, repr=False)
    rowset: Literal["absent", "null", "array"] = "absent"
    file_content: Literal["absent", "null", "string"] = "absent"
    has_result: bool = False


class EnvelopeFacts:
    """Follows the events of ijson's ``basic_parse`` through one document, and notes what is known of it."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        """Arguments for an :class:`Envelope`."""
        self.awaited: Path = ()
        """The path of the key reported last, if nothing was reported after it."""
        self.ended = False
        self._path: list[str] = []  # the key met last in each open object; "" in an array
        self._met: set[Path] = set()

    def take(self, event: str, value: Any) -> None:
        """
        Take one event.

        :param event: ijson's name of it.
        :param value: the key, or the scalar.
        """
        self.awaited = ()
        if event == "map_key":
            self._path[-1] = value
            self._key(self._place())
        elif event in ("end_map", "end_array"):
            self._path.pop()
            self.ended = not self._path
        else:
            self._value(self._place(), event, value)
            if event in ("start_map", "start_array"):
                self._path.append("")

    def open_large_value(self) -> None:
        """Note that the awaited value is the promised array or string; its content will not be reported."""
        name, kind = _LARGE_VALUES[self.awaited]
        self.known[name] = kind
        self.awaited = ()

    def _place(self) -> Path:
        return tuple(self._path[:3])  # all that is known lies within two: no need to copy the depths

    def _key(self, place: Path) -> None:
        if place in self._met:
            raise AlloincognitoResponseError(f"The answer has {'.'.join(place)} twice.")
        if place in _KNOWN:
            self._met.add(place)
        self.awaited = place

    def _value(self, place: Path, event: str, value: Any) -> None:
        nested = event in ("start_map", "start_array")
        match place:
            case () if event != "start_map":
                raise AlloincognitoResponseError("The answer is JSON, but not an object.")
            case ("result",):
                self.known["has_result"] = event == "start_map"
            case ("error",):
                self._error(event, value)
            case _ if place in _LARGE_VALUES:
                self._large_value(place, event)
            case ("error", "errorCode" | "errorMessage") if nested:
                raise _unexpected(place)
            case _ if place in _TEXTS and value is not None:
                self.known[_TEXTS[place]] = str(value)
            case _ if place in _SCALARS:
                self.known[_SCALARS[place]] = float(value) if isinstance(value, Decimal) else value

    def _large_value(self, place: Path, event: str) -> None:
        name, _ = _LARGE_VALUES[place]
        if event == "null":
            self.known[name] = "null"
        elif name not in self.known:  # it was not opened: it is something else
            raise _unexpected(place)

    def _error(self, event: str, value: Any) -> None:
        """An object, as promised, or nothing; some servers give the bare message or code."""
        if event == "string":
            self.known["error_message"] = value
        elif event == "number":
            self.known["error_code"] = float(value) if isinstance(value, Decimal) else value
        elif event == "start_array" or value is True:
            raise _unexpected(("error",))


def _unexpected(place: Path) -> AlloincognitoResponseError:
    return AlloincognitoResponseError(f"The answer's {'.'.join(place)} is not of the promised type.")
