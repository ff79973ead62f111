"""Read an envelope as it may arrive."""

from __future__ import annotations

from itertools import cycle

from airflow_provider_alloincognito.api.answer.envelope import Envelope, EnvelopeReader
from airflow_provider_alloincognito.api.answer.places import Piece
from airflow_provider_alloincognito.api.mapping import DEFAULT, ApiMapping


def read(
    body: bytes, sizes: list[int] | None = None, block: int = 1 << 20, mapping: ApiMapping = DEFAULT
) -> tuple[Envelope, list[Piece]]:
    """Read ``body`` in chunks of ``sizes``; small blocks, so that short bodies have several."""
    reader = EnvelopeReader(mapping, block=block)
    pieces: list[Piece] = []
    start = 0
    for size in cycle(sizes or [len(body) or 1]):
        pieces += reader.feed(body[start : start + size])
        start += size
        if start >= len(body):
            break
    pieces += reader.finish()
    assert reader.head_complete
    return reader.envelope, pieces
