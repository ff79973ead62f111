"""
Write whole files in stores: by an upload that is only completed at the end, or by a temporary file and a rename.

What the file systems do, read from their sources: ``s3fs`` completes a multipart upload when it commits and can
abort it; ``gcsfs`` makes an object of a resumable upload with its last chunk and can cancel it; ``adlfs`` stages
blocks that no reader sees until the list of blocks is committed on closing, and Azure drops stale ones. The others
(SFTP, HDFS, SMB, ...) show a file while it grows, so it is written under a temporary name.

There are no locks: if two runs write the same target at once, the one that starts last wins and the other fails.
"""

from __future__ import annotations

import io
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, cast

from airflow_provider_alloincognito.landing.stores.targets import explain_store_errors, target_of, temporary_name

ABANDONED = timedelta(days=1)
PART_BYTES = 8 << 20
WRITE_BYTES = 1 << 20
DISCARD_SECONDS = 3.0
"""Airflow kills a stopped task after 5 seconds."""

_S3 = frozenset({"s3", "s3a", "s3n"})
_COMMITTING = _S3 | {"gs", "gcs", "abfs", "abfss", "az", "wasb", "wasbs"}


def whole_remote_file(fs: Any, key: str, protocol: str) -> AbstractContextManager[BinaryIO]:
    """Open a file that appears whole or not at all, by what its store supports."""
    return _uploaded_file(fs, key) if protocol in _COMMITTING else _renamed_file(fs, key)


class RemoteLeftovers:
    """
    Unfinished uploads and temporary files in a store's folder, by the name of their target. Old ones are removed.

    :param name: search only for those of this file.
    """

    def __init__(self, fs: Any, folder: str, protocol: str, name: str | None = None) -> None:
        self._fs = fs
        self._folder = folder
        self._bucket, _, self._prefix = folder.partition("/")
        self._uploads: dict[str, dict[str, datetime]] = defaultdict(dict)
        self._temporary: dict[str, list[str]] = defaultdict(list)
        if protocol in _S3 and hasattr(fs, "call_s3"):
            self._find_uploads(name or "")
        elif protocol not in _COMMITTING:
            self._find_temporary_files()
        self._remove_old()

    def remove(self, name: str) -> None:
        """Remove the leftovers of one file."""
        for upload in self._uploads.pop(name, ()):
            self._abort(name, upload)
        for temporary in self._temporary.pop(name, ()):
            self._delete(temporary)

    def remove_outdated(self, name: str) -> None:
        """Remove those that are older than the file itself; another run may be writing the newer ones."""
        uploads, temporary_files = self._uploads.pop(name, {}), self._temporary.pop(name, [])
        if not uploads and not temporary_files:
            return
        with suppress(Exception):  # if their age is unknown, they stay; it is by the store's own clock
            written = self._fs.modified(f"{self._folder}/{name}")
            for upload, begun in uploads.items():
                if begun < written or (begun == written and self._has_no_part(name, upload)):
                    self._abort(name, upload)
            for temporary in temporary_files:
                if self._fs.modified(temporary) < written:
                    self._delete(temporary)

    def _remove_old(self) -> None:
        """Remove what is so old that it has no writer: perhaps nobody writes that file again."""
        oldest = datetime.now(UTC) - ABANDONED
        for name, uploads in self._uploads.items():
            for upload in [upload for upload, begun in uploads.items() if begun < oldest]:
                self._abort(name, upload)
                del uploads[upload]
        for temporary in [path for paths in self._temporary.values() for path in paths]:
            with suppress(Exception):  # if its age is unknown, it stays
                if self._fs.modified(temporary) < oldest:
                    self._delete(temporary)

    def _has_no_part(self, name: str, upload: str) -> bool:
        """A file's upload may have been begun twice in one second, if the first response was lost."""
        page = self._fs.call_s3("list_parts", Bucket=self._bucket, Key=self._key(name), UploadId=upload, MaxParts=1)
        return not page.get("Parts")

    def _abort(self, name: str, upload: str) -> None:
        with suppress(Exception):  # already completed or aborted
            self._fs.abort_mpu(self._bucket, self._key(name), upload)

    def _delete(self, temporary: str) -> None:
        with suppress(Exception):
            self._fs.rm_file(temporary)

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _find_uploads(self, name: str) -> None:
        marker: dict[str, str] = {}
        with suppress(Exception):  # landing a file does not need the permission to list uploads
            while True:
                page = self._fs.call_s3("list_multipart_uploads", Bucket=self._bucket, Prefix=self._key(name), **marker)
                for upload in page.get("Uploads") or ():
                    begun = upload["Initiated"].replace(microsecond=0)  # as precise as a file's modification time
                    base = upload["Key"].rpartition("/")[2]
                    if upload["Key"] == self._key(base):  # and not in a folder below
                        self._uploads[base][upload["UploadId"]] = begun
                if not page.get("IsTruncated"):
                    return
                marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def _find_temporary_files(self) -> None:
        with suppress(Exception):  # the folder does not exist yet
            for path in self._fs.ls(self._folder, detail=False):
                if (target := target_of(path.rpartition("/")[2])) is not None:
                    self._temporary[target].append(path)


