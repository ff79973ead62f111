"""The folders of periods under the root folder of a daily DAG, and which files in them are this package's own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_alloincognito.landing.layout import PREFIX, Layout, day_of
from airflow_provider_alloincognito.landing.manifest import MANIFEST, journal_name
from airflow_provider_alloincognito.landing.stores.targets import (
    explain_local_errors,
    explain_store_errors,
    local_path,
    store_of,
)

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import ObjectStoragePath

JOURNAL = journal_name(MANIFEST)
RECORDING = re.compile(r"(?P<id>[A-Za-z0-9_-][A-Za-z0-9._-]{0,127})\.(?:mp3|wav|ogg)")
_LONG_PERIOD = re.compile(r"(\d{4})-(\d\d)")
_PART = "%Y-%m-%dT%H-%M-%S"


class PeriodFolder(NamedTuple):
    """
    The folder of a period.

    :param period: its name, as :func:`~airflow_provider_alloincognito.operators.period.period_name` gives it.
    :param last_day: the last day that has a part in it.
    :param path: the folder.
    """

    period: str
    last_day: date
    path: ObjectStoragePath

    def files(self, is_own: Callable[[str], bool]) -> dict[str, int]:
        """Return names and sizes of the files that are this package's own, in order."""
        found = {}
        for name, size in _entries(self.path):
            if size is not None and is_own(name):
                found[name] = size
        return dict(sorted(found.items()))


def calls_folders(layout: Layout) -> list[PeriodFolder]:
    """Return the folders with calls, oldest period first."""
    return _period_folders(layout.all_calls)


def recordings_folders(layout: Layout) -> list[PeriodFolder]:
    """Return the folders with recordings, oldest period first."""
    return _period_folders(layout.all_recordings)


def listed_folders(layout: Layout) -> list[PeriodFolder]:
    """Return the folders with the calls that a run of ``alloincognito_reconcile`` compares, oldest period first."""
    return _period_folders(layout.reconcile / "listed")


def stream_folders(layout: Layout) -> list[PeriodFolder]:
    """Return the folders with the calls that ``alloincognito_stream`` has landed, oldest window first."""
    return _period_folders(layout.stream)


def reconcile_reports(layout: Layout) -> list[tuple[date, ObjectStoragePath, int]]:
    """Return day, path and size of the reports that ``alloincognito_reconcile`` wrote, oldest first."""
    found = []
    for name, size in _entries(layout.reconcile):
        day = last_day_of(name.removesuffix(".jsonl")) if name.endswith(".jsonl") else None
        if day is not None and size is not None:
            found.append((day, layout.reconcile / name, size))
    return sorted(found, key=lambda report: report[0])


def is_recordings_file(name: str) -> bool:
    """Return whether a file of that name, in a folder with recordings, is a recording, the manifest or its journal."""
    return name in (MANIFEST, JOURNAL) or RECORDING.fullmatch(name) is not None


def remove_file(path: ObjectStoragePath) -> None:
    """
    Delete a file, if it is still there.

    :raises AlloincognitoTargetError: if it cannot be deleted.
    """
    name = local_path(path)
    with suppress(FileNotFoundError):
        if name is not None:
            with explain_local_errors(name, "delete", FileNotFoundError):
                os.unlink(name)
            return
        fs, key = store_of(path)
        with explain_store_errors(key, "delete", FileNotFoundError):
            fs.rm_file(key)


def remove_folder(path: ObjectStoragePath) -> None:
    """Delete a folder that has become empty. Object stores have none."""
    name = local_path(path)
    if name is not None:
        with suppress(OSError):  # something else is in it, or it is gone already
            os.rmdir(name)


def _period_folders(parent: ObjectStoragePath) -> list[PeriodFolder]:
    found = []
    for name, size in _entries(parent):
        if size is None and name.startswith(PREFIX):
            period = name.removeprefix(PREFIX)
            if (last_day := last_day_of(period)) is not None:
                found.append(PeriodFolder(period, last_day, parent / name))
    return sorted(found, key=lambda folder: (folder.last_day, folder.period))


def last_day_of(period: str) -> date | None:
    """Return the last day that has a part in a period, by its name; None if it is not the name of one."""
    with suppress(ValueError):
        if month := _LONG_PERIOD.fullmatch(period):
            first = date(int(month[1]), int(month[2]), 1)
            return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        start, is_part, end = period.partition("_")
        if not is_part:
            return day_of(period)
        datetime.strptime(start, _PART)
        return (datetime.strptime(end, _PART) - timedelta(seconds=1)).date()
    return None


def _entries(folder: ObjectStoragePath) -> Iterator[tuple[str, int | None]]:
    """Yield the names in a folder, with the size of each file and None for each folder."""
    fs, key = store_of(folder)
    with suppress(FileNotFoundError), explain_store_errors(key, "list", FileNotFoundError):
        fs.invalidate_cache()  # other processes write there
        for entry in fs.ls(key, detail=True):
            name = str(entry["name"]).rstrip("/").rpartition("/")[2]
            yield name, None if entry["type"] == "directory" else int(entry["size"] or 0)
