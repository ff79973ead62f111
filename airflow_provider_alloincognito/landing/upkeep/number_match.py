"""Recognize phone numbers in what has landed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.landing.rewriting.landed_numbers import DIGEST, landed_numbers
from airflow_provider_alloincognito.landing.rewriting.phone_numbers import SHORTEST, digest, normalize

SHOWN = 4
"""So many digits of a number are shown to a database."""
_BETWEEN_DIGITS = r"[\s().-]{0,3}"
_RUSSIAN = re.compile(r"7\d{10}")


class NumberMatch:
    """
    Recognizes phone numbers in landed values, plain or as digests.

    :param numbers: the numbers, in any form.
    :param key: the key of the digests that stand for numbers in the files; None if they have none.
    """

    def __init__(self, numbers: Iterable[str], key: bytes | None = None) -> None:
        self.numbers = frozenset(map(normalize, numbers))
        self._in_texts = _pattern(self.numbers)
        self.digests = None if key is None else frozenset(digest(number, key) for number in self.numbers)

    def __repr__(self) -> str:
        """Show no number."""
        return f"NumberMatch({len(self.numbers)} numbers)"

    def matches(self, value: Any) -> bool:
        """
        Return whether a field's value is one of the numbers.

        :raises AlloincognitoQueryError: if it is a digest and there is no key.
        """
        return any(map(self._is_one, landed_numbers(value)))

    def _is_one(self, text: str) -> bool:
        if not DIGEST.fullmatch(text):
            return normalize(text) in self.numbers
        if self.digests is None:
            raise AlloincognitoQueryError(
                "The calls have digests in place of numbers, so without their key nothing can be found. Give the key "
                "that they were landed with (HAS_DIGESTS in alloincognito_erasure). What was found before is erased."
            )
        return text in self.digests

    def patterns(self) -> list[str]:
        """
        Return patterns for SQL's LIKE: each match fits one of them. So do many other values.

        They have only the last four digits of a number, in whatever form it is, and the first four of a digest, so that
        a database, which may log them, learns no number.
        """
        digits = ["".join(filter(str.isdigit, one))[-SHOWN:] for one in self.numbers]
        starts = [one[:SHOWN] for one in self.digests or ()]
        return sorted({f"%{'%'.join(one)}%" for one in digits} | {f"%{one}%" for one in starts})

    def is_in(self, text: str) -> bool:
        """Return whether one of the numbers is part of a text, such as the name of a recording."""
        return self._in_texts is not None and self._in_texts.search(text) is not None


def _pattern(numbers: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern of numbers with any punctuation; None if there are only names and short numbers."""
    digits = [one.removeprefix("+") for one in numbers]
    whole = [one.removeprefix("7") if _RUSSIAN.fullmatch(one) else one for one in digits if one.isdecimal()]
    any_of_them = "|".join(_BETWEEN_DIGITS.join(one) for one in whole if len(one) >= SHORTEST)
    return re.compile(rf"(?<!\d)(?:[78]{_BETWEEN_DIGITS})?(?:{any_of_them})(?!\d)") if any_of_them else None
