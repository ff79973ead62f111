"""What a task has landed, for asset events, lineage and links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.operators.period import period_name, whole_days
from airflow_provider_alloincognito.scrubbing import scrub_hash

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.query import CallListQuery
    from airflow_provider_alloincognito.landing.calls import LandedCalls
    from airflow_provider_alloincognito.landing.manifest import ManifestLine
    from airflow_provider_alloincognito.landing.recordings import LandedRecordings


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What a task has landed. Nothing in it is personal data.

    :param source: the path of the API's method on the server.
    :param path: the file, or the folder of the recordings.
    :param counts: ``rows``, or ``fetched``, ``skipped`` and ``failed``; and ``bytes``.
    :param format: the name of the file's format.
    :param columns: names and types of the file's columns; empty where it has none.
    :param manifest: the manifest of the recordings.
    :param calls: the file of the calls that the recordings belong to.
    :param period: first moment, and the moment after the last, in the API's zone.
    :param request_hashes: the ``requestHash`` of each request.
    """

    source: str
    path: str
    counts: Mapping[str, int]
    format: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    manifest: str | None = None
    calls: str | None = None
    period: tuple[datetime, datetime] | None = None
    request_hashes: Sequence[str | None] = ()

    @classmethod
    def of_calls(
        cls,
        landed: LandedCalls,
        source: str,
        request_hashes: Sequence[str | None],
        query: CallListQuery | None,
        zone: ZoneInfo,
    ) -> Outcome:
        """
        Return the outcome of a task that has landed calls.

        :param query: has the period; None if it is not known.
        :param zone: the API's.
        """
        ends = None if query is None else (query.period_start.astimezone(zone), query.period_end.astimezone(zone))
        return cls(
            source=source,
            path=landed.path,
            counts={"rows": landed.rows, "bytes": landed.bytes},
            format=landed.format,
            columns=landed.columns,
            period=ends,
            request_hashes=request_hashes,
        )

    @classmethod
    def of_recordings(
        cls,
        landed: LandedRecordings,
        source: str,
        folder: str,
        calls: str | None,
        period: tuple[datetime, datetime] | None,
    ) -> Outcome:
        """
        Return the outcome of a task that has landed recordings.

        :param period: that of the calls; None if it is not known.
        """
        counts = {name: getattr(landed, name) for name in ("fetched", "skipped", "failed", "bytes")}
        return cls(source=source, path=folder, counts=counts, manifest=landed.manifest, calls=calls, period=period)

    @classmethod
    def of_recording(cls, line: ManifestLine, source: str, request_hash: str) -> Outcome:
        """Return the outcome of a task that has landed one recording."""
        return cls(
            source=source, path=line.path or "", counts={"bytes": line.bytes or 0}, request_hashes=[request_hash]
        )

    @property
    def file(self) -> str:
        """The one file that stands for all: the manifest, if there is one."""
        return self.manifest or self.path

    @property
    def extra(self) -> dict[str, str | int]:
        """What the asset's event says: texts and numbers, since Airflow 2.11 takes nothing else for an alias."""
        start, end = self.period or (None, None)
        texts = {
            "path": self.path,
            "format": self.format,
            "calls": self.calls,
            "manifest": self.manifest,
            "period_start": start and start.isoformat(),
            "period_end": end and end.isoformat(),
            "request_hashes": ",".join(scrub_hash(one) for one in self.request_hashes if one),
        }
        return {**{name: text for name, text in texts.items() if text}, **self.counts}

    @property
    def partition_keys(self) -> list[str]:
        """The days of the period, as ``YYYY-MM-DD``, or its name if it is not whole days; none if it is not known."""
        if self.period is None:
            return []
        return [str(day) for day in whole_days(*self.period)] or [period_name(*self.period)]
