"""
A recording: from a JSON string of base64 to the mp3's bytes, as they arrive.

Most servers send the standard alphabet and nothing else, so a block is first decoded unchanged. Only if that fails is
it cleaned: escapes, line breaks, the url-safe alphabet, a ``data:`` prefix.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import pybase64

from airflow_provider_alloincognito.api.answer import LargeValue
from airflow_provider_alloincognito.errors import AlloincognitoResponseError

BLOCK = 1 << 16
CHUNK = 1 << 19  # decoded without a copy: the fewer calls, the better

# Up to the string's closing quote, its end so far, or an incomplete escape; msgspec validates the escapes.
_STRING = re.compile(rb'(?:[^"\\]++|\\u.{4}|\\[^u])*+', re.DOTALL)
_DATA_PREFIX = re.compile(rb"\Adata:[^,]*;base64,", re.IGNORECASE)
_URL_SAFE_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_STANDARD_ALPHABET = re.compile(rb"[A-Za-z0-9+/=]*")


class RecordingContentReader(LargeValue[bytes]):
    """
    Reader of a JSON string of base64, from the bytes after its opening quote.

    :param block: how many bytes to gather before they are decoded.
    """

    def __init__(self, block: int | None = None, name: str = "result.fileContent") -> None:
        super().__init__(block or BLOCK)
        self._name = name
        self._incomplete_group = b""  # up to three characters of a group of four
        self._started = False
        self._padded = False

    @property
    def best_chunk(self) -> int:
        """Large chunks that end with a group of four, so that none is left incomplete."""
        return CHUNK - len(self._incomplete_group)

    def feed(self, data: bytes, *, last: bool = False) -> Sequence[bytes]:
        """Add the next bytes; a large chunk is decoded without a copy."""
        if self._pending or last or len(data) < self._threshold:
            return super().feed(data, last=last)
        end, content = self._read(data)
        if self.rest is None:
            self._pending += data[end:]
        return content

    def _parse_pending(self) -> Sequence[bytes]:
        end, content = self._read(self._pending)
        del self._pending[:end]
        return content

    def _read(self, text: bytes | bytearray) -> tuple[int, list[bytes]]:
        """Decode up to the string's end or an incomplete escape; return that position and the content."""
        with suppress(ValueError):  # what can be decoded unchanged has no quote and no escape
            return len(text), self._decode(memoryview(text), ended=False)
        end = _string_end(text)
        ended = text[end : end + 1] == b'"'
        if ended:
            self.rest = bytes(text[end:])
        string = bytes(text[:end])
        try:
            return end, self._decode(string, ended=ended)
        except ValueError:
            return end, self._clean_and_decode(string, ended=ended)

    def _clean_and_decode(self, text: bytes, *, ended: bool) -> list[bytes]:
        try:
            text = msgspec.json.decode(b'"%b"' % text, type=str).encode("ascii")
            text = text.translate(_URL_SAFE_TO_STANDARD, delete=b" \t\r\n")
            if not self._started:
                text = _DATA_PREFIX.sub(b"", text)
            return self._decode(text, ended=ended)
        except (msgspec.DecodeError, ValueError):
            raise AlloincognitoResponseError(
                f"Unexpected response: {self._name} is not valid base64. The recording may be damaged: try again later."
            ) from None

    def _decode(self, text: bytes | memoryview, *, ended: bool) -> list[bytes]:
        """Decode all groups of four, or raise ValueError and change nothing."""
        groups, incomplete = self._split_groups(text, ended=ended)
        if not _STANDARD_ALPHABET.fullmatch(incomplete):
            raise ValueError("the last group is not of the standard alphabet")
        padded = self._padded
        content = []
        for group in groups:
            if padded:
                raise ValueError("characters after the padding")
            content.append(pybase64.b64decode(group, validate=True))
            padded = group[-1:] == b"="
        self._started, self._padded, self._incomplete_group = self._started or bool(text), padded, incomplete
        return content

    def _split_groups(self, text: bytes | memoryview, *, ended: bool) -> tuple[list[bytes | memoryview], bytes]:
        """Return runs of whole groups of four, the long one not copied, and the incomplete last group."""
        start = -len(self._incomplete_group) % 4
        stop = start + max(0, len(text) - start) // 4 * 4
        first, incomplete = self._incomplete_group + bytes(text[:start]), bytes(text[stop:])
        if len(first) % 4:
            first, incomplete = b"", first
        last = b""
        if ended:  # the padding may be missing
            incomplete, last = b"", incomplete + b"=" * (-len(incomplete) % 4)
        return [group for group in (first, text[start:stop], last) if group], incomplete


def _string_end(text: bytes | bytearray) -> int:
    quote = text.find(b'"')
    end = quote if quote >= 0 else len(text)
    if text.find(b"\\", 0, end) < 0:
        return end
    escaped = _STRING.match(text)
    return escaped.end() if escaped else 0
