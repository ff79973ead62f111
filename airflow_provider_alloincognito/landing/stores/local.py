"""Whole files in a local or mounted file system: a hidden sibling, then a rename.

A writer holds a lock on its sibling for as long as it lives. The kernel gives the lock up with the process,
SIGKILL included, so a sibling whose lock can be had has lost its writer. Process ids and ages would
not tell: ids are reused and differ between containers, and a slow answer makes a living writer look dead. Where
hosts share a directory but no locks, the run that starts last wins, as in the stores: the other's rename fails.
"""

from __future__ import annotations

import fcntl
import os
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


@contextmanager
def whole_local_file(path: str, *, mode: int, fsync: bool) -> Iterator[BinaryIO]:
    """Write a sibling of ``path`` and rename it at the end of the ``with``; an exception leaves nothing."""
    sibling = os.path.join(os.path.dirname(path), temporary_name(os.path.basename(path)))
    try:  # from before it is there: what ends the task may be raised anywhere
        file = _locked_sibling(path, sibling, mode)
        try:
            yield file
            with explain_local_errors(path):
                file.flush()
                if fsync:
                    os.fsync(file.fileno())
                os.replace(sibling, path)
                file.close()
        finally:
            with suppress(OSError):  # of a file that is thrown away; the first error is the one to tell
                file.close()
    except BaseException as error:
        with suppress(OSError):
            os.unlink(sibling)
        if _is_of_a_write(error):
            raise local_error(path, "write", error) from error
        raise


def _is_of_a_write(error: BaseException) -> TypeGuard[OSError]:
    """A refused write is a plain OSError that names no file; what else may go wrong meanwhile has more of its own."""
    return type(error) is OSError and error.errno is not None and error.filename is None


def _locked_sibling(path: str, sibling: str, mode: int) -> BinaryIO:
    with explain_local_errors(path):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        while True:
            descriptor = os.open(sibling, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            os.fchmod(descriptor, mode)  # whatever the umask took away
            with suppress(OSError):  # a mount without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return open(descriptor, "wb", buffering=BUFFER_BYTES)
            os.close(descriptor)  # another run swept it between its making and its lock


class LocalLeftovers:
    """Siblings in a directory that an earlier run left, by the name of their target."""

    def __init__(self, directory: str) -> None:
        self._siblings: dict[str, list[str]] = defaultdict(list)
        with suppress(OSError), os.scandir(directory or ".") as entries:
            for entry in entries:
                if (target := target_of(entry.name)) is not None:
                    self._siblings[target].append(entry.path)

    def sweep(self, name: str) -> None:
        """Remove those of one target that no living writer holds."""
        for sibling in self._siblings.pop(name, ()):
            _remove_if_abandoned(sibling)

    def sweep_outdated(self, name: str) -> None:
        """Do the same: the locks tell."""
        self.sweep(name)


def _remove_if_abandoned(sibling: str) -> None:
    with suppress(OSError):  # gone by now, or held by its writer
        descriptor = os.open(sibling, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(sibling)
        finally:
            os.close(descriptor)
