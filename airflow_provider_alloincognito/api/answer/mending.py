"""
Mend JSON that no parser accepts, where it is clear what was meant. Only for what could not be parsed as it came.

Bytes that are not UTF-8 and lone surrogates (half of a surrogate pair) become U+FFFD, raw control characters in texts
are escaped, and NaN and the infinities become null: JSON has no such numbers.
"""

from __future__ import annotations

import codecs
import json
import re

from airflow_provider_alloincognito.scrubbing import scrub

_HIGH = rb"u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"u[dD][c-fC-F][0-9a-fA-F]{2}"
# Escaped backslashes, whole pairs and all other escapes match too, so that the groups have only what is to be mended.
_IN_STRING = re.compile(rb"\\(?:\\|%b\\%b|(%b|%b)|.)|([\x00-\x1f])" % (_HIGH, _LOW, _HIGH, _LOW), re.DOTALL)
_STRING_OR_WORD = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?\b(?:nan|inf(?:inity)?)\b', re.DOTALL | re.IGNORECASE)
_OPEN_STRING = re.compile(rb'\\.|[\x00-\x1f"]', re.DOTALL)
_HARMLESS = re.compile(rb"[ -\[\]-~]*")
# A whole string, even an incomplete one, so that none is searched within: that would take quadratic time.
_STRING_OR_KEY = re.compile(r'"((?:[^"\\]++|\\.?)*+)(?:"(\s*+:)?|\Z)', re.DOTALL)
_REPLACEMENT = rb"\ufffd"  # Unicode's own for what cannot be represented


def mend(text: bytes) -> bytes:
    """
    Return JSON with all that can be mended.

    :param text: it neither starts nor ends within a string.
    """
    return _STRING_OR_WORD.sub(_mended_token, text.decode(errors="replace").encode())


def _mended_token(token: re.Match[bytes]) -> bytes:
    return _mended_string(token[0]) if token[0].startswith(b'"') else b"null"


def _mended_string(string: bytes) -> bytes:
    """Replace one by one: a list of all pieces, as ``re.sub`` makes it, would take a hundred times the memory."""
    mended, start = bytearray(), 0
    for found in _IN_STRING.finditer(string):
        if found[1] or found[2]:
            mended += string[start : found.start()]
            mended += _REPLACEMENT if found[1] else _escaped(found[2])
            start = found.end()
    return bytes(mended + string[start:])


def _escaped(control: bytes) -> bytes:
    return b"\\u%04x" % control[0]


def field_of_fault(row: bytes) -> str | None:
    """
    Return the last field before the place where a row stops being JSON; None if it is JSON, or has no field there.

    :param row: one object. The field's name is scrubbed.
    """
    text = row.decode(errors="replace")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        keys = [string[1] for string in _STRING_OR_KEY.finditer(text, 0, error.pos + 1) if string[2]]
        return scrub(keys[-1]) if keys else None
    except RecursionError:
        return None
    return None


class TextMender:
    """Mends the texts of JSON that arrives in pieces, cut anywhere: bytes that are not UTF-8, control characters."""

    def __init__(self) -> None:
        self._utf_8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._in_string = False
        self._held = b""

    def __call__(self, piece: bytes) -> bytes:
        """Return the next piece; half a character at its end is returned with the piece after it."""
        if not self._held and _HARMLESS.fullmatch(piece) and not self._utf_8.getstate()[0]:
            self._in_string ^= piece.count(b'"') % 2 == 1
            return piece
        piece = self._held + self._utf_8.decode(piece).encode()
        backslashes = len(piece) - len(piece.rstrip(b"\\"))
        self._held = b"\\" if backslashes % 2 else b""
        return _OPEN_STRING.sub(self._mended, piece[: len(piece) - len(self._held)])

    def _mended(self, found: re.Match[bytes]) -> bytes:
        if found[0] == b'"':
            self._in_string = not self._in_string
        elif self._in_string and not found[0].startswith(b"\\"):
            return _escaped(found[0])
        return found[0]
