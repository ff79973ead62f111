"""
The envelope of the API's response, read as it arrives: a small JSON object around rows or a recording of any size.

A push parser (ijson) reads and validates the envelope. When it reports the key of the rows or the recording, the
content of that array or string is kept from it and goes to a reader of its own; the parser sees ``[]`` or ``""``
instead. ``places.py`` knows which keys those are. No I/O here: ``requests`` and ``httpx`` both drive it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import ijson

from airflow_provider_alloincognito.api.answer import LargeValue
from airflow_provider_alloincognito.api.answer.mending import TextMender
from airflow_provider_alloincognito.api.answer.places import ERROR, AnswerPlaces, LargeField, Piece, places_of
from airflow_provider_alloincognito.api.mapping import DEFAULT, ApiMapping, Path, Scalar
from airflow_provider_alloincognito.errors import (
    DISCOVER,
    AlloincognitoResponseError,
    AlloincognitoTruncatedError,
)

CHUNK = 1 << 16
LONGEST_ENVELOPE = 1 << 18
"""Bytes besides the rows or the recording. The parser's work on a long text grows with the square of its length."""
LONGEST_HASH = 2048

TEXTS = frozenset({"request_hash", "file_name", "error_message"})
NOTHING = (None, "", 0, "0")
# The parser copies a text again with every piece of it that it gets: so none is cut at the quotes within it.
_KEY_END = re.compile(rb'(?<!\\)"(?=\s*+(?::|\Z))')
_PARSER_ERRORS = (ijson.JSONError, ValueError, ArithmeticError, SystemError)  # the last three: huge numbers


@dataclass(frozen=True, slots=True)
class Envelope:
    """
    All that a response contains besides its rows or its recording; ``None`` for what is missing.

    Its ``repr`` shows none of the server's texts, which may be personal data.
    """

    request_hash: str | None = field(default=None, repr=False)
    code: Scalar = field(default=None, repr=False)
    api_name: Scalar = field(default=None, repr=False)
    api_version: Scalar = field(default=None, repr=False)
    call_time: Scalar = field(default=None, repr=False)
    response_duration: Scalar = field(default=None, repr=False)
    file_name: str | None = field(default=None, repr=False)
    error_code: Scalar = field(default=None, repr=False)
    error_message: str | None = field(default=None, repr=False)
    rowset: Literal["absent", "null", "array"] = "absent"
    file_content: Literal["absent", "null", "string"] = "absent"
    has_result: bool = False
    is_bare_error: bool = field(default=False, compare=False)
    """``error`` is a text or a number, as gateways write it, and not the API's object."""
    has_other_error: bool = field(default=False, compare=False)
    """``error`` is an object that says something in fields which the API's text does not know."""


