"""JSON lines: the rows as the server wrote them, one a line. They are not decoded on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import msgspec


def write_json_lines(blocks: Iterable[bytes], sink: BinaryIO, **_: object) -> None:
    """Write rows."""
    for block in blocks:
        sink.write(block)


def read_json_lines_ids(file: BinaryIO, field: str) -> Iterator[Any]:
    """Yield the values of a field; raise KeyError after the last row if no row had it."""
    row: Any = msgspec.defstruct("Row", [("id", Any, msgspec.UNSET)], rename={"id": field})
    decoder = msgspec.json.Decoder[Any](row)
    has_rows = has_field = False
    for line in file:
        has_rows = True
        value = decoder.decode(line).id
        if value is not msgspec.UNSET:
            has_field = True
            yield value
    if has_rows and not has_field:
        raise KeyError(field, *msgspec.json.decode(line, type=dict[str, msgspec.Raw]))


def count_json_lines(file: BinaryIO) -> int:
    """Return how many rows there are."""
    return sum(1 for _ in file)
