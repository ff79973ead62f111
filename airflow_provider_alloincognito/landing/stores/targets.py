"""
Where a file goes: an Airflow ``ObjectStoragePath``, a ``pathlib.Path``, or a local path as text.

First what can be done with such a path, then the names of temporary files, then the errors that explain why a file
cannot be read or written.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import stat
import string
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast
from urllib.parse import quote

from airflow_provider_alloincognito.errors import AlloincognitoLandingError, AlloincognitoTargetError

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import ObjectStoragePath

Target: TypeAlias = "ObjectStoragePath | os.PathLike[str] | str"

LOCAL_PROTOCOLS = frozenset({"", "file", "local"})
# The stores that have several names, and the name that others know them by.
SCHEMES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfs": "abfss", "az": "abfss", "wasb": "wasbs"}


def local_path(target: Target) -> str | None:
    """Return the path in the local file system, or None for a path in another store."""
    protocol = getattr(target, "protocol", None)
    if protocol is not None:
        return str(cast(Any, target).path) if protocol in LOCAL_PROTOCOLS else None
    text = os.fspath(cast("os.PathLike[str] | str", target))
    if text.startswith("file://"):
        return text.removeprefix("file://")
    if "://" in text:
        raise TypeError(f"The path {text} is in another store. Pass an ObjectStoragePath, not a text.")
    return text


def store_of(target: Target) -> tuple[Any, str]:
    """Return the fsspec file system of a path in a store, and the path's key in it."""
    path = cast(Any, target)
    return path.fs, str(path.path)


def address(target: Target) -> str:
    """Return a path as a text that can be opened again; an ``ObjectStoragePath`` includes its connection id."""
    return str(target)


class Location(NamedTuple):
    """
    Where a path leads.

    :param scheme: one for each kind of store: ``file``, ``s3``, ``gs``, ``abfss``, ``wasbs`` or another's own.
    :param bucket: bucket, container or host; empty for a local path.
    :param key: without a slash at its start, but for a local path, which is absolute.
    """

    scheme: str
    bucket: str
    key: str


def location(path: str) -> Location:
    """Return where a path leads, without the id of its Airflow connection."""
    scheme, is_url, rest = path.partition("://")
    if not is_url or scheme in LOCAL_PROTOCOLS:
        return Location("file", "", os.path.abspath(rest if is_url else path))
    host, _, key = rest.partition("/")
    return Location(SCHEMES.get(scheme, scheme), host.rpartition("@")[2], key.lstrip("/"))


def plain_uri(path: str) -> str:
    """Return the URI of a path in ASCII, without the id of its Airflow connection."""
    file = location(path)
    return quote(f"{file.scheme}://{file.bucket}/{file.key.lstrip('/')}", safe=string.punctuation)


def child(folder: Target, name: str) -> Target:
    """Return the path of a file in a folder."""
    if isinstance(folder, str):
        return os.path.join(folder, name)
    return cast("Target", cast(Any, folder) / name)


def size_of(target: Target) -> int | None:
    """Return a file's size in bytes, or None if it does not exist."""
    name = local_path(target)
    try:
        if name is not None:
            return _local_size(name)
        fs, key = _refreshed_store_of(target)
        with explain_store_errors(key, "read", FileNotFoundError):
            return int(fs.info(key)["size"])
    except FileNotFoundError:
        return None


def version_of(target: Target) -> str | None:
    """Return a text that changes when a file is written again, or None if the file does not exist."""
    name = local_path(target)
    try:
        if name is not None:
            with explain_local_errors(name, "read", FileNotFoundError):
                found = os.stat(name)
            return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"
        fs, key = _refreshed_store_of(target)
        with explain_store_errors(key, "read", FileNotFoundError):
            return str(fs.checksum(key))
    except FileNotFoundError:
        return None


def _local_size(name: str) -> int:
    with explain_local_errors(name, "read", FileNotFoundError):
        found = os.stat(name)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        return found.st_size


