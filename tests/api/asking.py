"""What the tests of the client ask for, in few words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList, RecordFile
from airflow_provider_alloincognito.api.transport.client import Client

START = datetime(2025, 6, 2, tzinfo=ZoneInfo("Europe/Moscow"))
END = START + timedelta(days=1)


def query(**given: Any) -> CallListQuery:
    """A query of one day, and filters."""
    return CallListQuery.checked(**{"period_start": START, "period_end": END, **given})


def calls(client: Client, **given: Any) -> list[dict[str, Any]]:
    """The rows of one day."""
    with CallList(client.open(methods.call_list(client.settings, query(**given)))) as result:
        return [row for batch in result for row in batch]


def call_hash(client: Client, **given: Any) -> str:
    """The ``requestHash`` of a call list."""
    with CallList(client.open(methods.call_list(client.settings, query(**given)))) as result:
        for _ in result.batches():
            pass
        assert result.request_hash is not None
        return result.request_hash


def calls_by_hash(client: Client, request_hash: str) -> list[dict[str, Any]]:
    """The rows of an earlier request."""
    with CallList(client.open(methods.request_result(client.settings, request_hash))) as result:
        return [row for batch in result for row in batch]


def recording(client: Client, record_file_id: str) -> bytes:
    """A recording's mp3."""
    with RecordFile(client.open(methods.call_record_file(client.settings, record_file_id))) as result:
        return b"".join(result)
