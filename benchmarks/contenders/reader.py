"""
The provider's client and landing, without Airflow.

``python -m benchmarks.contenders.reader calls SERVER ROWS FORMAT FOLDER``, or
``... reader recordings SERVER BYTES COUNT CONCURRENCY FOLDER``.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList, RecordFile
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.recordings import land_recordings
from benchmarks.common.bodies import SCHEMA
from benchmarks.common.provider import import_all, import_pyarrow, new_client
from benchmarks.common.stopwatch import measured

DAY = CallListQuery.checked(period_start=datetime(2026, 3, 1, tzinfo=UTC), period_end=datetime(2026, 3, 2, tzinfo=UTC))


def calls(server: str, rows: str, suffix: str, folder: str) -> None:
    """Land a call list with so many rows."""
    import_pyarrow()
    client = new_client(server, f"/rows/{rows}")
    with measured(), CallList(client.open(methods.call_list(client.settings, DAY))) as result:
        land_calls(result.batches(), Path(folder, f"calls.{suffix}"), schema=SCHEMA)


def recordings(server: str, size: str, count: str, concurrency: str, folder: str) -> None:
    """Land so many recordings of one size."""
    client = new_client(server, f"/recording/{size}")

    def fetch(record_file_id: str) -> RecordFile:
        return RecordFile(client.open(methods.call_record_file(client.settings, record_file_id)))

    ids = [f"recording-{number}" for number in range(int(count))]
    with measured():
        landed = land_recordings(fetch, ids, Path(folder), concurrency=int(concurrency))
    if landed.fetched != len(ids):
        raise SystemExit("Some recordings did not land.")


if __name__ == "__main__":
    import_all("api", "landing")
    work, *arguments = sys.argv[1:]
    calls(*arguments) if work == "calls" else recordings(*arguments)
