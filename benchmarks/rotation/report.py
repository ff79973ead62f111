"""The figures of a run, and whether the promises were kept."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rotation.measured_client import Request
from benchmarks.rotation.plan import Plan

DELAYED = 0.05
MOST_ROTATIONS = 1.5
_STORED = re.compile(r"stored a new pair (\w+), since (?:there was none|pair (\w+))")


@dataclass
class Report:
    """
    A run's figures.

    :param rotations: the sandbox's log of pairs, each with its id.
    :param logs: the folder of the processes' logs.
    """

    plan: Plan
    requests: list[Request]
    rotations: list[dict[str, Any]]
    elapsed: float
    logs: Path
    killed: int = 0
    felt_kills: list[float] = field(default_factory=list)
    files_with_tokens: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.successors: dict[str, set[str]] = defaultdict(set)
        for path in filter(Path.is_file, self.logs.rglob("*")):
            for successor, of in _STORED.findall(path.read_text(errors="replace")):
                self.successors[of].add(successor)
        known = {one for many in self.successors.values() for one in many}
        known |= {request.pair for request in self.requests if request.pair}
        self.foreign = [one for one in self.rotations if one["by"] == "stranger"]
        foreign = {one["id"] for one in self.foreign}
        lost = [one for one in self.rotations[:-1] if one["id"] not in known | foreign]
        self.lost = [] if self.is_naive else lost  # a naive process does not log its pair

    @property
    def is_naive(self) -> bool:
        """Whether each task makes a pair of its own."""
        return self.plan.mode.startswith("naive")

    @property
    def failed(self) -> int:
        """The number of requests that failed; in naive modes, of tasks."""
        return sum(request.failed for request in self.requests)

    @property
    def expiries(self) -> float:
        """The length of the run in lifetimes of a token, at least one."""
        return max(1.0, self.elapsed / self.plan.lifetime)

    @property
    def rotations_per_reason(self) -> float:
        """Own rotations for each expiry, lost pair and rotation by another program."""
        ours = len(self.rotations) - len(self.foreign)
        return ours / (self.expiries + len(self.lost) + len(self.foreign))

    @property
    def forked(self) -> int:
        """The number of pairs that were replaced by more than one successor."""
        return sum(len(successors) > 1 for successors in self.successors.values())

    @property
    def longest_loss(self) -> float:
        """The longest time to the next pair, from a pair's loss or from the last kill that delayed its replacement."""
        return max((self._seconds_lost(one) for one in self.lost), default=0.0)

    def _seconds_lost(self, lost: dict[str, Any]) -> float:
        replaced_at = self.rotations[lost["number"]]["time"]
        kills = [moment for moment in self.felt_kills if lost["time"] < moment < replaced_at]
        return float(replaced_at - max([lost["time"], *kills]))

    @property
    def causes(self) -> Counter[str]:
        """Why each pair was made."""
        lost = {one["number"] for one in self.lost}
        foreign = {one["number"] for one in self.foreign}
        return Counter(_cause(one, lost, foreign) for one in self.rotations)

    def faults(self) -> list[str]:
        """Return the promises that were not kept."""
        faults = []
        if self.is_naive:
            if self.plan.processes >= 8 and self.failed * 2 <= len(self.requests):
                faults.append("naive: not more than half of the tasks fail")
            return faults
        if self.failed:
            faults.append(f"{self.failed} requests failed")
        if self.rotations_per_reason > MOST_ROTATIONS:
            faults.append(f"more than {MOST_ROTATIONS} rotations for each reason")
        if self.plan.mode == "redis" and self.forked:
            faults.append(f"{self.forked} pairs have more than one successor")
        if self.longest_loss > self.plan.longest_loss:
            faults.append(f"a lost pair was replaced after {self.longest_loss:.1f} s")
        if self.files_with_tokens:
            faults.append(f"{len(self.files_with_tokens)} logs hold tokens")
        return faults

    def text(self) -> str:
        """Return the report as text."""
        plan, count = self.plan, len(self.requests)
        rejections = sum(request.rejections for request in self.requests)
        delayed = sum(request.wait > DELAYED for request in self.requests)
        waits = sorted(request.wait for request in self.requests)
        lines = [
            f"{plan.mode}, {plan.processes} processes, lifetime {plan.lifetime:g} s, D {plan.store_latency:g} s, "
            f"S {plan.call_seconds:g} s, API latency {plan.api_latency:g} s, {self.elapsed:.0f} s",
            f"  {'tasks' if self.is_naive else 'requests'}: {count}, failed {self.failed} "
            f"({_share(self.failed, count)}), rejections {rejections}, "
            f"delayed over 50 ms {delayed} ({_share(delayed, count)})",
            f"  added wait: p50 {_part(waits, 0.5):.3f} s, p99 {_part(waits, 0.99):.3f} s, max {_part(waits, 1):.3f} s",
            f"  rotations: {len(self.rotations)} in {self.expiries:.1f} expiries; "
            f"for each expiry, lost pair and rotation by another program {self.rotations_per_reason:.2f}",
            *(f"    {number:5d} {cause}" for cause, number in self.causes.most_common()),
        ]
        if not self.is_naive:
            of = sum(bool(successors) for successors in self.successors.values())
            lines.append(f"  successors: {of} pairs replaced, {self.forked} of them by more than one")
            lines.append(f"  logs: {len(self.files_with_tokens)} hold a token; the planted one was found")
        if self.killed:
            lines.append(
                f"  killed: {self.killed}, of them {len(self.felt_kills)} while replacing a pair; lost pairs "
                f"{len(self.lost)}, replaced within {self.longest_loss:.1f} s (bound {plan.longest_loss:.1f} s)"
            )
        errors = Counter(request.error for request in self.requests if request.error)
        if errors:
            lines.append("  errors: " + ", ".join(f"{name} {number}" for name, number in errors.most_common()))
        lines.append("  " + ("; ".join(f"NOT KEPT: {fault}" for fault in self.faults()) or "as promised"))
        return "\n".join(lines)


def _cause(rotation: dict[str, Any], lost: set[int], foreign: set[int]) -> str:
    by, killed = rotation["by"], rotation["killed"]
    if by == "stranger":
        return "by another program"
    if killed == "none":
        return "create: there was no pair"
    if rotation["number"] - 1 in lost:
        return f"{by}: the pair before was lost when its process was killed"
    if rotation["number"] - 1 in foreign:
        return f"{by} after one by another program"
    if killed == "living":
        return "refresh before expiry" if by == "refresh" else "create over a valid pair"
    return f"{by} after expiry"


def _part(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
