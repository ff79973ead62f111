"""What goes wrong during a soak: the API's faults, pairs that another program invalidates, tasks that are killed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from services.task_killer import TaskKiller

BROKEN: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 504},
    {"kind": "status", "status": 429, "retry_after": 2},
    {"kind": "error"},
    {"kind": "reset"},
    {"kind": "reset", "after_fraction": 0.5},
    {"kind": "cut", "after_fraction": 0.7},
    {"kind": "stall", "after_fraction": 0.5, "seconds": 3.0},
    {"kind": "stall", "after_bytes": 0},
    {"kind": "malformed_json"},
    {"kind": "short_json"},
    {"kind": "empty_body"},
    {"kind": "html"},
)
LOST_PAIRS: tuple[dict[str, Any], ...] = (
    {"kind": "reset", "method": "create", "executed": True, "times": None, "probability": 0.1},
    {"kind": "reset", "method": "refresh", "executed": True, "times": None, "probability": 0.1},
)
FAULTY = [*LOST_PAIRS, *({**fault, "times": None, "probability": 0.003} for fault in BROKEN)]
DOWN = [{"kind": "status", "status": 503, "times": None}]
DATA_METHODS = ("getcalllist", "getcallrecordfile", "getrequestresultbyhash")
SLOW = (0.5, 2.5)
LONGEST_RESPONSE = 5.0


@dataclass(frozen=True)
class Seen:
    """A fault that happened to a request."""

    kind: str
    method: str
    time: float


class Trouble:
    """
    Makes trouble, each kind of it at random intervals.

    :param sandbox: the sandbox's URL.
    :param airflow: the pid of Airflow, whose tasks are killed.
    """

    def __init__(self, sandbox: str, airflow: int) -> None:
        self.killer = TaskKiller(airflow)
        self.seen: list[Seen] = []
        self._admin = f"{sandbox}/_sandbox"
        self._session = requests.Session()
        self._session.trust_env = False
        self._last_request = 0
        now = time.monotonic()
        # The shortest and the longest interval of each.
        self._kinds: dict[Callable[[], object], tuple[float, float]] = {
            self._change_faults: (10, 20),
            self.killer.kill_one: (20, 30),
            self._invalidate: (40, 90),
            self._change_pace: (10, 40),
            self._change_answer: (30, 60),
            self.read_log: (10, 10),
        }
        self._due = {act: now + random.uniform(*interval) for act, interval in self._kinds.items()}

    def make(self) -> None:
        """Make the trouble that is due."""
        for act, due in self._due.items():
            if time.monotonic() >= due:
                act()
                self._due[act] = time.monotonic() + random.uniform(*self._kinds[act])

    def stop(self) -> None:
        """Remove all faults that are still to come."""
        self._configure(faults=[], latency=0.0, call_list_answer="rows", pending_seconds=0.0)

    def makers(self) -> list[str]:
        """Return what made each pair."""
        return [one["by"] for one in self._call("GET", "rotations")]

    def requests(self) -> int:
        """Return the number of requests that the sandbox received."""
        return sum(method["all"] for method in self._call("GET", "state")["requests"].values())

    def read_log(self) -> None:
        """Note the faults since the last time; the sandbox keeps only its latest requests."""
        for entry in self._call("GET", f"requests?after={self._last_request}&limit=100000"):
            if entry["time"] > time.time() - LONGEST_RESPONSE:
                break  # it may not be known yet what becomes of it
            self._last_request = entry["number"]
            if entry["fault"]:
                kind = f"HTTP {entry['status']}" if entry["fault"] == "status" else entry["fault"]
                self.seen.append(Seen(kind, entry["method"], entry["time"]))

    def _change_faults(self) -> None:
        """Mostly a few percent of all requests fail; at times all of them do, or none does."""
        self._configure(faults=random.choices((FAULTY, DOWN, []), weights=(7, 1, 1))[0])

    def _invalidate(self) -> None:
        """Do as another program that makes a pair, or let the access token end: tasks then get 401."""
        self._call("POST", random.choice(("kill_pair", "kill_pair", "expire_access", "expire_pair")))

    def _change_pace(self) -> None:
        slow = random.random() < 0.4
        self._configure(latency={**dict.fromkeys(DATA_METHODS, SLOW), "*": 0.0} if slow else 0.0)

    def _change_answer(self) -> None:
        """Rows at once, or a hash whose result is ready some seconds later."""
        answer, seconds = random.choice((("rows", 0.0), ("rows", 5.0), ("hash_only", 5.0)))
        self._configure(call_list_answer=answer, pending_seconds=seconds)

    def _configure(self, **changes: Any) -> None:
        self._call("PATCH", "settings", changes)

    def _call(self, verb: str, path: str, body: Any = None) -> Any:
        response = self._session.request(verb, f"{self._admin}/{path}", json=body, timeout=30)
        response.raise_for_status()
        return response.json() if response.content else None
