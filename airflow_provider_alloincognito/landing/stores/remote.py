"""Whole files in stores: an upload that is only completed at the end, or a sibling and a rename.

What the file systems do, read from their sources: ``s3fs`` completes a multipart upload when it commits and can
abort it; ``gcsfs`` makes an object of a resumable upload with its last chunk and can cancel it; ``adlfs`` stages
blocks that no reader sees until the list of blocks is committed on closing, and Azure drops stale ones. The others
(SFTP, HDFS, SMB, ...) show a file while it grows: there it grows under another name.

No locks here: of two runs that write the same target at once, the one that starts last wins and the other fails.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, BinaryIO, Protocol, cast

from airflow_provider_alloincognito.landing.stores.targets import explain_store_errors, target_of, temporary_name

PART_BYTES = 8 << 20
WRITE_BYTES = 1 << 20

_S3 = frozenset({"s3", "s3a", "s3n"})
_COMMITTING = _S3 | {"gs", "gcs", "abfs", "abfss", "az", "wasb", "wasbs"}


def whole_remote_file(fs: Any, key: str, protocol: str) -> Any:
    """Choose the way in which this store takes a file whole or not at all."""
    return _whole_upload(fs, key) if protocol in _COMMITTING else _renamed_file(fs, key)


@contextmanager
def _whole_upload(fs: Any, key: str) -> Iterator[BinaryIO]:
    upload = _Upload(fs, key)
    try:
        yield cast(BinaryIO, upload)
        upload.commit()
    except BaseException:
        upload.discard()
        raise


class _Upload(io.RawIOBase):
    """What fits into one part goes up in one request, and is whole by that; more becomes an upload in parts."""

    def __init__(self, fs: Any, key: str) -> None:
        self._fs = fs
        self._key = key
        self._first = bytearray()
        self._parts: Any = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with explain_store_errors(self._key):
            if self._parts is None and len(self._first) + len(data) > PART_BYTES:
                self._parts = self._fs.open(self._key, "wb", block_size=PART_BYTES, autocommit=False)
                self._parts.write(self._first)
                self._first = bytearray()
            if self._parts is None:
                self._first += data
            else:
                self._parts.write(data)
        return len(data)

    def commit(self) -> None:
        with explain_store_errors(self._key):
            if self._parts is None:
                self._fs.pipe_file(self._key, bytes(self._first))
            else:
                self._parts.close()
                self._parts.commit()
            self._fs.invalidate_cache(self._key.rpartition("/")[0])

    def discard(self) -> None:
        if self._parts is None:
            return
        with suppress(Exception):  # what is left of it, the next run aborts; the first error is the one to tell
            self._parts.discard()
        self._parts.closed = True  # or the garbage collector would close, and so complete it
        with suppress(Exception):
            self._parts.close()  # adlfs: the file's own client


@contextmanager
def _renamed_file(fs: Any, key: str) -> Iterator[BinaryIO]:
    folder, _, name = key.rpartition("/")
    sibling = f"{folder}/{temporary_name(name)}" if folder else temporary_name(name)
    try:  # from before it is there: what ends the task may be raised anywhere
        with explain_store_errors(key):
            fs.makedirs(folder, exist_ok=True)
            file = fs.open(sibling, "wb")
        with file:
            growing = _Growing(file)
            yield cast(BinaryIO, growing)
            growing.pour()
        with explain_store_errors(key):
            fs.mv(sibling, key)
    except BaseException:
        with suppress(Exception):
            fs.rm_file(sibling)
        raise


class _Growing(io.RawIOBase):
    """Gathers small writes: each is a round trip to the store."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pending += data
        if len(self._pending) >= WRITE_BYTES:
            self.pour()
        return len(data)

    def pour(self) -> None:
        if self._pending:
            self._file.write(bytes(self._pending))
            self._pending.clear()


class Leftovers(Protocol):
    """What earlier runs left unfinished in a folder."""

    def sweep(self, name: str) -> None:
        """Remove what was to become this file."""

    def sweep_outdated(self, name: str) -> None:
        """Remove what was begun before the file that stands was written; another run may be at work on the rest."""


class RemoteLeftovers:
    """
    Uploads and siblings in a store's folder that were never finished, by the name of their target.

    :param name: look for those of this target alone.
    """

    def __init__(self, fs: Any, folder: str, protocol: str, name: str | None = None) -> None:
        self._fs = fs
        self._folder = folder
        self._uploads: dict[str, dict[str, datetime]] = defaultdict(dict)
        self._siblings: dict[str, list[str]] = defaultdict(list)
        if protocol in _S3 and hasattr(fs, "call_s3"):
            self._find_uploads(name or "")
        elif protocol not in _COMMITTING:
            self._find_siblings()

    def sweep(self, name: str) -> None:
        """Remove what was to become this file."""
        for upload in self._uploads.pop(name, ()):
            self._abort(name, upload)
        for sibling in self._siblings.pop(name, ()):
            self._remove(sibling)

    def sweep_outdated(self, name: str) -> None:
        """Remove what was begun before the file that stands was written, by the store's own clock."""
        uploads, siblings = self._uploads.pop(name, {}), self._siblings.pop(name, [])
        if not uploads and not siblings:
            return
        with suppress(Exception):  # where there is no telling, it stays
            written = self._fs.modified(f"{self._folder}/{name}")
            for upload, begun in uploads.items():
                if begun < written or (begun == written and self._has_no_part(name, upload)):
                    self._abort(name, upload)
            for sibling in siblings:
                if self._fs.modified(sibling) < written:
                    self._remove(sibling)

    def _has_no_part(self, name: str, upload: str) -> bool:
        """An upload that was begun twice: its other one may have been begun, and so dated, in the same second."""
        bucket, _, _ = self._folder.partition("/")
        page = self._fs.call_s3("list_parts", Bucket=bucket, Key=self._key(name), UploadId=upload, MaxParts=1)
        return not page.get("Parts")

    def _abort(self, name: str, upload: str) -> None:
        bucket, _, _ = self._folder.partition("/")
        with suppress(Exception):  # finished or aborted by now
            self._fs.abort_mpu(bucket, self._key(name), upload)

    def _remove(self, sibling: str) -> None:
        with suppress(Exception):
            self._fs.rm_file(sibling)

    def _key(self, name: str) -> str:
        _, _, prefix = self._folder.partition("/")
        return f"{prefix}/{name}" if prefix else name

    def _find_uploads(self, name: str) -> None:
        bucket, _, _ = self._folder.partition("/")
        prefix = self._key(name)
        marker: dict[str, str] = {}
        while True:
            with suppress(Exception):  # the right to list uploads is not needed to land a file
                page = self._fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **marker)
                for upload in page.get("Uploads") or ():
                    begun = upload["Initiated"].replace(microsecond=0)  # as exact as what a file's HEAD tells
                    self._uploads[upload["Key"].rpartition("/")[2]][upload["UploadId"]] = begun
                if page.get("IsTruncated"):
                    marker = {
                        "KeyMarker": page["NextKeyMarker"],
                        "UploadIdMarker": page["NextUploadIdMarker"],
                    }
                    continue
            return

    def _find_siblings(self) -> None:
        with suppress(Exception):  # no such folder yet
            for path in self._fs.ls(self._folder, detail=False):
                if (target := target_of(path.rpartition("/")[2])) is not None:
                    self._siblings[target].append(path)
