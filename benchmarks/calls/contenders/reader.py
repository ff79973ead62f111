"""The provider's client and landing, without Airflow: ``... reader STAND ROWS FORMAT FOLDER``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute
import pyarrow.json
import pyarrow.parquet  # noqa: F401 - imported on first use, which is not to be measured

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList
from airflow_provider_alloincognito.landing.calls import land_calls
from benchmarks.common.bodies import SCHEMA
from benchmarks.common.provider import client_of
from benchmarks.common.stopwatch import measured

DAY = CallListQuery.checked(period_start=datetime(2026, 3, 1, tzinfo=UTC), period_end=datetime(2026, 3, 2, tzinfo=UTC))


def main(stand: str, rows: str, suffix: str, folder: str) -> None:
    """Land one answer."""
    client = client_of(stand, f"/rows/{rows}")
    with measured(), CallList(client.open(methods.call_list(client.settings, DAY))) as calls:
        land_calls(calls.batches(), Path(folder, f"calls.{suffix}"), schema=SCHEMA)


if __name__ == "__main__":
    main(*sys.argv[1:])
