"""Events that the task accepts and rejects; code: triggers/alloincognito.py."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoError,
    AlloincognitoQueryError,
    AlloincognitoResponseError,
    AlloincognitoSettingsError,
    AlloincognitoWaitTimeout,
)
from airflow_provider_alloincognito.triggers.alloincognito import ResultEvent, ready_event


def test_a_ready_event_is_accepted_with_all_of_its_fields() -> None:
    event = ResultEvent(status="ready", request_hash="h==", request_hashes=["h==", None])
    assert ready_event(event.payload()) == event
    assert set(event.payload()) == {"status", "request_hash", "request_hashes"}


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        [],
        "ready",
        {"status": "ready"},
        {"status": "success", "request_hash": "h=="},
        {"status": None, "request_hash": "h=="},
        {"status": "ready", "request_hash": 5},
        {"status": "ready", "request_hash": "h==", "rows": []},
        {"status": "ready", "request_hash": "h==", "request_hashes": "h=="},
        {"status": "ready", "request_hash": "h==", "request_hashes": [1]},
    ],
)
def test_an_unknown_event_is_rejected_and_not_quoted(event: Any) -> None:
    with pytest.raises(AlloincognitoResponseError) as raised:
        ready_event(event)
    assert "h==" not in str(raised.value)


def test_a_timeout_has_an_error_of_its_own() -> None:
    with pytest.raises(AlloincognitoWaitTimeout, match="h=="):
        ready_event({"status": "timeout", "request_hash": "h=="})


@pytest.mark.parametrize(
    "kind", [AlloincognitoApiError, AlloincognitoAuthError, AlloincognitoQueryError, AlloincognitoSettingsError]
)
def test_an_error_keeps_its_class(kind: type[Exception]) -> None:
    with pytest.raises(kind, match="why"):
        ready_event({"status": "error", "request_hash": "h==", "error": kind.__name__, "message": "why"})


@pytest.mark.parametrize("name", ["SystemExit", "rebuild", "", None])
def test_an_unknown_class_becomes_the_base_class(name: str | None) -> None:
    with pytest.raises(AlloincognitoError) as raised:
        ready_event({"status": "error", "request_hash": "h==", "error": name})
    assert type(raised.value) is AlloincognitoError
