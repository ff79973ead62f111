"""A hundred landings in a real S3, killed or cut off at random points; a few of them are in `make test`."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from s3_server import S3
from store_rounds import KINDS, THROUGH, Rounds

pytestmark = pytest.mark.system

ROUNDS = 100


def test_nothing_is_half_and_the_next_run_mends(s3: S3, bucket: str) -> None:
    told: Counter[tuple[str, str]] = Counter()
    with Rounds.over(s3, bucket, outages=[0, 0.5, 1, 2]) as rounds:
        for kind, fault in itertools.islice(itertools.cycle(itertools.product(KINDS, ["kill", "cut"])), ROUNDS):
            told[fault, rounds.play(kind, fault).told] += 1
    for (fault, end), count in sorted(told.items()):
        print(f"{fault:4} {end:40} {count:4}")
    interrupted = ROUNDS - sum(count for (_, end), count in told.items() if end == THROUGH)
    print(f"interrupted: {interrupted} of {ROUNDS}; uploads left behind, then swept: {rounds.left_behind}")
    assert interrupted >= ROUNDS / 2
    assert rounds.left_behind
    assert told["cut", "AlloincognitoTargetError"]
