"""Where the daily DAG puts its files, for the tasks that read them: one place for each period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from airflow_provider_alloincognito.landing.stores.targets import Target, explain_store_errors, store_of

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import ObjectStoragePath

CALLS_FILE = "calls.parquet"


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
        return self._root / "calls" / f"date={period}" / CALLS_FILE

    def recordings(self, period: str) -> ObjectStoragePath:
        """Return the folder of a period's recordings."""
        return self._root / "recordings" / f"date={period}"

    def manifest(self, period: str) -> ObjectStoragePath:
        """Return the manifest of a period's recordings."""
        return self.recordings(period) / "manifest.jsonl"

    def days(self) -> list[date]:
        """
        Return the days whose calls have landed, in order. Periods that are no single day are left out.

        :raises AlloincognitoTargetError: if the store cannot be read.
        """
        fs, folder = store_of(self._root / "calls")
        found = []
        with explain_store_errors(folder, "read"):
            fs.invalidate_cache()  # other processes write there
            for path in fs.glob(f"{folder}/date=*/{CALLS_FILE}"):
                name = path.split("/")[-2].removeprefix("date=")
                try:
                    day = date.fromisoformat(name)
                except ValueError:  # a month, or another period
                    continue
                if str(day) == name:  # fromisoformat takes other forms, too
                    found.append(day)
        return sorted(found)

    @property
    def _root(self) -> ObjectStoragePath:
        from airflow_provider_alloincognito.compat import ObjectStoragePath

        return ObjectStoragePath(self.files)
