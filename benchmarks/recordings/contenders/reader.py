"""The provider's client and landing, without Airflow: ``... reader STAND BYTES COUNT CONCURRENCY FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.results import RecordFile
from airflow_provider_alloincognito.landing.recordings import land_recordings
from benchmarks.common.provider import client_of
from benchmarks.common.stopwatch import measured


def main(stand: str, size: str, count: str, concurrency: str, folder: str) -> None:
    """Land so many recordings of one size."""
    client = client_of(stand, f"/recording/{size}")

    def fetch(record_file_id: str) -> RecordFile:
        return RecordFile(client.open(methods.call_record_file(client.settings, record_file_id)))

    ids = [f"recording-{number}" for number in range(int(count))]
    with measured():
        landed = land_recordings(fetch, ids, Path(folder), concurrency=int(concurrency))
    if landed.fetched != len(ids):
        raise SystemExit("not every recording has landed")


if __name__ == "__main__":
    main(*sys.argv[1:])
