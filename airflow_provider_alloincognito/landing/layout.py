"""Where the daily DAG puts its files, for the tasks that read them: one place for each period."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from airflow_provider_alloincognito.errors import AlloincognitoFormatError
from airflow_provider_alloincognito.landing.formats import file_format_of
from airflow_provider_alloincognito.landing.manifest import MANIFEST
from airflow_provider_alloincognito.landing.stores.targets import Target, explain_store_errors, store_of

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import ObjectStoragePath

CALLS_FILE = "calls.parquet"
PREFIX = "date="


@dataclass(frozen=True)
class Layout:
    """
    The files of the daily DAG.

    A period is named as :func:`~airflow_provider_alloincognito.operators.period.period_name` does, a day by its date:
    ``2026-03-01``.

    :param files: the root folder, ``FILES`` in the daily DAG.
    """

    files: Target

    def calls(self, period: str) -> ObjectStoragePath:
        """Return the file of a period's calls."""
        return self.all_calls / f"{PREFIX}{period}" / CALLS_FILE

    def recordings(self, period: str) -> ObjectStoragePath:
        """Return the folder of a period's recordings."""
        return self.all_recordings / f"{PREFIX}{period}"

    def manifest(self, period: str) -> ObjectStoragePath:
        """Return the manifest of a period's recordings."""
        return self.recordings(period) / MANIFEST

    def days(self) -> list[date]:
        """
        Return the days whose calls have landed, in order. Periods that are no single day are left out.

        :raises AlloincognitoTargetError: if the store cannot be read.
        """
        days = (day_of(period) for period, path in self.landed_calls() if path.name == CALLS_FILE)
        return sorted(day for day in days if day is not None)

    def landed_calls(self) -> Iterator[tuple[str, ObjectStoragePath]]:
        """
        Yield the period of each file of calls, and the file, whatever its format.

        By one listing where the store can list a whole tree.

        :raises AlloincognitoTargetError: if the store cannot be read.
        """
        fs, key = store_of(self.all_calls)
        with explain_store_errors(key, "read"):
            fs.invalidate_cache()  # other processes write there
            paths = sorted(fs.find(key))
        for path in paths:
            *_, parent, period, name = path.split("/")
            if parent == self.all_calls.name and period.startswith(PREFIX) and is_calls_file(name):
                yield period.removeprefix(PREFIX), self.all_calls / period / name

    @property
    def all_calls(self) -> ObjectStoragePath:
        """The folder with a folder of calls for each period."""
        return self._root / "calls"

    @property
    def all_recordings(self) -> ObjectStoragePath:
        """The folder with a folder of recordings for each period."""
        return self._root / "recordings"

    @property
    def stream(self) -> ObjectStoragePath:
        """The folder with a folder of calls for each window that ``alloincognito_stream`` has landed."""
        return self._root / "stream"

    @property
    def reconcile(self) -> ObjectStoragePath:
        """The folder in which ``alloincognito_reconcile`` keeps what it compares, and its reports."""
        return self._root / "reconcile"

    @property
    def _root(self) -> ObjectStoragePath:
        from airflow_provider_alloincognito.compat import ObjectStoragePath

        return ObjectStoragePath(self.files)


def day_of(period: str) -> date | None:
    """Return the day that a period is, by its name; None if it is not a day."""
    with suppress(ValueError):
        day = date.fromisoformat(period)
        return day if str(day) == period else None  # fromisoformat takes other forms, too
    return None


def is_calls_file(name: str) -> bool:
    """Return whether a file of that name, in a folder with calls, is one that landed."""
    with suppress(AlloincognitoFormatError):
        return name.startswith("calls.") and bool(file_format_of(name))
    return False
