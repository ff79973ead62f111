"""Helpers that run triggers on an event loop of the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger

Payload = dict[str, Any]


def new_hash() -> str:
    """Request a call list, and return its hash."""
    with AlloincognitoHook().get_call_list("2025-06-02", "2025-06-03") as calls:
        if not calls.is_pending:
            for _ in calls:
                pass
        assert calls.request_hash is not None
        return calls.request_hash


def trigger_on(request_hash: str, *, seconds: float = 10.0, **arguments: Any) -> AlloincognitoRequestResultTrigger:
    """Return a trigger that polls often."""
    values = {"poll_interval": 0.02, "poll_factor": 1.0, "deadline": time.time() + seconds, **arguments}
    return AlloincognitoRequestResultTrigger(request_hash, **values)


async def until(moment: Callable[[], bool]) -> None:
    """Wait until ``moment()`` is true."""
    async with asyncio.timeout(20):
        while not moment():
            await asyncio.sleep(0.005)


async def payload_of(trigger: AlloincognitoRequestResultTrigger) -> Payload:
    """Return the payload of a trigger's only event."""
    events = [event async for event in trigger.run()]
    assert len(events) == 1
    payload: Payload = events[0].payload
    return payload


def run(trigger: AlloincognitoRequestResultTrigger) -> Payload:
    """Run a trigger on a new loop, and return the payload of its only event."""
    return asyncio.run(payload_of(trigger))
