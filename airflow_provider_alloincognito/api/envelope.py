"""The API's answer, read as it arrives: a small envelope around rows or a recording of any size.

A kept push parser (ijson) reads and validates the envelope. When it reports the key ``rowset`` or
``fileContent`` of ``result``, the content of that array or string is withheld from it and goes to a reader of
its own; the parser sees ``[]`` or ``""`` in its place. No I/O here: requests and httpx can both drive it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import ijson

from airflow_provider_alloincognito.api.envelope_facts import (
    FILE_CONTENT,
    ROWSET,
    Envelope,
    EnvelopeFacts,
    Path,
)
from airflow_provider_alloincognito.api.errors import AlloincognitoResponseError
from airflow_provider_alloincognito.api.large_value import LargeValue
from airflow_provider_alloincognito.api.recording_content import RecordingContentReader
from airflow_provider_alloincognito.api.rows import RowBatch, RowReader

__all__ = ["CHUNK", "Envelope", "EnvelopeReader", "Piece"]

Piece = RowBatch | bytes

CHUNK = 1 << 16
_KEY_END = re.compile(rb'(?<!\\)"')  # not within a text: the parser begins it anew with every piece
_BOM = b"\xef\xbb\xbf"
_LARGE_VALUES: dict[Path, tuple[bytes, Callable[[], LargeValue[Piece]]]] = {
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
            opening, reader = _LARGE_VALUES.get(self._facts.awaited, (None, None))
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
