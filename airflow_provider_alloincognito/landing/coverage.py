"""What has landed of each day: is its file there, with how many calls, and with how many of their recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from statistics import median

from airflow_provider_alloincognito.errors import AlloincognitoTargetError
from airflow_provider_alloincognito.landing.folders import recordings_folders
from airflow_provider_alloincognito.landing.formats import count_rows
from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.manifest import read_manifest
from airflow_provider_alloincognito.landing.stores.targets import Target, size_of

FAR = 2
"""A count is far from its weekday's median if one is more than so many times the other."""
SMALL = 5
"""A difference of fewer calls is chance: in a small office, one call on a Sunday and three on the next."""
FEWEST_WEEKDAYS = 3
"""A median of fewer other days says nothing."""
FILES_AT_A_TIME = 16


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """
    What has landed of a day.

    :param day: the day.
    :param calls: how many calls its file has; None if there is no file, or it cannot be read.
    :param error: why the file, or the manifest of the recordings, cannot be read.
    :param wanted: how many recordings its manifest lists; None if there is no manifest.
    :param failed: how many of those failed.
    :param usual: the median of the calls of the same weekday's other days; None if fewer than 3 of them have landed.
    """

    day: date
    calls: int | None = None
    error: str | None = None
    wanted: int | None = None
    failed: int = 0
    usual: float | None = None

    @property
    def landed(self) -> int | None:
        """How many recordings have landed; None if there is no manifest."""
        return None if self.wanted is None else self.wanted - self.failed

    @property
    def is_missing(self) -> bool:
        """Whether no file of calls is there."""
        return self.calls is None and self.error is None

    @property
    def is_short(self) -> bool:
        """Whether there are fewer than half as many calls as is usual on this weekday, and at least 5 fewer."""
        if self.calls is None or self.usual is None:
            return False
        return self.calls * FAR < self.usual and self.usual - self.calls >= SMALL

    @property
    def is_unusual(self) -> bool:
        """Whether there are fewer than half or more than twice as many calls as is usual, and not by chance."""
        if self.is_short or not (self.calls and self.usual):
            return self.is_short
        return self.calls > self.usual * FAR and self.calls - self.usual >= SMALL


def read_coverage(
    files: Target, first: date, after: date, *, recordings: bool = True, threads: int = FILES_AT_A_TIME
) -> list[DayCoverage]:
    """
    Return what has landed of each day, in order. No call is read where the format allows it, and no recording.

    :param files: the root folder, ``FILES`` in the daily DAG. Files of calls may have any format.
    :param first: the first day.
    :param after: the day after the last.
    :param recordings: whether to read the manifests of recordings.
    :param threads: how many files are read at a time.
    :raises AlloincognitoTargetError: if the store cannot be read.
    """
    layout = Layout(files)
    # What is in a folder of recordings is not listed: it may be thousands.
    recorded = {folder.period for folder in recordings_folders(layout)} if recordings else set()
    look_at = partial(_look_at, layout, dict(layout.landed_calls()), recorded)
    days = [first + timedelta(days=number) for number in range((after - first).days)]
    with ThreadPoolExecutor(threads, thread_name_prefix="coverage") as pool:
        found = list(pool.map(look_at, days))
    return list(with_usual(found))


def with_usual(days: Iterable[DayCoverage]) -> Iterator[DayCoverage]:
    """Yield each day with the median of the calls of the same weekday's other days, if 3 of them have landed."""
    days = list(days)
    for day in days:
        others = [
            other.calls
            for other in days
            if other.calls is not None and other.day != day.day and other.day.weekday() == day.day.weekday()
        ]
        yield replace(day, usual=median(others)) if len(others) >= FEWEST_WEEKDAYS else day


def _look_at(layout: Layout, calls: Mapping[str, Target], recorded: Collection[str], day: date) -> DayCoverage:
    period = str(day)
    found = DayCoverage(day)
    try:
        if period in recorded:
            found = _with_recordings(found, layout.manifest(period))
        if period in calls:
            found = replace(found, calls=count_rows(calls[period]))
    except AlloincognitoTargetError as error:
        found = replace(found, error=str(error))
    return found


def _with_recordings(day: DayCoverage, manifest: Target) -> DayCoverage:
    counts = Counter(line.status for line in read_manifest(manifest))
    if not counts and size_of(manifest) is None:  # a run was killed before its end
        return day
    return replace(day, wanted=counts.total(), failed=counts["failed"])
