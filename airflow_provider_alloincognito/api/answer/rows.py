"""
The rows of ``result.rowset``: blocks of raw rows, cut by the JSON decoder itself.

A block of bytes is cut at its last ``}``, and msgspec decides whether ``[block]`` is a complete array. A block that
starts at a row's boundary and is accepted also ends at one, so nothing here has to parse strings or escapes. Rows
remain slices of the server's bytes; most are never decoded. Only lone surrogates (half of a surrogate pair) are
replaced: JSON can contain them, no file format can.
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

log = logging.getLogger(__name__)

BLOCK = 1 << 18
CHUNK = 1 << 17  # bytes that are read several times should stay in the processor's cache
CUT_ATTEMPTS = 16  # cuts to try where a block ends inside a nested value, before a scan, which is 40 times slower

_FIRST_BYTE = struct.Struct("c").unpack_from  # of any buffer, at the price of a call
_OPENING_BRACE = {(b"{",)}
_ARRAY_END = re.compile(rb"[ \t\n\r]*+\]")
# White space, scalars and strings, even an incomplete one, up to the next bracket or the end.
_NEXT_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.?)*+(?:"|\Z))*+([{}\[\]]|\Z)', re.DOTALL)
_HIGH = rb"u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"u[dD][c-fC-F][0-9a-fA-F]{2}"
# Escaped backslashes and whole pairs match too, so that the group has only lone surrogates.
_SURROGATE = re.compile(rb"\\(?:\\|%b\\%b|(%b|%b))" % (_HIGH, _LOW, _HIGH, _LOW))
_REPLACEMENT = rb"\ufffd"  # Unicode's own for what cannot be represented
_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_RAW_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_ROWS = msgspec.json.Decoder(list[dict[str, Any]])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class RowBatch:
    """
    A run of rows, still as the server's bytes.

    :param rows: the rows, each a valid JSON object.
    :param one_line: True if no row contains a line break; False if that is not known yet.
    """

    __slots__ = ("one_line", "rows")

    def __init__(self, rows: list[msgspec.Raw], *, one_line: bool = False) -> None:
        self.rows = rows
        self.one_line = one_line

    def __len__(self) -> int:
        return len(self.rows)

    def json_lines(self) -> bytes:
        """Return one row a line, each as the server wrote it; rows with line breaks are compacted."""
        rows: Sequence[bytes | msgspec.Raw] = self.rows
        if not self.one_line and _has_line_break(b"".join(rows)):
            rows = [msgspec.json.format(row, indent=-1) for row in self.rows]
        return b"\n".join([*rows, b""])

    def fields(self) -> Iterator[dict[str, msgspec.Raw]]:
        """Yield each row's fields, with values as the server's bytes, so that no number is out of range."""
        return map(_FIELDS.decode, self.rows)

    def decode(self) -> list[dict[str, Any]]:
        """Return the rows as Python values."""
        try:
            return _ROWS.decode(b"[%b]" % b",".join(self.rows))
        except (msgspec.DecodeError, ValueError):  # the JSON itself is valid
            raise AlloincognitoResponseError(
                "A row contains a number that is out of range for Python. Land the rows as JSON lines, which keeps "
                "them as the server wrote them."
            ) from None


class RowReader(LargeValue[RowBatch]):
    """
    Reader of the rows of an array, from the bytes after its ``[``.

    :param block: how many bytes to gather before they are parsed.
    """

    def __init__(self, block: int | None = None) -> None:
        self._block = block or BLOCK
        super().__init__(self._block)
        self._prefix = b"["
        self._warned = False

    @property
    def best_chunk(self) -> int:
        """Small chunks, because each byte is read several times."""
        return CHUNK

    def _parse_pending(self) -> Sequence[RowBatch]:
        batches = []
        while True:
            if end := _ARRAY_END.match(self._pending):
                self.rest = bytes(self._pending[end.end() - 1 :])
                break
            batch, cut = self._complete_rows()
            if not cut:
                break
            batches.append(batch)
            # A placeholder for the rows before, so that the decoder checks that one comma follows them.
            self._prefix = b"[{}"
            del self._pending[:cut]
        # A row larger than a block is parsed again only at twice the size, so the time is linear in its size.
        self._threshold = max(self._block, 2 * len(self._pending))
        return batches

    def _complete_rows(self) -> tuple[RowBatch, int]:
        cut = len(self._pending)
        for _ in range(CUT_ATTEMPTS):
            cut = self._pending.rfind(b"}", 0, cut)
            if cut < 0:
                break
            try:
                return self._batch(cut + 1), cut + 1
            except _DECODE_ERRORS:
                continue
        cut = _last_boundary(self._pending)
        return (self._repaired_batch(cut), cut) if cut else (RowBatch([]), 0)

    def _repaired_batch(self, cut: int) -> RowBatch:
        """Return the rows up to a boundary found by the scan; if invalid, without their lone surrogates."""
        with suppress(*_DECODE_ERRORS):
            return self._batch(cut)
        self._pending[:cut] = replace_lone_surrogates(bytes(self._pending[:cut]))
        try:
            batch = self._batch(cut)
        except _DECODE_ERRORS:
            raise AlloincognitoResponseError(
                "Unexpected response: result.rowset is not a valid JSON array, or is nested too deeply. It may be "
                "damaged: try again later."
            ) from None
        if not self._warned:
            self._warned = True
            log.warning(
                "Some texts in the response's rows contain lone surrogates (halves of a character), which no file "
                "format can store; each is replaced by U+FFFD"
            )
        return batch

    def _batch(self, cut: int) -> RowBatch:
        array = b"".join((self._prefix, memoryview(self._pending)[:cut], b"]"))
        rows = _RAW_ROWS.decode(array)
        if not array.isascii():
            array.decode()  # msgspec checks the encoding only of strings that it decodes
        if self._prefix != b"[":
            del rows[0]
        if not set(map(_FIRST_BYTE, rows)) <= _OPENING_BRACE:
            raise AlloincognitoResponseError(
                "Unexpected response: result.rowset contains something that is not an object. Check that "
                "call_list_path in the Connection is the path of the call list on the server's /docs page."
            )
        return RowBatch(rows, one_line=not _has_line_break(array))


def replace_lone_surrogates(json: bytes) -> bytearray:
    """
    Write U+FFFD in place of every lone surrogate; no other byte changes, nor does the length.

    :param json: JSON that neither starts nor ends within a string.
    """
    replaced = bytearray(json)
    for escape in _SURROGATE.finditer(json):
        if escape[1]:
            replaced[slice(*escape.span())] = _REPLACEMENT
    return replaced


def _has_line_break(text: bytes) -> bool:
    return b"\n" in text or b"\r" in text


def _last_boundary(array: bytearray) -> int:
    """Return where the last complete value of an open array ends, or where the array itself does."""
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
