"""
Show the form of a value without what it says: rows hold phone numbers, names and comments.

At least five digits of a number are hidden, so that nobody can be called, and all letters of a text. Shown as they are:
times, small numbers, and the words of a direction or a status.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from airflow_provider_alloincognito.cli.roles import values, words

LONGEST = 40
HIDDEN_DIGITS = 5
MOST_FIRST, LAST = 4, 2
ID_FIRST, ID_LAST = 4, 2
MOST_WORDS = 8
LONGEST_WORD = 24

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?(Z|[+-]\d\d:?\d\d)?|"
    r"\d\d\.\d\d\.\d{4}( \d\d:\d\d(:\d\d)?)?|(\d{1,3}:)?\d\d:\d\d",
    re.ASCII,
)
_SMALL_NUMBER = re.compile(r"-?(?!.*(\d\D?){7})\d{1,5}(\.\d{1,3})?", re.ASCII)
_ID = re.compile(r"(?=.*\d)[\da-f-]{16,}", re.ASCII | re.IGNORECASE)
_STATUS = """
in out inbound outbound incoming outgoing internal external local callback answered answer no noanswer busy failed fail
success ok cancel cancelled canceled missed received rejected accepted completed done lost true false yes unknown none
voicemail входящий исходящий внутренний входящие исходящие вх исх пропущенный пропущен отвечен неотвеченный принят
занято отклонен отклонён успешно успешный неуспешный завершен завершён потерян нет ответа да не
"""
_WORDS_OF_STATUS = frozenset(_STATUS.split())
_OF_ENUMERATIONS = {"direction", "way", "kind", "state", "call"}


def mask(value: Any, *, is_enumeration: bool = False) -> str:
    """
    Return one value as it may be shown.

    :param value: of JSON's types.
    :param is_enumeration: it is one of few words, see :func:`is_enumeration`.
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, dict):
        return f"{{{len(value)} fields}}"
    if isinstance(value, list):
        return f"[{len(value)} values]"
    text = f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    if is_enumeration or _SMALL_NUMBER.fullmatch(text) or _TIME.fullmatch(text):
        return text
    if values.is_phone_number(text) or not isinstance(value, str):
        return _mask_digits(text)
    if _ID.fullmatch(text):
        middle = text[ID_FIRST:-ID_LAST]
        return _shortened(text[:ID_FIRST] + re.sub(r"\w", "*", middle) + text[-ID_LAST:])
    return _shortened("".join(map(_shape, text)))


def is_enumeration(name: str, known: Sequence[Any]) -> bool:
    """
    Return whether the values of a field are words of an enumeration, which tell of nobody.

    :param name: the field's name: few words may be the names of a few people as well.
    :param known: its values.
    """
    texts = {value for value in known if isinstance(value, str)}
    if len(texts) > MOST_WORDS or not all(isinstance(value, str) for value in known):
        return False
    if any(len(text) > LONGEST_WORD or re.search(r"\d{3}", text) for text in texts):
        return False
    if all(set(re.split(r"[\W_]+", text.casefold())) <= _WORDS_OF_STATUS for text in texts):
        return True
    meant = words.concepts(name)
    is_coded = all(re.fullmatch(r"[A-Z_]+|[a-z_]+", text) for text in texts)
    return is_coded and len(known) > 2 * len(texts) and bool(meant) and meant <= _OF_ENUMERATIONS


def _mask_digits(text: str) -> str:
    """Return a number with its first and last digits."""
    digits = sum(one.isdigit() for one in text)
    first = min(MOST_FIRST, max(digits - HIDDEN_DIGITS - LAST, 0))
    shown, count = "", 0
    for one in text:
        if one.isdigit():
            count += 1
            shown += one if count <= first or count > max(digits - LAST, first + HIDDEN_DIGITS) else "*"
        else:
            shown += _shape(one)
    return _shortened(shown)


def _shape(letter: str) -> str:
    if letter.isdigit() or letter.isnumeric():
        return "0"
    if letter.isalpha():
        return "X" if letter.isupper() else "x"
    return letter if letter.isascii() and letter.isprintable() else " "


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
