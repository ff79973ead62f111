"""
The shape of an answer that is not as expected: names and nesting, without any value.

If one array in it looks like rows of calls, that is where ``api_mapping`` can find them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import ijson

from airflow_provider_alloincognito.cli.roles import RowField, guess_roles
from airflow_provider_alloincognito.scrubbing import scrub

Path = tuple[str, ...]

ITEM = "[]"
"""Stands for the elements of an array."""
HIDDEN = "*"
"""Stands for a name that may be personal data, such as a phone number."""
DEEPEST = 8
MOST_NAMES = 200
MOST_LINES = 40
FEWEST_ROLES = 2
"""An array whose elements have fields for so many columns is one of calls."""
_KINDS = {"string": "text", "number": "number", "integer": "number", "double": "number", "boolean": "true or false"}
_HASH = re.compile(r"hash|(request|query|task|result)_?id", re.IGNORECASE)
_NAME = re.compile(r"(?!.*\d{5})[\w-]{1,60}")


@dataclass
class Shape:
    """
    What an answer looks like.

    :param kinds: the kind of value at each path, in the answer's order.
    :param counts: how many elements each array has.
    :param is_whole: the answer was read to its end.
    """

    kinds: dict[Path, str] = field(default_factory=dict)
    counts: dict[Path, int] = field(default_factory=dict)
    is_whole: bool = False

    def lines(self) -> list[str]:
        """Return it as an indented outline."""
        shown = []
        for path, kind in self.kinds.items():
            if path and path[-1] == ITEM and kind == "object":
                continue
            depth = len([one for one in path if one != ITEM])
            name = f"{scrub(path[-1])}: " if path and path[-1] != ITEM else ""
            count = f" of {self.counts[path]}" if path in self.counts else ""
            shown.append(f"{'  ' * depth}{name}{kind}{count}")
        return [*shown[:MOST_LINES], *(["..."] if len(shown) > MOST_LINES else [])]

    def rows_paths(self) -> list[Path]:
        """Return where there are arrays that look like rows of calls, the likeliest first."""
        found = []
        for path, kind in self.kinds.items():
            if kind != "array" or not _is_plain(path) or not self.counts.get(path):
                continue
            names = [
                one[-1] for one in self.kinds if len(one) == len(path) + 2 and one[: len(path) + 1] == (*path, ITEM)
            ]
            roles = len(guess_roles([RowField(name) for name in names]))
            if roles >= FEWEST_ROLES:
                found.append((roles, self.counts[path], path))
        return [path for *_, path in sorted(found, key=lambda one: one[:2], reverse=True)]

    def hash_paths(self) -> list[Path]:
        """Return where there are texts that may be the ``requestHash``."""
        return [
            path
            for path, kind in self.kinds.items()
            if kind in ("text", "number") and path and _is_plain(path) and _HASH.search(path[-1])
        ]


def shape_of(body: bytes) -> Shape:
    """
    Return the shape of a JSON text, as far as it can be read.

    :param body: the text; it may be cut off.
    """
    shape = Shape()
    path: list[str] = []
    try:
        for event, value in _events(body):
            if event == "map_key":
                path[-1] = str(value) if _NAME.fullmatch(str(value)) else HIDDEN
            elif event in ("end_map", "end_array"):
                path.pop()
            else:
                _note(shape, tuple(path), event)
                if event in ("start_map", "start_array"):
                    path.append("" if event == "start_map" else ITEM)
        shape.is_whole = True
    except (ijson.JSONError, ValueError, ArithmeticError, RecursionError):
        pass  # what has been read is what can be shown
    return shape


def _is_plain(path: Path) -> bool:
    """Whether a path can be written down: it leads into no array, and all of its names can be shown."""
    return ITEM not in path and HIDDEN not in path


def _events(body: bytes) -> Iterator[tuple[str, object]]:
    return iter(ijson.basic_parse(body, use_float=True))


def _note(shape: Shape, path: Path, event: str) -> None:
    if path and path[-1] == ITEM:
        shape.counts[path[:-1]] = shape.counts.get(path[:-1], 0) + 1
    if len(path) > DEEPEST or (path not in shape.kinds and len(shape.kinds) >= MOST_NAMES):
        return
    kind = {"start_map": "object", "start_array": "array", "null": "null"}.get(event) or _KINDS.get(event, event)
    if shape.kinds.get(path) in (None, "null"):
        shape.kinds[path] = kind