def _refreshed_store_of(target: Target) -> tuple[Any, str]:
    """Drop cached listings of the folder: another program may have written to it."""
    fs, key = store_of(target)
    fs.invalidate_cache(key.rpartition("/")[0])
    return fs, key


def open_for_reading(target: Target) -> Any:
    """Open a file for reading bytes. Raises FileNotFoundError if it does not exist."""
    name = local_path(target)
    if name is not None:
        return open(name, "rb", opener=_open_regular)
    fs, key = _refreshed_store_of(target)
    with explain_store_errors(key, "read", FileNotFoundError):
        file = fs.open(key, "rb", block_size=4 << 20)
    return io.BufferedReader(_RemoteReader(file, key), 1 << 16)


def _open_regular(path: str, flags: int) -> int:
    """Open a file, but no pipe, whose other end may never come, and no device, which may have no end."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # open() itself refuses a folder
        return descriptor
    os.close(descriptor)
    raise AlloincognitoTargetError(f"Cannot read {path}: Not a regular file.")


class _RemoteReader(io.RawIOBase):
    """Reads a file in a store, and explains the store's errors."""

    def __init__(self, file: Any, key: str) -> None:
        self._file = file
        self._key = key

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with explain_store_errors(self._key, "read"):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._file.close()
        super().close()


_TEMPORARY_NAME = re.compile(r"\.(?P<target>.+)\.\d+-[0-9a-f]{16}\.part", re.DOTALL)


def temporary_name(target: str) -> str:
    """Return a new name for the temporary file that will become ``target``."""
    return f".{target}.{os.getpid()}-{secrets.token_hex(8)}.part"


def target_of(name: str) -> str | None:
    """Return the target of a temporary file, or None if the name is not one of a temporary file."""
    found = _TEMPORARY_NAME.fullmatch(name)
    return found["target"] if found else None


@contextmanager
def explain_store_errors(key: str, verb: str = "write", *but: type[Exception]) -> Iterator[None]:
    """
    Raise an error of a store as one that names the file and the usual causes.

    :param verb: what the store was asked to do with it.
    :param but: errors that are raised as they are.
    """
    try:
        yield
    except Exception as error:  # the library of each store has its own errors
        if isinstance(error, (AlloincognitoLandingError, *but)):
            raise
        message = str(error).partition("\n")[0][:300]
        raise AlloincognitoTargetError(
            f"Cannot {verb} {key} in the store ({type(error).__name__}: {message}). Check that the store can be "
            "reached, that the bucket exists, and that the path's Airflow connection has the right endpoint and "
            "credentials with permission for this."
        ) from error


@contextmanager
def explain_local_errors(path: str, verb: str = "write", *but: type[OSError]) -> Iterator[None]:
    """
    Raise an error of the local file system as one that names the file and the cause.

    :param verb: what was to be done with the file.
    :param but: errors that are raised as they are.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, (AlloincognitoTargetError, *but)):
            raise
        raise local_error(path, verb, error) from error


def local_error(path: str, verb: str, error: OSError) -> AlloincognitoTargetError:
    """Return the error that says what the local file system refused, and why."""
    return AlloincognitoTargetError(f"Cannot {verb} {path}: {error.strerror}.")


@contextmanager
def explain_memory_errors() -> Iterator[None]:
    """Raise an error of this package where the worker has no memory or no thread left. Also a decorator."""
    try:
        yield
    except RuntimeError as error:
        if "new thread" not in str(error):
            raise
        raise AlloincognitoLandingError(
            "The worker cannot start another thread, so the run ended; what has landed is kept. Lower concurrency, or "
            "raise the worker's limit of threads and processes (ulimit -u, the container's limit of PIDs)."
        ) from error
    except MemoryError as error:
        raise AlloincognitoLandingError(
            "The worker ran out of memory while a response was landed; nothing appeared under the file's name. Landing "
            "needs memory for the longest single row and for each recording that is fetched at a time, not for their "
            "number: give the worker more, lower concurrency, or bound responses with max_response_bytes."
        ) from error
