"""The compressions that may be wrapped around a text format, and the optional extras that formats need."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO, NamedTuple, cast


class Extra(NamedTuple):
    """An optional extra of this package, and the module that it installs."""

    name: str
    module: str


class Compression(NamedTuple):
    """What is wrapped around a file. The end of the ``with`` leaves a compressed file open."""

    extra: Extra | None
    compress: Callable[[BinaryIO], AbstractContextManager[Any]]
    decompress: Callable[[BinaryIO], AbstractContextManager[Any]]


def _gzip_writer(sink: BinaryIO) -> AbstractContextManager[Any]:
    # Without a name and a time in its header, so that the same rows give the same file.
    return gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=sink, mtime=0)


def _zstd_writer(sink: BinaryIO) -> AbstractContextManager[Any]:
    import zstandard

    return zstandard.ZstdCompressor(level=3).stream_writer(sink, closefd=False)


def _gzip_reader(file: BinaryIO) -> AbstractContextManager[Any]:
    if not cast(Any, file).peek(1):
        raise EOFError  # the module takes a file without a byte for an empty text
    return gzip.open(file)


def _zstd_reader(file: BinaryIO) -> AbstractContextManager[Any]:
    return io.BufferedReader(_ZstdText(file))


class _ZstdText(io.RawIOBase):
    """Decompresses a file. The library's own reader takes one that was cut off for one that has ended."""

    def __init__(self, file: BinaryIO) -> None:
        import zstandard

        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._text = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._text and not self._frame.eof:
            if not (chunk := self._file.read(1 << 14)):
                raise EOFError
            self._text = memoryview(self._frame.decompress(chunk))
        count = min(len(buffer), len(self._text))
        buffer[:count] = self._text[:count]
        self._text = self._text[count:]
        return count


UNCOMPRESSED = Compression(None, nullcontext, nullcontext)
COMPRESSIONS = {
    "gz": Compression(None, _gzip_writer, _gzip_reader),
    "zst": Compression(Extra("zstd", "zstandard"), _zstd_writer, _zstd_reader),
}
UNSUPPORTED_COMPRESSIONS = frozenset({"gzip", "zstd", "bz2", "xz", "zip", "lz4", "snappy", "br"})
