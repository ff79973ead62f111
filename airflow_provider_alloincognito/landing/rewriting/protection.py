"""Protect the numbers in rows: fields whose values are replaced by digests or masks, and fields that are dropped."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, Literal, TypeAlias

import msgspec

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.landing.rewriting.phone_numbers import digest, mask

How: TypeAlias = Literal["digest", "mask"]
MOST_REMEMBERED = 1 << 14
"""Numbers occur again and again, and a look-up costs a tenth of a digest. So many values take a few MB."""

_VALUE = msgspec.json.Decoder[Any](float_hook=str)  # no digit of a number is lost
_encode = msgspec.json.Encoder().encode


def protect_fields(
    batches: Iterable[RowBatch],
    protect: Mapping[str, How],
    digest_key: bytes | None = None,
    known: Container[str] | None = None,
) -> Iterator[RowBatch]:
    """
    Yield rows with digests or masks in place of numbers.

    Nulls, empty texts and texts of white space stay. Numbers, ``true`` and ``false`` are read as texts. In a list each
    value is a number; an object keeps its names, and its values are numbers.

    :param batches: the rows.
    :param protect: field to what its values are replaced by.
    :param digest_key: the key of digests.
    :param known: the only fields that are kept; None keeps all.
    """
    ways: dict[How, Callable[[str], str]] = {"mask": mask}
    if digest_key is not None:
        ways["digest"] = partial(digest, key=digest_key)
    protectors = {field: lru_cache(MOST_REMEMBERED)(partial(_protected, ways[how])) for field, how in protect.items()}
    for batch in batches:
        rows = []
        for row in batch.fields():
            fields = row if known is None else {field: raw for field, raw in row.items() if field in known}
            for field, protector in protectors.items():
                if (raw := fields.get(field)) is not None:
                    fields[field] = protector(bytes(raw))
            rows.append(msgspec.Raw(_encode(fields)))
        yield RowBatch(rows, one_line=batch.one_line)


def _protected(replace: Callable[[str], str], raw: bytes) -> msgspec.Raw:
    """Return the JSON text that stands for another."""
    try:
        value = _VALUE.decode(raw)
    except msgspec.DecodeError:  # a number of thousands of digits
        value = raw.decode()
    return msgspec.Raw(_encode(_replaced(value, replace)))


def _replaced(value: Any, replace: Callable[[str], str]) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        return {name: _replaced(one, replace) for name, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, replace) for one in value]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return replace(text) if text.strip() else text
