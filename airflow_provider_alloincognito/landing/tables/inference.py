"""A schema from the rows themselves, over the whole answer: the same rows give the same schema.

Columns are in the order in which they first appear. A column of nothing but nulls is a string, whole numbers and
fractions together are float64 where no digit is lost by it, and any other mixture is a string, with the JSON text of
what is none; so are nested values and numbers beyond int64. Strings stay strings, whatever they look like.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from airflow_provider_alloincognito.landing.tables.arrow import read_block
from airflow_provider_alloincognito.landing.tables.exact_rows import EXACT_IN_FLOAT, INT64, raw_rows
from airflow_provider_alloincognito.landing.tables.schema import Schema, TypeName

Kind: TypeAlias = Literal["bool", "int", "long", "float", "string", "other"]
Kinds: TypeAlias = dict[str, set[Kind]]

_INTEGER = re.compile(rb"-?[0-9]{1,19}")


def infer_schema(windows: Iterable[bytes]) -> Schema:
    """Go through all rows once and say which columns they have."""
    kinds: Kinds = {}
    for window in windows:
        seen = _kinds_by_arrow(window)
        if seen is None:
            seen = _kinds_by_row(window)
        for column, met in seen.items():
            kinds.setdefault(column, set()).update(met)
    return {column: _type_of(met) for column, met in kinds.items()}


def _type_of(kinds: set[Kind]) -> TypeName:
    if kinds == {"bool"}:
        return "bool"
    if kinds and kinds <= {"int", "long"}:
        return "int64"
    if kinds and kinds <= {"int", "float"}:
        return "float64"
    return "string"


def _kinds_by_row(window: bytes) -> Kinds:
    kinds: Kinds = {}
    for _, fields in raw_rows(window):
        for column, raw in fields.items():
            met = kinds.setdefault(column, set())
            if raw != b"null":
                met.add(_kind_of(raw))
    return kinds


def _kind_of(raw: bytes) -> Kind:
    first = raw[:1]
    if first == b'"':
        return "string"
    if first in b"tf":
        return "bool"
    if first in b"{[":
        return "other"
    if _INTEGER.fullmatch(raw):
        number = int(raw)
        return "int" if abs(number) < EXACT_IN_FLOAT else "long" if number in INT64 else "other"
    return "other" if raw.lstrip(b"-").isdigit() or math.isinf(float(raw)) else "float"


def _kinds_by_arrow(window: bytes) -> Kinds | None:
    """Leave the work to pyarrow; None where it is not there or could see less than is needed."""
    try:
        table = read_block(window)
    except ImportError:
        return None
    if table is None:
        return None
    kinds: Kinds = {}
    for column in table.schema.names:
        kind = _kind_of_arrow(table.column(column))
        if kind == "unclear":
            return None
        kinds[column] = {kind} if kind else set()
    return kinds


def _kind_of_arrow(values: Any) -> Kind | Literal["unclear"] | None:
    import pyarrow.compute
    from pyarrow import types

    if types.is_null(values.type):
        return None
    if types.is_boolean(values.type):
        return "bool"
    if types.is_nested(values.type):
        return "other"
    if types.is_integer(values.type) or types.is_floating(values.type):
        ends = pyarrow.compute.min_max(values).as_py()
        if max(abs(ends["min"]), abs(ends["max"])) >= EXACT_IN_FLOAT:
            return "unclear"  # pyarrow makes floats of what is too long, without a word
        return "int" if types.is_integer(values.type) else "float"
    return "string"  # also what it takes for a time
