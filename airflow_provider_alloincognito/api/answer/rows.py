"""The rows of ``result.rowset``: windows of raw rows, cut by the JSON decoder itself.

A window of bytes is cut at its last ``}``, and msgspec says whether ``[window]`` is a complete array. What
begins on a row's boundary and is accepted so ends on a boundary too: nobody has to know by hand what a string
or an escape is. Rows stay the slices of bytes that they are; most are never decoded. Only half a surrogate
pair is replaced in them: JSON can hold one, no file format can.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from airflow_provider_alloincognito.api.answer import LargeValue
from airflow_provider_alloincognito.errors import AlloincognitoResponseError

_HIGH = rb"u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"u[dD][c-fC-F][0-9a-fA-F]{2}"
# Escaped backslashes and whole pairs are walked over, so that only a half is left for the group.
_ESCAPE = re.compile(rb"\\(?:\\|%b\\%b|(%b|%b))" % (_HIGH, _LOW, _HIGH, _LOW))
_REPLACEMENT = rb"\ufffd"  # as Unicode prescribes it for what cannot be represented


def replace_half_pairs(json: bytes) -> bytearray:
    """
    Write U+FFFD in place of every half of a surrogate pair; no other byte changes, nor does the length.

    :param json: JSON that neither begins nor ends within a string.
    """
    mended = bytearray(json)
    for escape in _ESCAPE.finditer(json):
        if escape[1]:
            mended[slice(*escape.span())] = _REPLACEMENT
    return mended


log = logging.getLogger(__name__)

WINDOW = 1 << 18
CHUNK = 1 << 17  # what is looked at several times had better stay in the processor's cache
TRIES = 16  # cuts to try where a window ends amid a nested value, before it is scanned: that is 40 times slower

_FIRST_BYTE = struct.Struct("c").unpack_from  # a buffer's, at the price of a call
_OPENING_BRACE = {(b"{",)}
_ARRAY_END = re.compile(rb"[ \t\n\r]*+\]")
# White space, scalars and strings, also one that is cut off, up to the next bracket or the end.
_NEXT_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.?)*+(?:"|\Z))*+([{}\[\]]|\Z)', re.DOTALL)
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_RAW_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_ROWS = msgspec.json.Decoder(list[dict[str, Any]])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class RowBatch:
    """
    A run of rows, still as the server's bytes.

    :param rows: the rows, each a valid JSON object.
    :param one_line: True if no row is written over several lines; False if that is still to be looked for.
    """

    __slots__ = ("one_line", "rows")

    def __init__(self, rows: list[msgspec.Raw], *, one_line: bool = False) -> None:
        self.rows = rows
        self.one_line = one_line

    def __len__(self) -> int:
        return len(self.rows)

    def json_lines(self) -> bytes:
        """One row a line, each as the server wrote it, but compacted where it wrote it over several lines."""
        rows: Sequence[bytes | msgspec.Raw] = self.rows
        if not self.one_line and _breaks_lines(b"".join(rows)):
            rows = [msgspec.json.format(row, indent=-1) for row in self.rows]
        return b"\n".join([*rows, b""])

    def fields(self) -> Iterator[dict[str, msgspec.Raw]]:
        """The fields of one row after the other; values stay what they are, even numbers out of range."""
        return map(_FIELDS.decode, self.rows)

    def decode(self) -> list[dict[str, Any]]:
        """The rows as Python values."""
        try:
            return _ROWS.decode(b"[%b]" % b",".join(self.rows))
        except (msgspec.DecodeError, ValueError):  # valid JSON all the same
            raise AlloincognitoResponseError("A row holds a number that is out of range.") from None


class RowReader(LargeValue[RowBatch]):
    """
    Reads the rows of an array from the bytes that follow its ``[``.

    :param window: rows are looked for whenever so many bytes have gathered.
    """

    def __init__(self, window: int = WINDOW) -> None:
        super().__init__(window)
        self._window = window
        self._before = b"["
        self._told = False

    @property
    def best_chunk(self) -> int:
        """Small ones: a row is looked at several times."""
        return CHUNK

    def _take(self) -> Sequence[RowBatch]:
        batches = []
        while True:
            if end := _ARRAY_END.match(self._pending):
                self.rest = bytes(self._pending[end.end() - 1 :])
                break
            batch, cut = self._complete_rows()
            if not cut:
                break
            batches.append(batch)
            # A server-in for the rows before: so the decoder sees to it that one comma follows them.
            self._before = b"[{}"
            del self._pending[:cut]
        # A row larger than a window is only looked at again when twice as much is there: linear in its size.
        self._due = max(self._window, 2 * len(self._pending))
        return batches

    def _complete_rows(self) -> tuple[RowBatch, int]:
        cut = len(self._pending)
        for _ in range(TRIES):
            cut = self._pending.rfind(b"}", 0, cut)
            if cut < 0:
                break
            try:
                return self._batch(cut + 1), cut + 1
            except _REFUSED:
                continue
        cut = _last_boundary(self._pending)
        return (self._mended_batch(cut), cut) if cut else (RowBatch([]), 0)

    def _mended_batch(self, cut: int) -> RowBatch:
        """The rows up to a boundary that was scanned for: refused again, they hold half a pair or are broken."""
        with suppress(*_REFUSED):
            return self._batch(cut)
        self._pending[:cut] = replace_half_pairs(bytes(self._pending[:cut]))
        try:
            batch = self._batch(cut)
        except _REFUSED:
            raise AlloincognitoResponseError(
                "The answer's rowset is no valid JSON array, or nested too deeply."
            ) from None
        self._tell_once()
        return batch

    def _tell_once(self) -> None:
        if not self._told:
            log.warning(
                "Texts in the answer's rows held half a surrogate pair, which no file format can hold: "
                "U+FFFD stands in its place"
            )
        self._told = True

    def _batch(self, cut: int) -> RowBatch:
        array = b"".join((self._before, memoryview(self._pending)[:cut], b"]"))
        rows = _RAW_ROWS.decode(array)
        if not array.isascii():
            array.decode()  # msgspec looks at the encoding of strings only where it decodes them
        if self._before != b"[":
            del rows[0]
        if not set(map(_FIRST_BYTE, rows)) <= _OPENING_BRACE:
            raise AlloincognitoResponseError("The answer's rowset holds something that is not an object.")
        return RowBatch(rows, one_line=not _breaks_lines(array))


def _breaks_lines(text: bytes) -> bool:
    return b"\n" in text or b"\r" in text


def _last_boundary(array: bytearray) -> int:
    """Where the last complete object or array in an open array ends, or where the open array itself does."""
    depth = boundary = 0
    for found in _NEXT_BRACKET.finditer(array):
        match found[1]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]" if depth:
                depth -= 1
                if not depth:
                    boundary = found.end()
            case b"}" | b"]":
                return found.start(1)
    return boundary
