"""
The rows of a call list: blocks of raw rows, cut by the JSON decoder itself.

A block of bytes is cut at its last ``}``, and msgspec decides whether ``[block]`` is a complete array. A block that
starts at a row's boundary and is accepted also ends at one, so nothing here has to parse strings or escapes. Rows
remain slices of the server's bytes; most are never decoded. Only what cannot be decoded is mended (``mending.py``).
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
from airflow_provider_alloincognito.api.answer.encoding import foreign_encoding
from airflow_provider_alloincognito.api.answer.mending import field_of_fault, mend
from airflow_provider_alloincognito.errors import DISCOVER, AlloincognitoResponseError

log = logging.getLogger(__name__)

BLOCK = 1 << 18
CHUNK = 1 << 17  # bytes that are read several times should stay in the processor's cache
LONGEST_ROW = 16 << 20
DEEPEST = 1000  # more than the decoder takes
CUT_ATTEMPTS = 16  # cuts to try where a block ends inside a nested value, before a scan, which is 40 times slower

_FIRST_BYTE = struct.Struct("c").unpack_from  # of any buffer, at the price of a call
_OPENING_BRACE = {(b"{",)}
_GAP = re.compile(rb"[ \t\n\r]*+(,?)[ \t\n\r]*+")
_ARRAY_END = re.compile(rb"[ \t\n\r]*+\]")
# White space, scalars and strings, even an incomplete one, up to the next bracket or the end.
_NEXT_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.?)*+(?:"|\Z))*+([{}\[\]]|\Z)', re.DOTALL)
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
    :param name: the array's, for errors.
    """

    def __init__(self, block: int | None = None, name: str = "result.rowset") -> None:
        self._block = block or BLOCK
        self._name = name
        super().__init__(self._block)
        self._prefix = b"["
        self._rows = 0
        self._warned = False

    def feed(self, data: bytes, *, last: bool = False) -> Sequence[RowBatch]:
        """Add the next bytes. What follows an empty array is not gathered as a block of rows."""
        ends = not self._pending and _ARRAY_END.match(data) is not None
        return super().feed(data, last=last or ends)

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
                self._check_open_row()
                break
            batches.append(batch)
            self._rows += len(batch)
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
        *_, cut = (0, *_boundaries(self._pending))
        return self._repaired_batch(cut) if cut else (RowBatch([]), 0)

    def _check_open_row(self) -> None:
        """Check what has arrived of a row that is not complete; drop white space before it, which may be endless."""
        gap = _GAP.match(self._pending)
        if gap is not None:
            self._pending[: gap.end()] = gap[1]
        if bytes(self._pending[:2]).removeprefix(b",")[:1] not in (b"", b"{", b"]"):
            raise _not_an_object(self._name)
        if len(self._pending) > LONGEST_ROW:
            raise AlloincognitoResponseError(
                f"Unexpected response: a row is longer than {LONGEST_ROW >> 20} MB, the most that is held in memory. "
                "Nothing was kept. Ask AlloIncognito's support if it happens again."
            )

    def _repaired_batch(self, cut: int) -> tuple[RowBatch, int]:
        """Return the rows up to a boundary found by the scan, and that boundary; if invalid, mended."""
        with suppress(*_DECODE_ERRORS):
            return self._batch(cut), cut
        if (encoding := foreign_encoding(bytes(self._pending[:cut]))) is not None:
            raise AlloincognitoResponseError(
                f"Unexpected response: its texts are not UTF-8 but look like {encoding}, which its header Content-Type "
                "does not declare. Nothing was kept. Ask AlloIncognito's support to declare the charset or to send "
                "UTF-8."
            )
        length = len(self._pending)
        self._pending[:cut] = mend(bytes(self._pending[:cut]))
        cut += len(self._pending) - length
        try:
            batch = self._batch(cut)
        except _DECODE_ERRORS:
            raise self._invalid_row(cut) from None
        if not self._warned:
            self._warned = True
            log.warning(
                "Some of the response's rows are not valid JSON and were mended, the first of them after row %d: what "
                "is not valid Unicode (such as lone surrogates, halves of a character) is replaced by U+FFFD, raw "
                "control characters are escaped, NaN and Infinity are null",
                self._rows,
            )
        return batch, cut

    def _invalid_row(self, cut: int) -> AlloincognitoResponseError:
        """Return the error for rows that cannot be mended. It names row and field, if they can be told."""
        start = 0
        for number, end in enumerate(_boundaries(self._pending[:cut]), self._rows + 1):
            row = bytes(self._pending[start:end]).lstrip(b", \t\r\n")
            if (field := field_of_fault(row)) is not None:
                return AlloincognitoResponseError(
                    f"Unexpected response: row {number} is not valid JSON, at or after its field {field!r}, and cannot "
                    "be mended. Nothing was kept. Try again later; if it happens again, ask AlloIncognito's support."
                )
            start = end
        return AlloincognitoResponseError(
            f"Unexpected response: {self._name} is not a valid JSON array. It may be damaged: try again later."
        )

    def _batch(self, cut: int) -> RowBatch:
        return self._batch_of(b"".join((self._prefix, memoryview(self._pending)[:cut], b"]")))

    def _batch_of(self, array: bytes) -> RowBatch:
        rows = _RAW_ROWS.decode(array)
        if not array.isascii():
            array.decode()  # msgspec checks the encoding only of strings that it decodes
        if self._prefix != b"[":
            del rows[0]
        if not set(map(_FIRST_BYTE, rows)) <= _OPENING_BRACE:
            raise _not_an_object(self._name)
        return RowBatch(rows, one_line=not _has_line_break(array))


def _not_an_object(name: str) -> AlloincognitoResponseError:
    return AlloincognitoResponseError(
        f"Unexpected response: {name} contains something that is not an object. Check that call_list_path and "
        f"api_mapping in the Connection are as on the server's /docs page. {DISCOVER}"
    )


def _has_line_break(text: bytes) -> bool:
    return b"\n" in text or b"\r" in text


def _boundaries(array: bytearray) -> Iterator[int]:
    """Yield where each complete value of an open array ends, and where the array itself does."""
    depth = 0
    for found in _NEXT_BRACKET.finditer(array):
        match found[1]:
            case b"{" | b"[":
                depth += 1
                if depth > DEEPEST:
                    raise AlloincognitoResponseError(
                        "Unexpected response: a row is nested too deeply. It may be damaged: try again later."
                    )
            case b"}" | b"]" if depth:
                depth -= 1
                if not depth:
                    yield found.end()
            case b"}" | b"]":
                yield found.start(1)
                return
