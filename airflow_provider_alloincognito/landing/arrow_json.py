"""pyarrow's JSON reader, kept from guessing and from what it does not survive."""

from __future__ import annotations

from typing import Any


def read_window(window: bytes, explicit_schema: Any = None) -> Any:
    """
    Read a window of JSON lines into a table.

    :param explicit_schema: the only fields that are taken; None has fields and types inferred.
    :return: None where pyarrow cannot read the window so; it may still be in order.
    """
    import pyarrow
    import pyarrow.json

    if window.startswith(b"null\n") or b"\nnull\n" in window:
        return None  # a top-level null kills the process: pyarrow 26
    read_options = pyarrow.json.ReadOptions(use_threads=False, block_size=len(window) + 1)
    parse_options = pyarrow.json.ParseOptions(
        explicit_schema=explicit_schema,
        unexpected_field_behavior="infer" if explicit_schema is None else "error",
    )
    try:
        # The default pool holds on to what earlier windows needed.
        pool = pyarrow.system_memory_pool()
        return pyarrow.json.read_json(pyarrow.BufferReader(window), read_options, parse_options, memory_pool=pool)
    except pyarrow.ArrowException:
        return None
