"""
The key of a row: 32 hexadecimal digits that tell it from all others, since the API names no id of a call.

It is computed from the row alone, so it is the same on every try and in every file format. Its text is the row, or the
fields of it that identify a call, as JSON in one canonical form: names in order, without white space and needless
escapes, without nulls, numbers by their value (``35.0`` and ``3.5e1`` are ``35``; no digit is lost). The key is the
first half of the text's SHA-256: 128 bits, of which a billion rows still never share one, in half the room.

Rows with the same text are calls of their own. The second such row of a file has the key of its text, a line feed and
``1``; the third of ``2``, and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from hashlib import sha256
from typing import Any

import msgspec

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import AlloincognitoFieldError, AlloincognitoResponseError

KEY_BYTES = 16
MOST_DIGITS = 4000
"""Python converts no longer text to an int."""

_NESTED = frozenset((dict, list))
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def add_keys(batches: Iterable[RowBatch], name: str, identity: Sequence[str] = ()) -> Iterator[RowBatch]:
    """
    Yield rows with their keys as a first field.

    :param batches: the rows of one file, from its first on.
    :param name: the new field's.
    :param identity: the fields that identify a row; none for all.
    :raises AlloincognitoFieldError: if a row has a field of this name.
    """
    keys = _Keys()
    start = b'{"%b":"' % msgspec.json.encode(name)[1:-1]
    for batch in batches:
        rows = []
        for row, fields in zip(batch.rows, _values(batch), strict=True):
            if name in fields:
                raise AlloincognitoFieldError(
                    f"The rows have a field {name!r} already, so row_key={name!r} would hide it. Nothing was landed. "
                    "Give row_key another name, or leave it out if that field identifies a call."
                )
            text = _canonical({field: fields.get(field) for field in identity} if identity else fields)
            end = b'",' if fields else b'"'
            rows.append(msgspec.Raw(b"".join((start, keys.new(text).hex().encode(), end, memoryview(row)[1:]))))
        yield RowBatch(rows, one_line=batch.one_line)


class _Keys:
    """
    Gives keys, each once.

    Nothing is kept of a row but 10 bytes of its key, by which 10 million rows are told apart in all likelihood (a
    mistake, one in ten billion, would number a row that need not be). Two bytes choose a bucket, and eight are found
    in it by their place: some 12 bytes a row, where a set of Python's would take 100.
    """

    _BUCKET, _KEPT = 2, 8

    def __init__(self) -> None:
        self._buckets: list[bytearray | None] = [None] * (1 << 8 * self._BUCKET)

    def new(self, text: bytes) -> bytes:
        """Return the key of the next row with this text."""
        key = _key(text)
        if self._has(key):
            key = self._free(text)
        number = int.from_bytes(key[: self._BUCKET])
        bucket = self._buckets[number] = self._buckets[number] or bytearray()
        bucket += key[self._BUCKET : self._BUCKET + self._KEPT]
        return key

    def _free(self, text: bytes) -> bytes:
        """Find the first number that is free in a time that hardly grows with how many rows are alike."""
        taken, free = 0, 1
        while self._has(_key(b"%b\n%d" % (text, free))):
            taken, free = free, 2 * free
        while free - taken > 1:
            middle = (taken + free) // 2
            if self._has(_key(b"%b\n%d" % (text, middle))):
                taken = middle
            else:
                free = middle
        return _key(b"%b\n%d" % (text, free))

    def _has(self, key: bytes) -> bool:
        bucket = self._buckets[int.from_bytes(key[: self._BUCKET])]
        if bucket is None:
            return False
        kept = key[self._BUCKET : self._BUCKET + self._KEPT]
        at = bucket.find(kept)
        while at > 0 and at % self._KEPT:  # the end of one key and the beginning of the next
            at = bucket.find(kept, at + 1)
        return at >= 0


def _key(text: bytes) -> bytes:
    return sha256(text).digest()[:KEY_BYTES]


def _values(batch: RowBatch) -> list[dict[str, Any]]:
    try:
        return _ROWS.decode(b"[%b]" % b",".join(batch.rows))
    except (msgspec.DecodeError, ValueError):  # the JSON itself is valid
        raise AlloincognitoResponseError(
            f"A row contains a number with more than {MOST_DIGITS} digits, or a text that is not valid Unicode, so its "
            "key cannot be computed. Nothing was landed. Ask AlloIncognito's support, or leave row_key out."
        ) from None


def _canonical(fields: dict[str, Any]) -> bytes:
    if _NESTED.isdisjoint(map(type, fields.values())):
        return _encode({name: value for name, value in fields.items() if value is not None})
    return _encode(_without_nulls(fields))


def _without_nulls(value: Any) -> Any:
    """Leave out the nulls of an object and all in it. In a list they have their places."""
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return list(map(_without_nulls, value)) if isinstance(value, list) else value


def _exact_number(text: str) -> int | Decimal | str:
    """Return a number with a fraction or an exponent by its value alone: whole if it is, without zeros at the end."""
    try:
        number = Decimal(text).normalize(_EXACT)
    except ArithmeticError:  # an exponent of 18 digits
        return text
    _, _, exponent = number.as_tuple()
    is_whole = isinstance(exponent, int) and exponent >= 0
    return int(number) if is_whole and number.adjusted() < MOST_DIGITS else number


_ROWS = msgspec.json.Decoder(list[dict[str, Any]], float_hook=_exact_number)
_encode = msgspec.json.Encoder(order="sorted", decimal_format="number").encode