class EnvelopeReader:
    """
    Reader of one response, from the chunks of its body in UTF-8, cut anywhere.

    :param mapping: where the server has what.
    :param max_bytes: a longer body is an error; no limit by default.
    :param block: how many bytes of rows or a recording to gather before they are parsed; by default what is fastest.
    """

    def __init__(
        self, mapping: ApiMapping = DEFAULT, *, max_bytes: int | None = None, block: int | None = None
    ) -> None:
        self.head_complete = False
        """The first row, or the first byte of a recording, has arrived, or the body has ended."""
        self._max_bytes = max_bytes
        self._block = block
        self._bytes = 0
        self._envelope_bytes = 0
        self._mended = TextMender()
        self._places = places_of(mapping.answer_paths)
        self._facts = EnvelopeFacts(self._places)
        self._events = ijson.sendable_list()
        self._parser = ijson.basic_parse_coro(self._events)
        self._large_value: LargeValue[Piece] | None = None

    @property
    def best_chunk(self) -> int:
        """The number of bytes to feed next, at most, that is read fastest."""
        return self._large_value.best_chunk if self._large_value is not None else CHUNK

    @property
    def is_empty(self) -> bool:
        """Whether nothing has arrived."""
        return not self._bytes

    @property
    def envelope(self) -> Envelope:
        """The envelope as far as it has been read."""
        return Envelope(**self._facts.attributes)

    def feed(self, chunk: bytes) -> list[Piece]:
        """
        Read the next chunk of the body, and return the pieces that it completes.

        :param chunk: bytes of the body, after its Content-Encoding and its charset have been undone.
        """
        self._bytes += len(chunk)
        if self._max_bytes is not None and self._bytes > self._max_bytes:
            raise AlloincognitoResponseError(
                f"The response is longer than the {self._max_bytes} bytes that max_response_bytes allows. Raise this "
                "setting of the Connection, or request a shorter period."
            )
        return self._read(chunk, last=False)

    def finish(self) -> list[Piece]:
        """Return the last pieces when the body has ended, or raise an error if it has ended too early."""
        pieces = self._read(b"", last=True)
        try:
            self._parser.close()
        except _PARSER_ERRORS:
            raise AlloincognitoTruncatedError(
                f"Response truncated: incomplete JSON after {self._bytes} bytes. Another try may get all of it."
            ) from None
        self._process_events()
        return pieces

    def _read(self, data: bytes, *, last: bool) -> list[Piece]:
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
        has_content = not self.head_complete and self._large_value is not None and self._large_value.has_content
        self.head_complete = self.head_complete or bool(pieces) or has_content or self._facts.ended
        return pieces

    def _read_envelope(self, data: bytes) -> bytes:
        """Feed the parser up to the start of a large value, and return the bytes after its opening byte."""
        start = 0
        while start < len(data):
            path = self._facts.expected
            large_fields = self._places.large.get(path) if path is not None else None
            if path is None or large_fields is None:
                # A key is reported at its closing quote, so no piece may go beyond one.
                quote = _KEY_END.search(data, start)
                start = self._parse(data, start, quote.end() if quote else len(data))
                continue
            opening = data[start : start + 1]
            if opening in b" \t\n\r:":
                start = self._parse(data, start, start + 1)
            elif (large := large_fields.get(opening)) is not None:
                self._facts.open_large_value(large)
                start = self._parse(data, start, start + 1)
                self._large_value = large.reader(self._block, _name(path))
                return data[start:]
            else:  # null, or an error as soon as the parser reports it
                self._facts.expected = None
        return b""

    def _parse(self, data: bytes, start: int, end: int) -> int:
        self._envelope_bytes += end - start
        if self._envelope_bytes > LONGEST_ENVELOPE:
            raise _unexpected(f"more than {LONGEST_ENVELOPE} bytes besides the rows or the recording")
        try:
            if piece := self._mended(data[start:end]):  # an empty one would be the end
                self._parser.send(piece)
        except _PARSER_ERRORS:
            raise _unexpected(f"the first {self._bytes} bytes are not valid JSON") from None
        self._process_events()
        return end

    def _process_events(self) -> None:
        for event, value in self._events:
            self._facts.process(event, value)
        self._events.clear()


