"""JSON lines: the rows as the server wrote them, one a line. They are not decoded on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import msgspec


def write_json_lines(blocks: Iterable[bytes], sink: BinaryIO, **_: object) -> None:
    """Write rows."""
    for block in blocks:
        sink.write(block)


def read_json_lines(file: BinaryIO, fields: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield each row's values of some fields; raise KeyError after the last row if no row had one of them."""
    return (values for _, values in _records(file, fields))


def filter_json_lines(
    source: BinaryIO, sink: BinaryIO, fields: Sequence[str], keep: Callable[[tuple[Any, ...]], bool]
) -> None:
    """Copy the rows that are to be kept, byte by byte."""
    for line, values in _records(source, fields):
        if keep(values):
            sink.write(line)


def _records(file: BinaryIO, fields: Sequence[str]) -> Iterator[tuple[bytes, tuple[Any, ...]]]:
    """Yield each line, and its values of some fields: None for one that the row does not have."""
    names = {f"field_{number}": field for number, field in enumerate(fields)}
    row: Any = msgspec.defstruct("Row", [(name, Any, msgspec.UNSET) for name in names], rename=names)
    decoder = msgspec.json.Decoder[Any](row)
    line = None
    missing = set(fields)
    for line in file:
        values = msgspec.structs.astuple(decoder.decode(line))
        if missing:
            missing.difference_update(
                field for field, value in zip(fields, values, strict=True) if value is not msgspec.UNSET
            )
        yield line, tuple(None if value is msgspec.UNSET else value for value in values)
    if line is not None and missing:
        columns = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        raise KeyError(next(field for field in fields if field in missing), *columns)
