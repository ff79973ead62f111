"""
Infer a schema from all rows of a response: the same rows give the same schema.

Columns are in the order in which they first appear. A column with only nulls is a string. Whole numbers and fractions
together are float64 if no digit is lost. Any other mixture is a string that holds the JSON text of what is not a
string; so are nested values and numbers beyond int64. Strings stay strings, even if they look like a time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from airflow_provider_alloincognito.landing.tables.exact_rows import EXACT_IN_FLOAT, INT64, raw_rows
from airflow_provider_alloincognito.landing.tables.schema import Schema, TypeName

Kind: TypeAlias = Literal["bool", "int", "long", "float", "string", "other"]
Kinds: TypeAlias = dict[str, set[Kind]]

_INTEGER = re.compile(rb"-?[0-9]{1,19}")


def infer_schema(blocks: Iterable[bytes]) -> Schema:
    """Read all rows, in blocks of JSON lines, and return the columns that they have."""
    kinds: Kinds = {}
    for block in blocks:
        found = _kinds_by_arrow(block)
        if found is None:
            found = _kinds_by_row(block)
        for column, kinds_found in found.items():
            kinds.setdefault(column, set()).update(kinds_found)
    return {column: _type_of(kinds_found) for column, kinds_found in kinds.items()}


def _type_of(kinds: set[Kind]) -> TypeName:
    if kinds == {"bool"}:
        return "bool"
    if kinds and kinds <= {"int", "long"}:
        return "int64"
    if kinds and kinds <= {"int", "float"}:
        return "float64"
    return "string"


def _kinds_by_row(block: bytes) -> Kinds:
    kinds: Kinds = {}
    for _, fields in raw_rows(block):
        for column, raw in fields.items():
            kinds_found = kinds.setdefault(column, set())
            if raw != b"null":
                kinds_found.add(_kind_of(raw))
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


def _kinds_by_arrow(block: bytes) -> Kinds | None:
    """Let pyarrow find the kinds; return None if it is not installed or its types would not be exact."""
    try:
        from airflow_provider_alloincognito.landing.tables import arrow
    except ImportError:
        return None
    table = arrow.read_block(block)
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
            return "unclear"  # pyarrow silently makes floats of longer numbers
        return "int" if types.is_integer(values.type) else "float"
    return "string"  # also what pyarrow takes for a time
