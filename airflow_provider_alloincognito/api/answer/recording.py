"""The recording in ``result.fileContent``: from a JSON string to the mp3's bytes, as they arrive.

Most servers send the standard alphabet and nothing else, and a window is decoded as it stands. Only if that
fails is its dressing taken off: escapes, line breaks, the url-safe alphabet, a ``data:`` prefix.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import pybase64

from airflow_provider_alloincognito.api.answer import LargeValue
from airflow_provider_alloincognito.errors import AlloincognitoResponseError

WINDOW = 1 << 16
CHUNK = 1 << 19  # decoded where it lies: the fewer calls, the better

# Up to the string's closing quote, its end so far, or an escape that is cut off; msgspec judges the escapes.
_STRING = re.compile(rb'(?:[^"\\]++|\\u.{4}|\\[^u])*+', re.DOTALL)
_DATA_PREFIX = re.compile(rb"\Adata:[^,]*;base64,", re.IGNORECASE)
_URL_SAFE_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_STANDARD = re.compile(rb"[A-Za-z0-9+/=]*")


class RecordingContentReader(LargeValue[bytes]):
    """
    Reads base64 from the bytes that follow a JSON string's opening quote.

    :param window: bytes are decoded whenever so many have gathered.
    """

    def __init__(self, window: int = WINDOW) -> None:
        super().__init__(window)
        self._carry = b""  # up to three characters that wait for the rest of their group of four
        self._begun = False
        self._padded = False

    @property
    def best_chunk(self) -> int:
        """Large ones, that end with a group of four: so nothing is carried over from one to the next."""
        return CHUNK - len(self._carry)

    def feed(self, data: bytes, *, last: bool = False) -> Sequence[bytes]:
        """Take the next bytes; many at once are decoded where they lie."""
        if self._pending or last or len(data) < self._due:
            return super().feed(data, last=last)
        end, content = self._read(data)
        if self.rest is None:
            self._pending += data[end:]
        return content

    def _take(self) -> Sequence[bytes]:
        end, content = self._read(self._pending)
        del self._pending[:end]
        return content

    def _read(self, text: bytes | bytearray) -> tuple[int, list[bytes]]:
        """Decode up to the string's end, or to the end of what can be understood; gives where that is."""
        with suppress(ValueError):  # what is decoded as it stands holds no quote and no escape: nothing to look for
            return len(text), self._decode(memoryview(text), ended=False)
        end = _string_end(text)
        ended = text[end : end + 1] == b'"'
        if ended:
            self.rest = bytes(text[end:])
        string = bytes(text[:end])
        try:
            return end, self._decode(string, ended=ended)
        except ValueError:
            return end, self._undress_and_decode(string, ended=ended)

    def _undress_and_decode(self, text: bytes, *, ended: bool) -> list[bytes]:
        try:
            text = msgspec.json.decode(b'"%b"' % text, type=str).encode("ascii")
            text = text.translate(_URL_SAFE_TO_STANDARD, delete=b" \t\r\n")
            if not self._begun:
                text = _DATA_PREFIX.sub(b"", text)
            return self._decode(text, ended=ended)
        except (msgspec.DecodeError, ValueError):
            raise AlloincognitoResponseError("The answer's fileContent is not base64.") from None

    def _decode(self, text: bytes | memoryview, *, ended: bool) -> list[bytes]:
        """Decode the groups of four, or raise ValueError and change nothing."""
        groups, carry = self._groups(text, ended=ended)
        if not _STANDARD.fullmatch(carry):
            raise ValueError("what waits for the rest of its group is no base64 as it stands")
        padded = self._padded
        content = []
        for group in groups:
            if padded:
                raise ValueError("something follows the padding")
            content.append(pybase64.b64decode(group, validate=True))
            padded = group[-1:] == b"="
        self._begun, self._padded, self._carry = self._begun or bool(text), padded, carry
        return content

    def _groups(self, text: bytes | memoryview, *, ended: bool) -> tuple[list[bytes | memoryview], bytes]:
        """Runs of whole groups of four, the long one not copied, and what is left for the next time."""
        start = -len(self._carry) % 4
        stop = start + max(0, len(text) - start) // 4 * 4
        first, left = self._carry + bytes(text[:start]), bytes(text[stop:])
        if len(first) % 4:
            first, left = b"", first
        if ended:  # the padding may be missing
            left, last = b"", left + b"=" * (-len(left) % 4)
        else:
            last = b""
        return [group for group in (first, text[start:stop], last) if group], left


def _string_end(text: bytes | bytearray) -> int:
    quote = text.find(b'"')
    end = quote if quote >= 0 else len(text)
    if text.find(b"\\", 0, end) < 0:
        return end
    escaped = _STRING.match(text)
    return escaped.end() if escaped else 0
