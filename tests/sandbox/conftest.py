"""A running sandbox and a client for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_client import PlainClient

from airflow_provider_alloincognito.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(calls_per_day=120, recording_bytes=(300, 3000)) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[PlainClient]:
    plain = PlainClient(sandbox)
    with plain.session:
        yield plain


@pytest.fixture
def recorded(sandbox: Sandbox) -> dict[str, Any]:
    """A call that has a recording."""
    return next(row for row in sandbox.truth("2025-06-02", "2025-06-03") if row["recordFileId"])
