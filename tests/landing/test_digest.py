"""SHA-256 of short and long recordings; code: landing/digest.py."""

from __future__ import annotations

import threading
from hashlib import sha256

from hypothesis import given, strategies as st

from airflow_provider_alloincognito.landing.digest import LONG, Digest


@given(st.lists(st.integers(0, LONG // 2), max_size=8))
def test_the_digest_is_that_of_all_chunks(sizes: list[int]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    with Digest() as digest:
        for chunk in chunks:
            digest.update(chunk)
        assert digest.hexdigest() == sha256(b"".join(chunks)).hexdigest()
        assert digest.size == sum(sizes)


def test_the_thread_of_a_digest_ends_with_it() -> None:
    others = set(threading.enumerate())
    with Digest() as digest:
        digest.update(b"x" * (LONG + 1))
        (thread,) = [one for one in set(threading.enumerate()) - others if one.name == "digest"]
    assert not thread.is_alive()
