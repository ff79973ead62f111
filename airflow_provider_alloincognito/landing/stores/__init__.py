"""Write files that appear whole or not at all, in a local file system or in a store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeAlias, cast

from airflow_provider_alloincognito.landing.stores.local import LocalLeftovers, whole_local_file
from airflow_provider_alloincognito.landing.stores.remote import RemoteLeftovers, whole_remote_file
from airflow_provider_alloincognito.landing.stores.targets import Target, local_path, store_of

Leftovers: TypeAlias = LocalLeftovers | RemoteLeftovers
"""What earlier runs left unfinished in a folder."""


@contextmanager
def whole_file(path: Target, *, leftovers: Leftovers | None = None) -> Iterator[BinaryIO]:
    """
    Open a file that appears at the end of the ``with``, or after an exception not at all.

    An existing file stays until then. What a killed run left of the same file is removed first.

    :param path: the file; missing parent folders are created. Only the owner may read a local file.
    :param leftovers: the result of :func:`leftovers_in` if many files are written to one folder, or of
        :func:`leftovers_of` if one file is written many times; by default the folder is searched.
    :raises AlloincognitoTargetError: if the file cannot be written.
    """
    leftovers = leftovers or leftovers_of(path)
    name = local_path(path)
    if name is not None:
        leftovers.remove(os.path.basename(name))
        with whole_local_file(name) as file:
            yield file
    else:
        fs, key = store_of(path)
        leftovers.remove(key.rpartition("/")[2])
        with whole_remote_file(fs, key, cast(Any, path).protocol) as file:
            yield file


def leftovers_of(path: Target) -> Leftovers:
    """Search once for what earlier runs left unfinished of one file."""
    name = local_path(path)
    if name is not None:
        return LocalLeftovers(os.path.dirname(name))
    fs, key = store_of(path)
    folder, _, base = key.rpartition("/")
    return RemoteLeftovers(fs, folder, cast(Any, path).protocol, base)


def leftovers_in(folder: Target) -> Leftovers:
    """Search once for what earlier runs left unfinished in a folder."""
    name = local_path(folder)
    if name is not None:
        return LocalLeftovers(name)
    fs, key = store_of(folder)
    return RemoteLeftovers(fs, key.rstrip("/"), cast(Any, folder).protocol)
