"""What a command came to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

DAY = ("--period-start", "2025-06-02", "--period-end", "2025-06-03")


@dataclass
class Ran:
    """Exit code, stdout and stderr of one run."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        return dict(json.loads(self.out))

    @property
    def checks(self) -> dict[str, str]:
        """The outcome of each check."""
        return {one["check"]: one["outcome"] for one in self.document["findings"]}

    def finding(self, check: str) -> str:
        """What a check says."""
        return next(f"{one['text']} {one['fix']}" for one in self.document["findings"] if one["check"] == check)
