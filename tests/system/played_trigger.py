"""
The trigger of ``alloincognito_stream`` with a clock that runs faster, for a triggerer of tests/system/test_stream.py.

``PLAYED`` has three numbers: the moment at which the clock began, what it showed then (both in seconds since the
epoch), and how fast it runs.
"""

from __future__ import annotations

import asyncio
import os
import time

from airflow_provider_alloincognito.triggers.new_calls import AlloincognitoNewCallsTrigger


def played(moment: float) -> float:
    """Return what the clock shows at a moment, both in seconds since the epoch."""
    began, shown, speed = map(float, os.environ["PLAYED"].split())
    return shown + (moment - began) * speed


class PlayedTrigger(AlloincognitoNewCallsTrigger):
    """Plays its time."""

    def now(self) -> float:
        return played(time.time())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / float(os.environ["PLAYED"].split()[2]))

    @property
    def confirmed_after(self) -> float:  # type: ignore[override]
        """Airflow takes as long as ever to store an event: some seconds of the real clock."""
        return 20 * float(os.environ["PLAYED"].split()[2])
