"""Rows in windows of JSON lines that can be gone through twice.

A schema is inferred over the whole answer before its first row can be written, so the answer waits on the local
disk, compressed, in a file without a name: nothing is left of it even after SIGKILL. Windows are cut at
the same rows however the answer arrived in batches: the same rows give the same file.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from airflow_provider_alloincognito.api.answer.rows import RowBatch

WINDOW_BYTES = 4 << 20


def cut_blocks(batches: Iterable[RowBatch], window_bytes: int = WINDOW_BYTES) -> Iterator[bytes]:
    """Cut the rows, as JSON lines, after the first row that fills a window."""
    pending = bytearray()
    for batch in batches:
        pending += batch.json_lines()
        while (end := pending.find(b"\n", window_bytes - 1) + 1) > 0:
            yield bytes(memoryview(pending)[:end])
            del pending[:end]
    if pending:
        yield bytes(pending)


class SpooledBlocks:
    """
    Windows that may be gone through again; what was met the first time is kept on the local disk.

    :param windows: JSON lines in windows; taken no faster than they are asked for.
    """

    def __init__(self, windows: Iterable[bytes]) -> None:
        self._arriving = iter(windows)
        self._spool: BinaryIO = tempfile.TemporaryFile(prefix="alloincognito-")  # noqa: SIM115 - see __exit__
        self._sizes: list[tuple[int, int]] = []
        self._pack, self._unpack = _packing()

    def __enter__(self) -> SpooledBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def __iter__(self) -> Iterator[bytes]:
        offset = 0
        for packed_size, size in self._sizes:
            self._spool.seek(offset)
            offset += packed_size
            yield self._unpack(self._spool.read(packed_size), size)
        for window in self._arriving:
            packed = self._pack(window)
            self._spool.seek(offset)
            self._spool.write(packed)
            offset += len(packed)
            self._sizes.append((len(packed), len(window)))
            yield window


def _packing() -> tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]:
    try:
        import pyarrow
    except ImportError:
        return lambda window: zlib.compress(window, 1), lambda packed, _: zlib.decompress(packed)
    codec: Any = pyarrow.Codec("lz4")
    return (
        lambda window: codec.compress(window, asbytes=True),
        lambda packed, size: codec.decompress(packed, size, asbytes=True),
    )
