"""What a check of a Connection found."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import IntEnum


class Outcome(IntEnum):
    """What a check has come to; the worst comes first."""

    FAILED = logging.ERROR
    WARNING = logging.WARNING
    OK = logging.INFO


@dataclass(frozen=True)
class Finding:
    """
    What one check found.

    :param outcome: how good that is; also the level at which it is logged.
    :param text: what was found, as a sentence or two.
    :param fix: what to do about it, likewise; empty if there is nothing to do, or if ``text`` says it.
    :param subject: what was checked, such as ``TLS``.
    """

    outcome: Outcome
    text: str
    fix: str = ""
    subject: str = ""

    def __str__(self) -> str:
        label = "OK" if self.outcome is Outcome.OK else self.outcome.name.capitalize()
        return f"{label}: {self.text} {self.fix}".rstrip()
