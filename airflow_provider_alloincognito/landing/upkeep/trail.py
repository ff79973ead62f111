"""The trail of erasures: what was erased when, on which request, without the number or anything made of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.landing.stores import whole_file
from airflow_provider_alloincognito.landing.stores.targets import open_for_reading
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import ObjectStoragePath

_REQUEST = re.compile(r"[\w.:+-]{1,100}")


class Trail:
    """
    A file for each request, ``erasures/<request>.jsonl``, with one line of JSON.

    Counts add up over tries of a task: ``{"request": ..., "begun": ..., "changed": ..., "numbers": 1, "erased":
    {"files": {"2026-03-01": {"calls": 2, "recordings": 1}}}}``.

    :param files: the root folder, ``FILES`` in the daily DAG.
    :param request: the request's own id. It must not contain a phone number.
    :raises AlloincognitoQueryError: if it seems to contain one, or cannot be part of a file's name.
    """

    def __init__(self, files: ObjectStoragePath, request: str) -> None:
        name = request.replace(" ", "_")
        if not _REQUEST.fullmatch(name) or scrub(name) != name:
            raise AlloincognitoQueryError(
                "The id of the request cannot be used: it may have letters, digits, '-', '_', '.', ':' and '+', and "
                "nothing that looks like a phone number, since it is kept. Give the number of your ticket."
            )
        self.path = files / "erasures" / f"{name.replace(':', '-')}.jsonl"
        self._request = request

    def add(self, where: str, period: str, *, numbers: int, **counts: int) -> None:
        """
        Add what was erased.

        :param where: in the files, or in which warehouse.
        :param period: of which day.
        :param numbers: how many numbers the request is about.
        :param counts: what, and how much of it.
        :raises AlloincognitoTargetError: if the file cannot be read or written.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = self.read() or {"request": self._request, "begun": now, "erased": {}}
        line |= {"changed": now, "numbers": numbers}
        of_period = line["erased"].setdefault(where, {}).setdefault(period, {})
        for name, count in counts.items():
            of_period[name] = of_period.get(name, 0) + count
        with whole_file(self.path) as file:
            file.write(msgspec.json.encode(line) + b"\n")

    def read(self) -> dict[str, Any] | None:
        """Return what the trail has so far; None if it has not begun."""
        try:
            with open_for_reading(self.path) as file:
                line: dict[str, Any] = msgspec.json.decode(file.read())
                return line
        except FileNotFoundError:
            return None
