"""What the rows of a response look like: each field's type, nulls, different values and masked examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_alloincognito.cli.masking import is_enumeration, mask
from airflow_provider_alloincognito.cli.roles import RowField, schema_type, values

EXAMPLES = 2
MOST_SHOWN_WORDS = 5
_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}


@dataclass(frozen=True)
class FieldProfile:
    """
    One field in the rows of a response. Nothing in it is personal data.

    :param name: its name.
    :param types: the JSON types of its values that are not null.
    :param schema_type: the type for the operators' argument ``schema``.
    :param nulls: in how many rows it is null, empty or missing.
    :param distinct: how many different values it has.
    :param examples: some of its values, masked.
    """

    name: str
    types: tuple[str, ...]
    schema_type: str
    nulls: int
    distinct: int
    examples: tuple[str, ...]


def row_fields(rows: Sequence[Mapping[str, Any]]) -> list[RowField]:
    """Return the fields of some rows, in the order in which they first appear, with their values."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    fields = []
    for name in names:
        samples = [row.get(name) for row in rows]
        types = _types(samples)
        fields.append(RowField(name, type=types[0] if len(types) == 1 else None, samples=samples))
    return fields


def profile(one: RowField) -> FieldProfile:
    """Return what the values of a field look like."""
    known = values.present(one.samples)
    distinct = {_key(value): value for value in known}
    is_enum = is_enumeration(one.name, known)
    most = MOST_SHOWN_WORDS if is_enum else EXAMPLES
    shown: dict[str, None] = {}
    for value in distinct.values():
        shown[mask(value, is_enumeration=is_enum)] = None
        if len(shown) == most:
            break
    return FieldProfile(
        one.name,
        _types(one.samples),
        schema_type(one),
        len(one.samples) - len(known),
        len(distinct),
        tuple(shown),
    )


def _key(value: Any) -> str:
    """Return what tells different values apart."""
    return f"{type(value).__name__}:{value}"


def _types(samples: Sequence[Any]) -> tuple[str, ...]:
    found = {_JSON_TYPES.get(type(value), "string") for value in samples if value is not None}
    return ("number",) if found == {"integer", "number"} else tuple(sorted(found))
