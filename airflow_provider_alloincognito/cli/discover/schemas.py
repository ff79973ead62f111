"""
What a value looks like: JSON Schema as API documents have it, with its references and compositions taken together.

References are only resolved where they are followed, so a cycle needs no care but a walk's own bounds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import cached_property
from typing import Any

TYPES = {
    "int": "integer",
    "long": "integer",
    "int32": "integer",
    "int64": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "bool": "boolean",
    "date": "string",
    "datetime": "string",
    "uuid": "string",
    "list": "array",
}
"""Types that are written, but are not JSON Schema's."""
COMPOSITIONS = ("allOf", "oneOf", "anyOf")
MOST_PARTS = 60
DEEPEST_EXAMPLE = 12
DEEPEST = 9
MOST_FIELDS = 1_500

Part = tuple[dict[str, Any], Any]
"""A schema as it is written, and what resolves the references in it."""


class Schema:
    """
    What a value looks like: a schema with its references, ``allOf``, ``oneOf`` and ``anyOf`` taken together.

    :param parts: the schemas that all, or some, describe the value.
    """

    def __init__(self, parts: list[Part]) -> None:
        self.parts = _flattened(parts)

    def _first(self, key: str) -> Any:
        return next((raw[key] for raw, _ in self.parts if raw.get(key) is not None), None)

    @cached_property
    def types(self) -> list[str]:
        """The types' names, without ``null``."""
        found: list[str] = []
        for raw, _ in self.parts:
            declared = raw.get("type")
            names = declared if isinstance(declared, list) else [declared]
            found += [TYPES.get(name.lower(), name.lower()) for name in names if isinstance(name, str)]
        if not [name for name in found if name != "null"]:
            found += ["object"] if self.properties else ["array"] if self.items else []
        return [name for name in dict.fromkeys(found) if name != "null"]

    @property
    def type(self) -> str:
        """The first type's name; empty if there is none."""
        return self.types[0] if self.types else ""

    @cached_property
    def properties(self) -> dict[str, Schema]:
        """The fields of an object."""
        found: dict[str, list[Part]] = {}
        for raw, resolver in self.parts:
            properties = raw.get("properties")
            for name, value in properties.items() if isinstance(properties, dict) else ():
                if isinstance(value, dict):
                    found.setdefault(str(name), []).append((value, resolver))
        return {name: Schema(parts) for name, parts in found.items()}

    @cached_property
    def items(self) -> Schema | None:
        """What an array holds."""
        found = []
        for raw, resolver in self.parts:
            items = raw.get("items")
            items = items[0] if isinstance(items, list) and items else items
            found += [(items, resolver)] if isinstance(items, dict) else []
        return Schema(found) if found else None

    @cached_property
    def required(self) -> set[str]:
        """The names of the fields that an object must have."""
        lists = [raw["required"] for raw, _ in self.parts if isinstance(raw.get("required"), list)]
        return {str(name) for names in lists for name in names}

    @cached_property
    def values(self) -> list[Any]:
        """The values that are allowed; empty if they are not enumerated."""
        found: list[Any] = []
        for raw, _ in self.parts:
            found += raw["enum"] if isinstance(raw.get("enum"), list) else [raw["const"]] if "const" in raw else []
        if not found and self.items is not None and self.type == "array":
            return self.items.values
        return [value for value in found if value is not None and not isinstance(value, dict | list)]

    @cached_property
    def value_names(self) -> list[str]:
        """What generators call the allowed values, in their order; empty if they do not say."""
        for key in ("x-enum-varnames", "x-enumNames", "x-enum-names", "x-enum-descriptions", "x-enumDescriptions"):
            names = self._first(key)
            if isinstance(names, dict):
                return [str(names.get(str(value), "")) for value in self.values]
            if isinstance(names, list) and len(names) == len(self.values):
                return [str(name) for name in names]
        constants = [raw for raw, _ in self.parts if "const" in raw]
        if constants and len(constants) == len(self.values):
            return [f"{raw.get('title') or ''} {raw.get('description') or ''}".strip() for raw in constants]
        return []

    @property
    def named_values(self) -> list[tuple[Any, str]]:
        """The allowed values with their names, which may be empty."""
        return list(zip(self.values, self.value_names or [""] * len(self.values), strict=True))

    @cached_property
    def is_nullable(self) -> bool:
        """Whether null is allowed."""
        for raw, _ in self.parts:
            declared = raw.get("type")
            is_null = declared == "null" or (isinstance(declared, list) and "null" in declared)
            if is_null or raw.get("nullable") is True or raw.get("x-nullable") is True:
                return True
        return False

    @cached_property
    def example(self) -> Any:
        """One value that is shown; None if there is none."""
        found = self._first("example")
        examples = self._first("examples")
        if found is None and isinstance(examples, list) and examples:
            return examples[0]
        return found

    @property
    def default(self) -> Any:
        """The value that is taken where there is none."""
        return self._first("default")

    @cached_property
    def format(self) -> str:
        """The name of the format of a text or number."""
        encoding = self._first("contentEncoding")
        return str(self._first("format") or encoding or "").lower()

    @cached_property
    def pattern(self) -> str:
        """The regular expression that a text must match."""
        return str(self._first("pattern") or "")

    @cached_property
    def description(self) -> str:
        """What is said of it."""
        texts = [raw.get(key) for raw, _ in self.parts for key in ("description", "title")]
        return " ".join(next((text for text in texts if isinstance(text, str) and text.strip()), "").split())


def _flattened(parts: list[Part]) -> list[Part]:
    """Return the schemas with those that they refer to and are composed of; none twice."""
    found: list[Part] = []
    waiting, known = deque(parts), set()
    while waiting and len(found) < MOST_PARTS:
        raw, resolver = waiting.popleft()
        if not isinstance(raw, dict) or id(raw) in known:
            continue
        known.add(id(raw))
        found.append((raw, resolver))
        inner: list[Part] = []
        if isinstance(raw.get("$ref"), str):
            inner.append(resolver.resolve(raw["$ref"]))
        for key in COMPOSITIONS:
            inner += (
                [(one, resolver) for one in raw[key] if isinstance(one, dict)] if isinstance(raw.get(key), list) else []
            )
        waiting.extendleft(reversed(inner))
    return found


def schema_of_example(value: Any, depth: int = 0) -> dict[str, Any]:
    """Return a schema that an example fits."""
    if depth > DEEPEST_EXAMPLE:
        return {}
    if isinstance(value, dict):
        properties = {str(name): schema_of_example(one, depth + 1) for name, one in value.items()}
        return {"type": "object", "properties": properties}
    if isinstance(value, list):
        return {"type": "array", "items": schema_of_example(value[0], depth + 1) if value else {}}
    kind = {bool: "boolean", int: "integer", float: "number", str: "string"}.get(type(value))
    return {"type": kind, "example": value} if kind else {}


def walk(schema: Schema) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """
    Yield all that a value holds, with its path, the nearest first; not what its arrays hold.

    :param schema: the value. It comes first itself. Cycles end where a schema would lie in itself.
    """
    waiting: deque[tuple[tuple[str, ...], Schema, frozenset[int]]] = deque([((), schema, frozenset())])
    seen = 1
    while waiting:
        path, one, above = waiting.popleft()
        yield path, one
        here = {id(raw) for raw, _ in one.parts}
        if len(path) >= DEEPEST or here & above or seen >= MOST_FIELDS:
            continue
        within = above | {id(raw) for raw, _ in one.parts if "properties" in raw or "items" in raw}
        waiting.extend(((*path, name), inner, within) for name, inner in one.properties.items())
        seen += len(one.properties)
