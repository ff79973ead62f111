"""Where a file goes: an Airflow ``ObjectStoragePath``, a ``pathlib.Path``, or a plain local path."""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from airflow_provider_alloincognito.errors import AlloincognitoLandingError, AlloincognitoTargetError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

_SIBLING = re.compile(r"\.(?P<target>.+)\.\d+-[0-9a-f]{16}\.part", re.DOTALL)


def temporary_name(target: str) -> str:
    """Make up a name for an unfinished file that will become ``target``."""
    return f".{target}.{os.getpid()}-{secrets.token_hex(8)}.part"


def target_of(name: str) -> str | None:
    """Say of which file this is an unfinished sibling; None if it is none."""
    found = _SIBLING.fullmatch(name)
    return found["target"] if found else None


@contextmanager
def explain_store_errors(key: str, does: str = "take", *but: type[Exception]) -> Iterator[None]:
    """
    Say that a store does not take a file, or whatever it was to do with it, in the store's own words.

    :param but: errors that the caller knows better.
    """
    try:
        yield
    except Exception as error:  # each store's library has errors of its own
        if isinstance(error, (AlloincognitoLandingError, *but)):
            raise
        said = str(error).partition("\n")[0][:300]
        raise AlloincognitoTargetError(
            f"The store does not {does} {key} ({type(error).__name__}: {said}). Usual causes: it cannot be reached, "
            "the path's Airflow connection holds other credentials or another endpoint, they lack the right, "
            "or the bucket does not exist"
        ) from error


@contextmanager
def explain_local_errors(path: str, does: str = "write", *but: type[OSError]) -> Iterator[None]:
    """
    Say which file cannot be written, or whatever was to be done with it, and why.

    :param but: errors that the caller knows better.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, (AlloincognitoTargetError, *but)):
            raise
        raise local_error(path, does, error) from error


def local_error(path: str, does: str, error: OSError) -> AlloincognitoTargetError:
    """Make the error for what a file system refused."""
    return AlloincognitoTargetError(f"Cannot {does} {path}: {error.strerror}")


Target: TypeAlias = "ObjectStoragePath | os.PathLike[str] | str"

LOCAL_PROTOCOLS = frozenset({"", "file", "local"})


def local_path(target: Target) -> str | None:
    """Give the path in the local file system, or None for a path in another store."""
    protocol = getattr(target, "protocol", None)
    if protocol is not None:
        return str(cast(Any, target).path) if protocol in LOCAL_PROTOCOLS else None
    text = os.fspath(cast("os.PathLike[str] | str", target))
    if text.startswith("file://"):
        return text.removeprefix("file://")
    if "://" in text:
        raise TypeError(f"Hand in an ObjectStoragePath, not a text, for a path in another store: {text}")
    return text


def store_of(target: Target) -> tuple[Any, str]:
    """Give the fsspec file system of a path in a store, and the path's key in it."""
    place = cast(Any, target)
    return place.fs, str(place.path)


def address(target: Target) -> str:
    """Write a path so that it can be opened again; Airflow's paths bring their connection id."""
    return str(target)


def child(folder: Target, name: str) -> Target:
    """Give the path of a file in a folder."""
    if isinstance(folder, str):
        return os.path.join(folder, name)
    return cast("Target", cast(Any, folder) / name)


def size_of(target: Target) -> int | None:
    """Ask for a file's size; None where there is no file."""
    name = local_path(target)
    try:
        if name is not None:
            return _local_size(name)
        fs, key = _now_in_store(target)
        with explain_store_errors(key, "give", FileNotFoundError):
            return int(fs.info(key)["size"])
    except FileNotFoundError:
        return None


def _local_size(name: str) -> int:
    with explain_local_errors(name, "read", FileNotFoundError):
        found = os.stat(name)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        return found.st_size


def _now_in_store(target: Target) -> tuple[Any, str]:
    """Forget what was listed: somebody else may have written since."""
    fs, key = store_of(target)
    fs.invalidate_cache(key.rpartition("/")[0])
    return fs, key


def open_for_reading(target: Target) -> Any:
    """Open a file for reading bytes."""
    name = local_path(target)
    if name is not None:
        return open(name, "rb")
    fs, key = _now_in_store(target)
    with explain_store_errors(key, "give", FileNotFoundError):
        file = fs.open(key, "rb", block_size=4 << 20)
    return io.BufferedReader(_StoredBytes(file, key), 1 << 16)


class _StoredBytes(io.RawIOBase):
    """Passes on what a store gives, and explains it where that ends too early."""

    def __init__(self, file: Any, key: str) -> None:
        self._file = file
        self._key = key

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with explain_store_errors(self._key, "give"):
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
