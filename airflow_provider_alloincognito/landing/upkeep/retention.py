"""Delete landed files whose day is past its age: calls and recordings each have their own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from airflow_provider_alloincognito.landing.folders import (
    JOURNAL,
    PeriodFolder,
    calls_folders,
    is_recordings_file,
    listed_folders,
    reconcile_reports,
    recordings_folders,
    remove_file,
    remove_folder,
    stream_folders,
)
from airflow_provider_alloincognito.landing.layout import Layout, is_calls_file
from airflow_provider_alloincognito.landing.manifest import MANIFEST
from airflow_provider_alloincognito.landing.stores import leftovers_in

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deleted:
    """
    What was deleted.

    :param periods: of how many periods.
    :param files: how many files.
    :param bytes: their size.
    """

    periods: int
    files: int
    bytes: int


def delete_calls(layout: Layout, before: date, *, log: logging.Logger = _log) -> Deleted:
    """
    Delete the calls of all periods that ended before a day, oldest first. Run again after it was killed, it goes on.

    With them go the windows that ``alloincognito_stream`` has landed, and what ``alloincognito_reconcile`` has written
    about days as old.

    :param layout: where the files are.
    :param before: the first day that is kept, in the API's zone. A period that is partly older is kept as a whole.
    :param log: gets a line for each period.
    :raises AlloincognitoTargetError: if the store cannot be listed, or does not delete a file.
    """
    deleted = _delete(calls_folders(layout), is_calls_file, before, log)
    copies = [_delete(folders(layout), is_calls_file, before, log) for folders in (stream_folders, listed_folders)]
    files = sum(one.files for one in (deleted, *copies))
    size = sum(one.bytes for one in (deleted, *copies))
    for day, path, of_file in reconcile_reports(layout):
        if day < before:
            remove_file(path)
            files, size = files + 1, size + of_file
    return Deleted(deleted.periods, files, size)


def delete_recordings(layout: Layout, before: date, *, log: logging.Logger = _log) -> Deleted:
    """
    Delete the recordings and manifests of all periods that ended before a day, as :func:`delete_calls` does.

    :param layout: where the files are.
    :param before: the first day that is kept, in the API's zone.
    :param log: gets a line for each period.
    :raises AlloincognitoTargetError: if the store cannot be listed, or does not delete a file.
    """
    return _delete(recordings_folders(layout), is_recordings_file, before, log)


def _delete(folders: list[PeriodFolder], is_own: Callable[[str], bool], before: date, log: logging.Logger) -> Deleted:
    periods = files = size = 0
    for folder in folders:
        if folder.last_day >= before:
            break
        leftovers_in(folder.path)  # removes the unfinished files of landings that were killed
        own = folder.files(is_own)
        # The manifest last: as long as there are recordings, it tells what they are.
        for name in sorted(own, key=lambda one: one in (MANIFEST, JOURNAL)):
            remove_file(folder.path / name)
        remove_folder(folder.path)
        if own:
            log.info("Deleted %s files of %s, %s bytes: %s", len(own), folder.period, sum(own.values()), folder.path)
            periods, files, size = periods + 1, files + len(own), size + sum(own.values())
    return Deleted(periods, files, size)