@contextmanager
def _uploaded_file(fs: Any, key: str) -> Iterator[BinaryIO]:
    upload = _Upload(fs, key)
    try:
        yield cast(BinaryIO, upload)
        upload.commit()
    except BaseException:
        upload.discard()
        raise


class _Upload(io.RawIOBase):
    """
    Uploads a file in one request if it fits into one part, else in parts.

    A signal's handler may raise in the main thread at any time, also while the store begins an upload whose id nobody
    would ever learn then. So the main thread has another one make such requests, and waits for it.
    """

    def __init__(self, fs: Any, key: str) -> None:
        self._fs = fs
        self._key = key
        self._first = bytearray()
        self._parts: Any = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="upload")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with explain_store_errors(self._key):
            if self._parts is None and len(self._first) + len(data) > PART_BYTES:
                self._parts = self._fs.open(self._key, "wb", block_size=PART_BYTES, autocommit=False)
                self._call(self._parts.write, self._first)
                self._first = bytearray()
            if self._parts is None:
                self._first += data
            else:
                self._call(self._parts.write, data)
        return len(data)

    def commit(self) -> None:
        with explain_store_errors(self._key):
            if self._parts is None:
                self._fs.pipe_file(self._key, bytes(self._first))
            else:
                self._call(self._parts.close)
                self._call(self._parts.commit)
            self._fs.invalidate_cache(self._key.rpartition("/")[0])
        self._thread.shutdown(wait=False)

    def discard(self) -> None:
        if self._parts is None:
            return
        with suppress(TimeoutError):  # until the call that a signal left has ended
            self._call(lambda: None, seconds=DISCARD_SECONDS)
        with suppress(Exception):  # the next run aborts what is left, and the first error is the one to report
            self._parts.discard()
        self._thread.shutdown(wait=False)
        self._parts.closed = True  # else the garbage collector would close the file, and so complete it
        with suppress(Exception):
            self._parts.close()  # adlfs: closes the file's own client

    def _call(self, call: Callable[..., object], *arguments: object, seconds: float | None = None) -> None:
        if threading.current_thread() is threading.main_thread():
            self._thread.submit(call, *arguments).result(seconds)
        else:
            call(*arguments)


@contextmanager
def _renamed_file(fs: Any, key: str) -> Iterator[BinaryIO]:
    folder, _, name = key.rpartition("/")
    temporary = f"{folder}/{temporary_name(name)}" if folder else temporary_name(name)
    try:  # before the file exists: a signal handler may raise anywhere
        with explain_store_errors(key):
            fs.makedirs(folder, exist_ok=True)
            file = fs.open(temporary, "wb")
        buffered = _BufferedWriter(file, key)
        try:
            yield cast(BinaryIO, buffered)
            buffered.flush_pending()
        except BaseException:
            with suppress(Exception):  # the file is deleted anyway, and the first error is the one to report
                file.close()
            raise
        with explain_store_errors(key):
            file.close()
            fs.mv(temporary, key)
    except BaseException:
        with suppress(Exception):
            fs.rm_file(temporary)
        raise


class _BufferedWriter(io.RawIOBase):
    """Collects small writes, because each one is a round trip to the store. Closing it writes nothing more."""

    def __init__(self, file: Any, key: str) -> None:
        self._file = file
        self._key = key
        self._pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pending += data
        if len(self._pending) >= WRITE_BYTES:
            self.flush_pending()
        return len(data)

    def flush_pending(self) -> None:
        if self._pending:
            with explain_store_errors(self._key):
                self._file.write(bytes(self._pending))
            self._pending.clear()
