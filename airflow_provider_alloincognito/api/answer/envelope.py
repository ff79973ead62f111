"""The API's answer, read as it arrives: a small envelope around rows or a recording of any size.

A kept push parser (ijson) reads and validates the envelope. When it reports the key ``rowset`` or
``fileContent`` of ``result``, the content of that array or string is withheld from it and goes to a reader of
its own; the parser sees ``[]`` or ``""`` in its place. No I/O here: requests and httpx can both drive it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import ijson

from airflow_provider_alloincognito.api.answer import LargeValue
from airflow_provider_alloincognito.api.answer.recording import RecordingContentReader
from airflow_provider_alloincognito.api.answer.rows import RowBatch, RowReader
from airflow_provider_alloincognito.errors import AlloincognitoResponseError

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


__all__ = ["CHUNK", "Envelope", "EnvelopeReader", "Piece"]

Piece = RowBatch | bytes

CHUNK = 1 << 16
_KEY_END = re.compile(rb'(?<!\\)"')  # not within a text: the parser begins it anew with every piece
_BOM = b"\xef\xbb\xbf"
_READERS: dict[Path, tuple[bytes, Callable[[], LargeValue[Piece]]]] = {
    ROWSET: (b"[", RowReader),
    FILE_CONTENT: (b'"', RecordingContentReader),
}
_NOT_JSON = (ijson.JSONError, ValueError, ArithmeticError, SystemError)  # the last three: monstrous numbers


class EnvelopeReader:
    """
    Reads one answer from the chunks of its body, cut anywhere.

    :param max_bytes: a longer body is an error.
    """

    def __init__(self, *, max_bytes: int | None = None) -> None:
        self.opened = False
        """A first row or byte of a recording has come, or the document has ended: judge ``envelope`` now."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._start: bytes | None = b""
        self._facts = EnvelopeFacts()
        self._events = ijson.sendable_list()
        self._parser = ijson.basic_parse_coro(self._events)
        self._large_value: LargeValue[Piece] | None = None

    @property
    def best_chunk(self) -> int:
        """How many bytes to feed it next, at most."""
        return self._large_value.best_chunk if self._large_value is not None else CHUNK

    @property
    def envelope(self) -> Envelope:
        """What is known so far."""
        return Envelope(**self._facts.known)

    def feed(self, chunk: bytes) -> list[Piece]:
        """
        Take the next chunk of the body, and give what has become complete.

        :param chunk: bytes of the body, after its Content-Encoding has been undone.
        """
        self._bytes += len(chunk)
        if self._max_bytes is not None and self._bytes > self._max_bytes:
            raise AlloincognitoResponseError(
                f"The answer is longer than the {self._max_bytes} bytes that max_response_bytes allows."
            )
        return self._read(chunk, last=False)

    def finish(self) -> list[Piece]:
        """Say that the body has ended; get the last pieces, or an error if it ended too early."""
        pieces = self._read(b"", last=True)
        try:
            self._parser.close()
        except _NOT_JSON:
            raise AlloincognitoResponseError(
                f"The answer ends amid its JSON, after {self._bytes} bytes: it was cut off."
            ) from None
        self._report()
        return pieces

    def _read(self, data: bytes, *, last: bool) -> list[Piece]:
        if self._start is not None:  # until there is enough to know a byte order mark
            self._start += data
            if len(self._start) < len(_BOM) and not last:
                return []
            data, self._start = self._start.removeprefix(_BOM), None
        pieces: list[Piece] = []
        while True:
            if self._large_value is None:
                data = self._read_envelope(data)
            if self._large_value is None:
                break
            pieces += self._large_value.feed(data, last=last)
            if self._large_value.rest is None:
                break
            data, self._large_value = self._large_value.rest, None
        begun = not self.opened and self._large_value is not None and self._large_value.has_content
        self.opened = self.opened or bool(pieces) or begun or self._facts.ended
        return pieces

    def _read_envelope(self, data: bytes) -> bytes:
        """Feed the parser up to where a large value opens, and return what follows the opening byte."""
        start = 0
        while start < len(data):
            opening, reader = _READERS.get(self._facts.awaited, (None, None))
            if opening is None or reader is None:
                # A key is reported with its closing quote, so no piece goes beyond one.
                quote = _KEY_END.search(data, start)
                start = self._parse(data, start, quote.end() if quote else len(data))
            elif data[start] in b" \t\n\r:":
                start = self._parse(data, start, start + 1)
            elif data.startswith(opening, start):
                self._facts.open_large_value()
                start = self._parse(data, start, start + 1)
                self._large_value = reader()
                return data[start:]
            else:  # null, or what is an error as soon as the parser reports it
                self._facts.awaited = ()
        return b""

    def _parse(self, data: bytes, start: int, end: int) -> int:
        try:
            self._parser.send(data[start:end])
        except _NOT_JSON:
            raise AlloincognitoResponseError(
                f"The answer is not valid JSON; the fault lies within its first {self._bytes} bytes."
            ) from None
        self._report()
        return end

    def _report(self) -> None:
        for event, value in self._events:
            self._facts.take(event, value)
        self._events.clear()
