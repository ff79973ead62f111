"""
Write whole files in a local or mounted file system: to a hidden temporary file, which is renamed at the end.

A writer holds a lock on its temporary file. The kernel releases the lock when the process ends, even by SIGKILL, so a
temporary file that can be locked has lost its writer. Process ids and ages would not show that: ids are reused and
differ between containers, and a writer that waits for a slow response looks dead. Where hosts share a directory but
no locks, the run that starts last wins, as in remote stores: the other's rename fails.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TypeGuard

from airflow_provider_alloincognito.landing.stores.targets import (
    explain_local_errors,
    local_error,
    target_of,
    temporary_name,
)

BUFFER_BYTES = 1 << 16
MODE = 0o600


@contextmanager
def whole_local_file(path: str) -> Iterator[BinaryIO]:
    """Write a temporary file and rename it to ``path`` at the end of the ``with``; after an exception delete it."""
    temporary = os.path.join(os.path.dirname(path), temporary_name(os.path.basename(path)))
    try:  # before the file exists: a signal handler may raise anywhere
        file = _open_locked(path, temporary)
        try:
            yield file
            with explain_local_errors(path):
                file.flush()
                # A share may tell only at a close that it had no room; the lock stays with the other descriptor.
                os.close(os.dup(file.fileno()))
                os.replace(temporary, path)
                file.close()
        finally:
            with suppress(OSError):  # the file is deleted anyway, and the first error is the one to report
                file.close()
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if _is_failed_write(error):
            raise local_error(path, "write", error) from error
        raise


def _is_failed_write(error: BaseException) -> TypeGuard[OSError]:
    """A failed write raises a plain OSError without a file name; other errors in the ``with`` have more than that."""
    return type(error) is OSError and error.errno is not None and error.filename is None


def _open_locked(path: str, temporary: str) -> BinaryIO:
    with explain_local_errors(path):
        while True:
            descriptor = _create(temporary)
            try:
                with suppress(OSError):  # a mount without locks
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                found = os.fstat(descriptor)
                if stat.S_IMODE(found.st_mode) != MODE:  # the umask's doing
                    with suppress(OSError):  # a mount with its own rights
                        os.fchmod(descriptor, MODE)
                if found.st_nlink:
                    _raise_if_full(descriptor)
                    return open(descriptor, "wb", buffering=BUFFER_BYTES)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # another run removed it between its creation and its lock


def _create(temporary: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(temporary, flags, MODE)
    except FileNotFoundError:  # to ask for the directory each time costs threads more than all else here
        os.makedirs(os.path.dirname(temporary) or ".", exist_ok=True)
        return os.open(temporary, flags, MODE)


def _raise_if_full(descriptor: int) -> None:
    """Notice a full disk before anything is downloaded for it."""
    try:
        found = os.fstatvfs(descriptor)
        if found.f_blocks and not found.f_bavail:  # not to be trusted: some shares always say so
            os.pwrite(descriptor, b"-", 0)
            os.ftruncate(descriptor, 0)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise


ABANDONED_SECONDS = 24 * 3600.0
"""What was not written to for so long has no writer, even where locks do not show it."""


class LocalLeftovers:
    """
    Temporary files that earlier runs left in a directory, by the name of their target.

    Old ones are removed at once: perhaps nobody writes that target again.
    """

    def __init__(self, directory: str) -> None:
        self._temporary: dict[str, list[str]] = defaultdict(list)
        with suppress(OSError), os.scandir(directory or ".") as entries:
            for entry in entries:
                if (target := target_of(entry.name)) is not None and not _was_old_and_removed(entry):
                    self._temporary[target].append(entry.path)

    def remove(self, name: str) -> None:
        """Remove those of one target that have no living writer."""
        for temporary in self._temporary.pop(name, ()):
            _remove_if_abandoned(temporary)

    def remove_outdated(self, name: str) -> None:
        """Do the same: here the locks show which are outdated."""
        self.remove(name)


def _was_old_and_removed(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # already removed
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED_SECONDS:
            return _remove_if_abandoned(entry.path, without_locks=True)
    return False


def _remove_if_abandoned(temporary: str, *, without_locks: bool = False) -> bool:
    """Remove a file that no writer has locked; one that cannot be locked only if locks are not asked for."""
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(temporary)
        finally:
            os.close(descriptor)
    except BlockingIOError:
        return False
    except OSError:
        if not without_locks:
            return False
        os.unlink(temporary)
    return True
