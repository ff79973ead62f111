"""Requests of the client tests, one function each."""

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


def query(**filters: Any) -> CallListQuery:
    """Return a query for one day, with filters."""
    return CallListQuery.checked(**{"period_start": START, "period_end": END, **filters})


def calls(client: Client, **filters: Any) -> list[dict[str, Any]]:
    """Return the rows of one day."""
    with CallList(client.open(methods.call_list(client.settings, query(**filters)))) as result:
        return [row for batch in result for row in batch]


def call_hash(client: Client, **filters: Any) -> str:
    """Return the ``requestHash`` of a call list."""
    with CallList(client.open(methods.call_list(client.settings, query(**filters)))) as result:
        for _ in result.batches():
            pass
        assert result.request_hash is not None
        return result.request_hash


def calls_by_hash(client: Client, request_hash: str) -> list[dict[str, Any]]:
    """Return the rows of an earlier request."""
    with CallList(client.open(methods.request_result(client.settings, request_hash))) as result:
        return [row for batch in result for row in batch]


def recording(client: Client, record_file_id: str) -> bytes:
    """Return a recording's mp3."""
    with RecordFile(client.open(methods.call_record_file(client.settings, record_file_id))) as result:
        return b"".join(result)
