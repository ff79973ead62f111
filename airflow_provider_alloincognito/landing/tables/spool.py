"""
Blocks of JSON lines, which can be read more than once.

A schema is inferred from the whole response before the first row is written. Until then the rows are kept on the local
disk, compressed, in a file without a name, so that nothing is left of it even after SIGKILL. Blocks end at the same
rows however the response was cut into batches: the same rows give the same file.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import AlloincognitoTargetError

BLOCK_BYTES = 4 << 20


def cut_blocks(batches: Iterable[RowBatch], block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield rows as JSON lines, in blocks that end after the first row that makes them ``block_bytes`` long."""
    pending = bytearray()
    for batch in batches:
        pending += batch.json_lines()
        while (end := pending.find(b"\n", block_bytes - 1) + 1) > 0:
            yield bytes(memoryview(pending)[:end])
            del pending[:end]
    if pending:
        yield bytes(pending)


class SpooledBlocks:
    """
    Blocks that can be iterated over again. What was read once is kept on the local disk.

    :param blocks: blocks of JSON lines; read only as far as they are needed.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._unread = iter(blocks)
        with _explain_errors():
            self._spool: BinaryIO = tempfile.TemporaryFile(prefix="alloincognito-")  # noqa: SIM115 - closed in __exit__
        self._sizes: list[tuple[int, int]] = []
        self._compress, self._decompress = _codec()

    def __enter__(self) -> SpooledBlocks:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):  # what it could not write any more is not needed
            self._spool.close()

    def __iter__(self) -> Iterator[bytes]:
        offset = 0
        for compressed_size, size in self._sizes:
            with _explain_errors():
                self._spool.seek(offset)
                compressed = self._spool.read(compressed_size)
            offset += compressed_size
            yield self._decompress(compressed, size)
        try:
            for block in self._unread:
                compressed = self._compress(block)
                with _explain_errors():
                    self._spool.seek(offset)
                    self._spool.write(compressed)
                offset += len(compressed)
                self._sizes.append((len(compressed), len(block)))
                yield block
        except Exception as error:  # a generator that raised looks as if it had ended, if it is iterated over again
            self._unread = _raise(error)
            raise


def _raise(error: Exception) -> Iterator[bytes]:
    raise error
    yield


@contextmanager
def _explain_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AlloincognitoTargetError(
            f"Cannot keep the rows in a temporary file in {tempfile.tempdir or 'any temporary folder'}: "
            f"{error.strerror}. They wait there, compressed, until all of them have been read. Free space, or set the "
            "worker's environment variable TMPDIR to a folder with room."
        ) from error


def _codec() -> tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]:
    """Return functions that compress and decompress a block."""
    try:
        import pyarrow
    except ImportError:
        return lambda block: zlib.compress(block, 1), lambda compressed, _: zlib.decompress(compressed)
    codec: Any = pyarrow.Codec("lz4")
    return (
        lambda block: codec.compress(block, asbytes=True),
        lambda compressed, size: codec.decompress(compressed, size, asbytes=True),
    )
