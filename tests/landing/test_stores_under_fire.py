"""Killed, or cut off from the store, at any point; check_stores_under_fire.py does this a hundred times."""

from __future__ import annotations

import pytest
from s3_server import S3
from store_rounds import KINDS, Rounds

pytestmark = pytest.mark.system


def test_nothing_is_half_and_the_next_run_mends(s3: S3, bucket: str) -> None:
    with Rounds.over(s3, bucket, outages=[0, 0.5]) as rounds:
        for kind in KINDS:
            rounds.play(kind, "kill")
            rounds.play(kind, "cut")
