"""Halves of surrogate pairs in JSON: what a JavaScript server writes when it cuts a text amid an emoji."""

from __future__ import annotations

import re

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
