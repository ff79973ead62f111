"""A file that appears whole or not at all, wherever it goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from airflow_provider_alloincognito.landing.stores.local import LocalLeftovers, whole_local_file
from airflow_provider_alloincognito.landing.stores.remote import Leftovers, RemoteLeftovers, whole_remote_file
from airflow_provider_alloincognito.landing.stores.targets import Target, local_path, store_of


@contextmanager
def whole_file(
    path: Target, *, mode: int = 0o600, fsync: bool = False, leftovers: Leftovers | None = None
) -> Iterator[BinaryIO]:
    """
    Open a file that appears under its name at the end of the ``with``, or, after an exception, not at all.

    What stood there before stays until then. What a killed run left of the same file is removed first.

    :param path: where it goes; missing parents are made.
    :param mode: its permissions, in a local file system.
    :param fsync: wait for the disk before the rename: for a machine that may lose its power.
    :param leftovers: what :func:`leftovers_in` found in the folder, where many files go to one, or
        :func:`leftovers_of` of a file that is written many times.
    """
    leftovers = leftovers or leftovers_of(path)
    name = local_path(path)
    if name is not None:
        leftovers.sweep(os.path.basename(name))
        with whole_local_file(name, mode=mode, fsync=fsync) as file:
            yield file
    else:
        fs, key = store_of(path)
        leftovers.sweep(key.rpartition("/")[2])
        with whole_remote_file(fs, key, cast(Any, path).protocol) as file:
            yield file


def leftovers_of(path: Target) -> Leftovers:
    """Look once for what earlier runs left unfinished of one file."""
    name = local_path(path)
    if name is not None:
        return LocalLeftovers(os.path.dirname(name))
    fs, key = store_of(path)
    folder, _, base = key.rpartition("/")
    return RemoteLeftovers(fs, folder, cast(Any, path).protocol, base)


def leftovers_in(folder: Target) -> Leftovers:
    """Look once for what earlier runs left unfinished in a folder that many files go to."""
    name = local_path(folder)
    if name is not None:
        return LocalLeftovers(name)
    fs, key = store_of(folder)
    return RemoteLeftovers(fs, key.rstrip("/"), cast(Any, folder).protocol)
