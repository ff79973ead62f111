"""Compressed text that is the same, byte for byte, whenever the same text is written."""

from __future__ import annotations

import gzip
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO, Literal, cast

from airflow_provider_alloincognito.api.errors import AlloincognitoMissingExtraError

Compression = Literal["gz", "zst"]


def compressed(sink: BinaryIO, compression: Compression | None) -> AbstractContextManager[BinaryIO]:
    """Wrap a file so that what is written to it arrives compressed; the end of the ``with`` leaves it open."""
    if compression == "gz":  # no name and no time of writing in the head
        packed = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=sink, mtime=0)
        return cast("AbstractContextManager[BinaryIO]", packed)
    if compression == "zst":
        try:
            import zstandard
        except ImportError:
            raise AlloincognitoMissingExtraError("A .zst file", "zstd") from None
        return cast(
            "AbstractContextManager[BinaryIO]",
            zstandard.ZstdCompressor(level=3).stream_writer(sink, closefd=False),
        )
    return nullcontext(sink)