class EnvelopeFacts:
    """
    What the events of ijson's ``basic_parse`` say of the envelope.

    :param places: where the server has what.
    """

    def __init__(self, places: AnswerPlaces) -> None:
        self.attributes: dict[str, Any] = {}
        """Arguments for :class:`Envelope`."""
        self.expected: Path | None = ()
        """The path of the value that comes next, if nothing has come yet, or the last event was its key."""
        self.ended = False
        self._places = places
        self._path: list[str] = []  # the latest key of each open object; "" for an array
        self._seen: set[Path] = set()
        self._opened: Path | None = None  # where a large value begins, until the parser has reported it
        self._noted: set[str] = set()

    def process(self, event: str, value: Any) -> None:
        """
        Process one event.

        :param event: ijson's name of it.
        :param value: the key, or the scalar.
        """
        self.expected = None
        if event == "map_key":
            self._path[-1] = value
            self._process_key(self._place())
        elif event in ("end_map", "end_array"):
            self._path.pop()
            self.ended = not self._path
        else:
            self._process_value(self._place(), event, value)
            if event in ("start_map", "start_array"):
                self._path.append("")
            else:
                self.ended = not self._path

    def open_large_value(self, large: LargeField) -> None:
        """Note that the expected value is an array or string as it should be; its content will not be reported."""
        if self.attributes.get(large.attribute) == large.kind:
            raise _unexpected(f"more than one {large.kind} in the places of {large.attribute}")
        self.attributes.update({large.attribute: large.kind, "has_result": True})
        self._opened, self.expected = self.expected, None

    def _place(self) -> Path:
        return tuple(self._path[: self._places.depth + 1])  # known paths are shorter: a deep one need not be copied

    def _process_key(self, place: Path) -> None:
        if place in self._seen:
            raise _unexpected(f"the key {_name(place)} appears twice")
        if place in self._places.known:
            self._seen.add(place)
        self.expected = place

    def _process_value(self, place: Path, event: str, value: Any) -> None:
        places = self._places
        if place not in places.known and place[:1] != ERROR:
            return
        nested = event in ("start_map", "start_array")
        if place in places.results and event == "start_map":
            self.attributes["has_result"] = True
        if place in places.large:
            self._process_large_value(place, event)
        elif place in places.fields:
            if nested and place in places.error_fields and not self._is_container(place, event):
                raise _wrong_type(place)
            for attribute in places.fields[place]:
                self._note(attribute, value)
        elif not place:
            if event != "start_map":
                raise _unexpected("JSON, but not an object")
        elif place == ERROR:
            self._process_error(event, value)
        elif place == (*ERROR, ""):  # in an array, which is no error while it is empty
            raise _wrong_type(ERROR)
        elif place[:-1] == ERROR and not nested and value not in (None, "", 0, False):
            self._process_other_error_field(place[-1].casefold(), value)

    def _is_container(self, place: Path, event: str) -> bool:
        return event == "start_map" and place in self._places.containers

    def _process_large_value(self, place: Path, event: str) -> None:
        if place == self._opened:
            self._opened = None
        elif event == "null":
            for large in self._places.large[place].values():
                self.attributes.setdefault(large.attribute, "null")
        elif not self._is_container(place, event):
            raise _wrong_type(place)

    def _note(self, attribute: str, value: Any) -> None:
        """Note a field. A server may have it in several places: one that says nothing hides no other."""
        if attribute in self._noted and self.attributes[attribute] not in NOTHING:
            return
        if attribute in TEXTS:
            if value is None or (attribute == "request_hash" and not _can_be_hash(str(value))):
                return
            value = str(value)
        self._noted.add(attribute)
        self.attributes[attribute] = _as_scalar(value)

    def _process_error(self, event: str, value: Any) -> None:
        """Process ``error``: an object or null by the API's text; some servers send the bare message or code."""
        self.attributes["is_bare_error"] = event in ("string", "number")
        if event == "string":
            self.attributes["error_message"] = value
        elif event == "number":
            self.attributes["error_code"] = _as_scalar(value)
        elif value is True:
            raise _wrong_type(ERROR)

    def _process_other_error_field(self, key: str, value: Any) -> None:
        """Process an error whose fields have other names than in the API's text: no error must look like a result."""
        if key.endswith("code"):
            self.attributes.setdefault("error_code", _as_scalar(value))
        elif key.endswith("message"):
            self.attributes.setdefault("error_message", str(value))
        else:
            self.attributes["has_other_error"] = True


def _can_be_hash(text: str) -> bool:
    return len(text) <= LONGEST_HASH and text.isprintable()


def _as_scalar(value: Any) -> Scalar:
    return float(value) if isinstance(value, Decimal) else value


def _name(place: Path) -> str:
    return ".".join(place) or "the response"


def _wrong_type(place: Path) -> AlloincognitoResponseError:
    return _unexpected(f"{_name(place)} has another type than the API describes")


def _unexpected(what: str) -> AlloincognitoResponseError:
    return AlloincognitoResponseError(
        f"Unexpected response: {what}. Check that the method's path in the Connection, and api_mapping, are as on the "
        f"server's /docs page. {DISCOVER}"
    )
