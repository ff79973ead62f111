"""All entries, and what their kinds are."""

from __future__ import annotations

from content import CONTENT
from content import KINDS as CONTENT_KINDS
from entry import Entry
from machine import KINDS as MACHINE_KINDS
from machine import MACHINE
from network import KINDS as NETWORK_KINDS
from network import NETWORK
from stopped import KINDS as STOPPED_KINDS
from stopped import STOPPED
from waiting import KINDS as WAITING_KINDS
from waiting import WAITING

TABLE: list[Entry] = [*WAITING, *STOPPED, *NETWORK, *CONTENT, *MACHINE]
KINDS: dict[str, tuple[str, str]] = {
    **WAITING_KINDS,
    **STOPPED_KINDS,
    **NETWORK_KINDS,
    **CONTENT_KINDS,
    **MACHINE_KINDS,
}
