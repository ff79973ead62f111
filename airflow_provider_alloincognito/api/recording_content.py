"""The recording in ``result.fileContent``: from a JSON string to the mp3's bytes, as they arrive.

Most servers send the standard alphabet and nothing else, and a window is decoded as it stands. Only if that
fails is its dressing taken off: escapes, line breaks, the url-safe alphabet, a ``data:`` prefix.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import pybase64

from airflow_provider_alloincognito.api.errors import AlloincognitoResponseError
from airflow_provider_alloincognito.api.large_value import LargeValue

WINDOW = 1 << 16

# Up to the string's closing quote, its end so far, or an escape that is cut off; msgspec judges the escapes.
_STRING = re.compile(rb'(?:[^"\\]++|\\u.{4}|\\[^u])*+', re.DOTALL)
_DATA_PREFIX = re.compile(rb"\Adata:[^,]*;base64,", re.IGNORECASE)
_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")


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

    def _take(self) -> Sequence[bytes]:
        end = _string_end(self._pending)
        if self._pending[end : end + 1] == b'"':
            self.rest = bytes(self._pending[end:])
        text = b"".join((self._carry, memoryview(self._pending)[:end]))
        del self._pending[:end]
        try:
            content = self._decode(text)
        except ValueError:
            content = self._undress_and_decode(text)
        return [content] if content else []

    def _undress_and_decode(self, text: bytes) -> bytes:
        # What was carried over may have been undressed before; that makes no difference.
        try:
            text = msgspec.json.decode(b'"%b"' % text, type=str).encode("ascii")
            text = text.translate(_STANDARD_ALPHABET, delete=b" \t\r\n")
            if not self._begun:
                text = _DATA_PREFIX.sub(b"", text)
            return self._decode(text)
        except (msgspec.DecodeError, ValueError):
            raise AlloincognitoResponseError("The answer's fileContent is not base64.") from None

    def _decode(self, text: bytes) -> bytes:
        """Decode the groups of four, or raise ValueError and change nothing."""
        if self._padded and text:
            raise ValueError("something follows the padding")
        if self.rest is not None:
            text += b"=" * (-len(text) % 4)
        whole = len(text) // 4 * 4
        content: bytes = pybase64.b64decode(memoryview(text)[:whole], validate=True)
        self._begun = self._begun or bool(text)
        self._padded = self._padded or text.endswith(b"=", 0, whole)
        self._carry = text[whole:]
        return content


def _string_end(text: bytearray) -> int:
    quote = text.find(b'"')
    end = quote if quote >= 0 else len(text)
    if text.find(b"\\", 0, end) < 0:
        return end
    escaped = _STRING.match(text)
    return escaped.end() if escaped else 0
