"""SHA-256, of short and long recordings alike."""

from __future__ import annotations

import threading
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_alloincognito.landing.digest import LONG, Digest


@given(st.lists(st.integers(0, LONG // 2), max_size=8))
def test_it_is_that_of_all_chunks(sizes: list[int]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    with Digest() as digest:
        for chunk in chunks:
            digest.update(chunk)
        assert digest.hexdigest() == sha256(b"".join(chunks)).hexdigest()
        assert digest.size == sum(sizes)


def test_its_thread_ends_with_it() -> None:
    before = threading.active_count()
    with Digest() as digest:
        digest.update(b"x" * (LONG + 1))
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
