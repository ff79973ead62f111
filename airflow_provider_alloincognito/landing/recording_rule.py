"""
Which recordings of a landed call list are kept, by the fields of its rows.

A value compares in the same way in every format. A number in a rule compares as a number: 35 is ``35``, ``35.0`` and
the text ``"35"``, which is all that CSV has. A text compares with the value's text, where a whole number has no
fraction (2.0 is ``2``) and a flag is ``true`` or ``false``. True and False also take 1 and 0. None is null and the
empty text, which CSV does not tell apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any, ClassVar, NamedTuple, Protocol

from airflow_provider_alloincognito.api.query import FLAGS
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.landing.formats import read_rows, usable_ids
from airflow_provider_alloincognito.landing.stores.targets import Target
from airflow_provider_alloincognito.scrubbing import scrub

DIGEST = re.compile(r"[0-9a-f]{32}")
"""What a digest looks like that a number was replaced by at landing."""

WHOLE = re.compile(r"-?[0-9]+\.0+")


class Condition(Protocol):
    """Decides by one field."""

    excludes: ClassVar[bool]
    """Whether a recording is left out as soon as one of its rows does not meet it. Of other conditions it is enough
    that one row meets them all."""

    def holds(self, value: Any) -> bool:
        """Return whether a value meets it; raise ValueError, with a reason, if that cannot be said."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value is one of some numbers, texts, flags, or None."""

    excludes: ClassVar[bool] = False
    values: Sequence[str | float | bool | None]

    def holds(self, value: Any) -> bool:
        """Compare with each of them."""
        return any(_equal(value, one) for one in self.values)


@dataclass(frozen=True, slots=True)
class Between:
    """The value is a number from ``lowest`` to ``highest``, both included; None is no limit."""

    excludes: ClassVar[bool] = False
    lowest: Decimal | None
    highest: Decimal | None

    def holds(self, value: Any) -> bool:
        """Compare with both ends; no value is in no range."""
        if not _text(value):
            return False
        if (number := _number(value)) is None:
            raise ValueError("is not a number, so it is in no range. Name a field of numbers")
        return (self.lowest is None or number >= self.lowest) and (self.highest is None or number <= self.highest)


@dataclass(frozen=True, slots=True)
class AmongNumbers:
    """
    The value is one of some phone numbers.

    :param numbers: normalized; or their digests, if the field was landed as digests.
    :param are_digests: which of the two.
    """

    excludes: ClassVar[bool] = False
    numbers: frozenset[str] = field(repr=False)
    are_digests: bool = False

    def holds(self, value: Any) -> bool:
        """Compare the normalized number, or the digest. No value is not among them."""
        from airflow_provider_alloincognito.landing.rewriting.phone_numbers import normalize

        text = _text(value)
        if not text:
            return False
        if "**" in text:
            raise ValueError("is masked, so it cannot be compared. Land this field with protect='digest' instead")
        if DIGEST.fullmatch(text) and not self.are_digests:
            raise ValueError("is a digest. Set digest_key to the key that the calls were landed with")
        if self.are_digests and not DIGEST.fullmatch(text):
            raise ValueError("is not a digest, but digest_key is set. Leave it out, or land this field as a digest")
        return (text if self.are_digests else normalize(text)) in self.numbers


@dataclass(frozen=True, slots=True)
class NotAmongNumbers(AmongNumbers):
    """The value is none of some phone numbers: whoever asked not to be recorded is in no row of a recording."""

    excludes: ClassVar[bool] = True

    def holds(self, value: Any) -> bool:
        """Compare as :class:`AmongNumbers` does."""
        return not AmongNumbers.holds(self, value)


class Chosen(NamedTuple):
    """The ids of the recordings that a rule keeps, in order, and of how many they were chosen."""

    ids: list[str]
    of: int


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """
    Which recordings are kept.

    :param conditions: by the name of a field; all must hold.
    :param share: of the recordings that remain, chosen by a digest of the id: the same ones in every run.
    """

    conditions: Mapping[str, Condition]
    share: float = 1.0

    def choose(self, calls: Target, id_field: str) -> Chosen:
        """
        Choose recordings by the rows of landed calls.

        :param calls: the file, in any registered format.
        :param id_field: the field with the recording's id.
        :raises AlloincognitoFormatError: if the file has rows, but lacks a field.
        :raises AlloincognitoQueryError: if a value cannot be compared.
        :raises AlloincognitoTargetError: if the file cannot be read to its end.
        """
        fields = list(dict.fromkeys([id_field, *self.conditions]))
        ids: dict[str, bool] = {}
        excluded: set[str] = set()
        for number, row in enumerate(read_rows(calls, fields), 1):
            for one in usable_ids(row[:1]):
                failed = self._failed(dict(zip(fields, row, strict=True)), number)
                ids[one] = ids.get(one, False) or not failed
                if any(condition.excludes for condition in failed):
                    excluded.add(one)
        kept = (one for one, is_kept in ids.items() if is_kept and one not in excluded)
        return Chosen(self.share_of(kept).ids, len(ids))

    def share_of(self, ids: Any) -> Chosen:
        """Choose the share of some ids, each once."""
        ids = list(dict.fromkeys(ids))
        return Chosen([one for one in ids if self.share >= 1 or _place(one) < self.share], len(ids))

    def _failed(self, values: Mapping[str, Any], row: int) -> list[Condition]:
        failed = []
        for name, condition in self.conditions.items():
            try:
                if not condition.holds(values[name]):
                    failed.append(condition)
            except ValueError as error:
                raise AlloincognitoQueryError(
                    f"only cannot be decided by the field {scrub(repr(name))}: its value in row {row} {error}. No "
                    "recording was fetched."
                ) from None
        return failed


def _place(record_file_id: str) -> float:
    """Return a number from 0 to 1 that is always the same for an id, and evenly spread over ids."""
    return int.from_bytes(sha256(record_file_id.encode()).digest()[:6]) / (1 << 48)


def _equal(value: Any, wanted: str | float | bool | None) -> bool:
    if wanted is None:
        return not _text(value)
    if isinstance(wanted, bool):
        return FLAGS.get(_text(value).lower()) == wanted
    if isinstance(wanted, str):
        return _text(value) == _text(wanted)
    return _number(value) == Decimal(str(wanted))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value.isoformat() if isinstance(value, date) else str(value)
    return text.partition(".")[0] if WHOLE.fullmatch(text) else text


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
