"""All entries, and what their kinds are."""

from __future__ import annotations

from content import CONTENT, KINDS as CONTENT_KINDS
from entry import Entry
from machine import KINDS as MACHINE_KINDS, MACHINE
from network import KINDS as NETWORK_KINDS, NETWORK
from stopped import KINDS as STOPPED_KINDS, STOPPED
from waiting import KINDS as WAITING_KINDS, WAITING

TABLE: list[Entry] = [*WAITING, *STOPPED, *NETWORK, *CONTENT, *MACHINE]
KINDS: dict[str, tuple[str, str]] = {
    **WAITING_KINDS,
    **STOPPED_KINDS,
    **NETWORK_KINDS,
    **CONTENT_KINDS,
    **MACHINE_KINDS,
}
