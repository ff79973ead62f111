"""How a day's calls and recordings are divided among the contracts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from benchmarks.scale.plan import Plan


@dataclass
class Contract:
    """
    One authorization token and its day.

    :param offset: seconds by which its first task starts later.
    :param pair_expires: when its pair is to be renewed: made by the run of the day before.
    :param to_fetch: recordings that no request has been made for.
    """

    calls: int
    recordings: int
    offset: float
    pair_expires: float
    to_fetch: int = 0
    landed: int = 0


def contracts(plan: Plan) -> list[Contract]:
    """Return all contracts; a few are large, as everywhere."""
    dice = random.Random(plan.seed)
    weights = [dice.lognormvariate(0, plan.skew) for _ in range(plan.contracts)]
    expires = plan.settled - plan.renewed_before
    return [
        Contract(calls, recordings, dice.uniform(0, plan.spread), expires, to_fetch=recordings)
        for calls, recordings in zip(_shares(plan.calls, weights), _shares(plan.recordings, weights), strict=True)
    ]


def _shares(total: int, weights: Sequence[float]) -> list[int]:
    """Divide a number by weights, without loss."""
    sums = list(accumulate(weights, initial=0.0))
    ends = [round(total * part / sums[-1]) for part in sums]
    return [end - start for start, end in pairwise(ends)]
