"""Triggers run on a loop of the test's."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger

Payload = dict[str, Any]


def asked_hash() -> str:
    """Ask for a call list, and give its hash."""
    with AlloincognitoHook().get_call_list("2025-06-02", "2025-06-03") as calls:
        if not calls.is_pending:
            for _ in calls:
                pass
        assert calls.request_hash is not None
        return calls.request_hash


def trigger_on(request_hash: str, *, seconds: float = 10.0, **arguments: Any) -> AlloincognitoRequestResultTrigger:
    """A trigger that asks often."""
    values = {"poll_interval": 0.02, "poll_factor": 1.0, "deadline": time.time() + seconds, **arguments}
    return AlloincognitoRequestResultTrigger(request_hash, **values)


async def payload_of(trigger: AlloincognitoRequestResultTrigger) -> Payload:
    """The one event of a trigger."""
    events = [event async for event in trigger.run()]
    assert len(events) == 1
    payload: Payload = events[0].payload
    return payload


def run(trigger: AlloincognitoRequestResultTrigger) -> Payload:
    """The one event of a trigger, on a loop of its own."""
    return asyncio.run(payload_of(trigger))
