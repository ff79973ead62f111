"""Landings in a real S3, killed or cut off from it at random points; code: landing/stores/remote.py."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from s3_server import S3
from store_rounds import KINDS, SUCCEEDED, Rounds

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.stores]

ROUNDS = 100


def test_a_hundred_times_no_file_is_partial_and_the_next_run_completes_them(s3: S3, bucket: str) -> None:
    ends: Counter[tuple[str, str]] = Counter()
    with Rounds.over(s3, bucket, outages=[0, 0.5, 1, 2]) as rounds:
        for kind, fault in itertools.islice(itertools.cycle(itertools.product(KINDS, ["kill", "cut"])), ROUNDS):
            ends[fault, rounds.play(kind, fault).summary] += 1
    for (fault, end), count in sorted(ends.items()):
        print(f"{fault:4} {end:40} {count:4}")
    interrupted = ROUNDS - sum(count for (_, end), count in ends.items() if end == SUCCEEDED)
    print(f"interrupted: {interrupted} of {ROUNDS}; uploads left behind, then removed: {rounds.left_behind}")
    assert interrupted >= ROUNDS / 2
    assert rounds.left_behind
    assert ends["cut", "AlloincognitoTargetError"]
