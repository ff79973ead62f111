"""The digest of a window's rows; code: triggers/row_digest.py."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import AlloincognitoResponseError
from airflow_provider_alloincognito.triggers.row_digest import RowDigest

KEY = b"a secret key of some length"
rows_lists = st.lists(st.integers(0, 20).map(lambda number: b'{"callId": %d}' % number), max_size=30)


def batch(rows: list[bytes]) -> RowBatch:
    return RowBatch([msgspec.Raw(row) for row in rows])


def digest_of(*batches: list[bytes], key: bytes = KEY) -> tuple[int, str]:
    digest = RowDigest(key)
    for rows in batches:
        digest.feed(batch(rows))
    return digest.calls, digest.digest


@given(rows=rows_lists, cut=st.integers(0, 30), seed=st.integers())
def test_it_does_not_depend_on_order_and_batches(rows: list[bytes], cut: int, seed: int) -> None:
    turned = random.Random(seed).sample(rows, len(rows))
    assert digest_of(rows) == digest_of(turned[:cut], turned[cut:])


@given(rows=rows_lists, others=rows_lists)
def test_other_rows_have_another_digest(rows: list[bytes], others: list[bytes]) -> None:
    assert (digest_of(rows) == digest_of(others)) == (sorted(rows) == sorted(others))


def test_it_depends_on_the_key() -> None:
    assert digest_of([b"{}"]) != digest_of([b"{}"], key=b"another secret key of some length")


def test_no_rows_have_none() -> None:
    assert digest_of([]) == (0, "")


def test_an_attempt_that_failed_is_forgotten() -> None:
    digest = RowDigest(KEY)
    digest.feed(batch([b'{"callId": 1}']))
    digest.restart()
    digest.feed(batch([b'{"callId": 2}']))
    assert (digest.calls, digest.digest) == digest_of([b'{"callId": 2}'])


def test_more_than_it_reads_at_a_time_is_an_error() -> None:
    digest = RowDigest(KEY, most_bytes=100)
    digest.feed(batch([b'{"callId": 1}'] * 5))
    with pytest.raises(AlloincognitoResponseError, match="Give its trigger a shorter window"):
        digest.feed(batch([b'{"callId": 1}'] * 5))


def test_a_recording_is_an_error() -> None:
    with pytest.raises(AlloincognitoResponseError, match="a recording where a call list was requested"):
        RowDigest(KEY).feed(b"ID3")
