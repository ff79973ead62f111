"""
Phone numbers: one form for each, and what may stand in a number's place.

How AlloIncognito writes numbers is not documented. The rules are assumed from the Russian numbering plan, from E.164
and RFC 3966, and from what telephone exchanges usually write:

- Around the number: ``sip:``, ``sips:`` and ``tel:``, all before them, and all from ``@`` or ``;`` on do not belong to
  it; nor does anything but digits (RFC 3261, RFC 3966). Up to 6 digits after ``,``, ``#``, ``/``, ``ext`` or ``доб``
  at its end are an extension, or what was dialled later, and do not belong to it either.
- A number as JSON or a spreadsheet writes it, ``79161234567.0`` or ``7.9161234567e10``, is its digits.
- Less than 7 digits are an internal or a short number and stay: ``101``, ``112``. With letters they are a name:
  ``manager2``.
- ``+`` at the start, or the dialling prefixes 00 and 810, precede an international number.
- 11 digits that begin with 8 are a Russian number with the domestic prefix: 7 takes its place. 10 digits are a Russian
  number without a country code: 7 precedes them.
- All others stay as their digits. So do 7 digits, a city's number without its area code, and more than 18 digits,
  which may be several numbers.
- A text without a digit is a name, such as ``anonymous`` or ``Скрыт``: lower case, without spaces around it.

A foreign number keeps its ``+`` only where it would be read as a Russian one without it: ``+81 3 1234 5678`` has 11
digits that begin with 8. So a number that has its one form keeps it.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from decimal import Decimal

SHORTEST = 7
"""Fewer digits are an internal or a short number."""
LONGEST = 18
"""As many digits as a number of E.164 and a dialling prefix have."""
DIGEST_DIGITS = 32
MASKED_FROM = 11
FIRST, LAST = 4, 2

_BEFORE = re.compile(r".*\b(?:sips?|tel):", re.IGNORECASE | re.DOTALL)
_USER = re.compile(r"[^@;\s][^@;]*")
_EXTENSION = re.compile(r"(?:[,#/]|\b(?:ext|доб|вн)\w*)[\s.,:№#-]*\d{1,6}\W*$", re.IGNORECASE)
_JSON_NUMBER = re.compile(r"\+?\d+\.0{1,2}|\+?\d+(?:\.\d+)?e\+?\d{1,2}", re.IGNORECASE | re.ASCII)
_NO_DIGIT = re.compile(r"\D")
_PLUS = re.compile(r"[^\d+]*\+")
_DIALLED_ABROAD = re.compile(r"(?:00|810)(\d{7,})")


def normalize(text: str) -> str:
    """
    Return the one form of a number that its usual forms have in common, by this module's rules.

    ``+7 (916) 123-45-67``, ``8 916 123 45 67``, ``79161234567`` and ``sip:9161234567@pbx`` are ``79161234567``.

    :param text: a number in any form, or what stands in its place.
    """
    if before := _BEFORE.match(text):
        text = text[before.end() :]
    if user := _USER.search(text):
        text = user[0]
    text = text.strip()
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    digits = _digits(plain)
    if len(digits) > SHORTEST and (extension := _EXTENSION.search(plain)):
        without = _digits(plain[: extension.start()])
        if len(without) >= SHORTEST:
            plain, digits = plain[: extension.start()], without
    if len(digits) < SHORTEST:
        return text.lower() if not digits or any(map(str.isalpha, plain)) else digits
    if len(digits) > LONGEST:
        return digits
    if _PLUS.match(plain):
        return _international(digits)
    if abroad := _DIALLED_ABROAD.fullmatch(digits):
        return _international(abroad[1])
    if len(digits) == 11 and digits[0] == "8":
        return f"7{digits[1:]}"
    return f"7{digits}" if len(digits) == 10 else digits


def digest(number: str, key: bytes) -> str:
    """
    Return what replaces a number so that it can still be joined and counted: 32 hexadecimal digits.

    They are the first half of HMAC-SHA256 over the normalized number, in UTF-8. Without the key nobody can tell the
    number, not even by trying all numbers; with it, everybody can.

    :param number: in any form: all forms of one number have one digest.
    :param key: the secret.
    """
    return hmac.digest(key, normalize(number).encode(), "sha256").hex()[:DIGEST_DIGITS]


def mask(text: str) -> str:
    """
    Return a number with its middle hidden, as ``7916*****67``; fewer than 11 digits, or a name, are hidden as a whole.

    :param text: a number in any form: all forms of one number have one mask, and so have many numbers.
    """
    number = normalize(text).removeprefix("+")
    if number.isdecimal() and len(number) >= MASKED_FROM:
        return f"{number[:FIRST]}{'*' * (len(number) - FIRST - LAST)}{number[-LAST:]}"
    return "*" * len(number)


def _digits(text: str) -> str:
    if _JSON_NUMBER.fullmatch(text) and (number := Decimal(text)) == number.to_integral_value():
        text = f"{number:f}".partition(".")[0]
    digits = _NO_DIGIT.sub("", text)
    return digits if digits.isascii() else "".join(str(unicodedata.decimal(digit)) for digit in digits)


def _international(digits: str) -> str:
    return digits if normalize(digits) == digits else f"+{digits}"
