"""Changes: what is different about a day's calls from what was listed before."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, NonNegativeFloat, NonNegativeInt

from airflow_provider_alloincognito.sandbox.faults import StrictModel


def _as_day(value: Any) -> Any:
    """Return a text such as ``2025-10-30``, which JSON has for a day, as a date."""
    return date.fromisoformat(value) if isinstance(value, str) else value


class Change(StrictModel):
    """
    One difference from the calls that the sandbox generates, as if it came late.

    ``add``: one more call, in the same second, in the other direction, and with a recording if that call has one.
    ``remove``: the call is not listed, and its recording is not found. ``longer``: its duration is a minute longer; its
    recording stays. ``record``: the call, which has no ``recordFileId``, has one. ``no_recording``: the call has a
    ``recordFileId``, but its recording is not found.

    Begin with some, or with none, and set others with ``Sandbox.configure(changes=[...])``: they replace the earlier
    ones. So a recording that appears late is a ``no_recording`` that the second list leaves out (its id was known
    before), or a ``record`` that it adds (it was not).

    :param day: the call's day, in the API's zone, such as ``2025-10-30``
    :param index: which call of the day: 0 is the first that the sandbox generates, without changes
    :param change: what happened to it
    :param after: seconds from the call's end until it happens, by the clock of the calls; None: it has happened always.
        ``Sandbox.truth`` has all changes
    """

    day: Annotated[date, BeforeValidator(_as_day)]
    index: NonNegativeInt
    change: Literal["add", "remove", "longer", "record", "no_recording"]
    after: NonNegativeFloat | None = None
