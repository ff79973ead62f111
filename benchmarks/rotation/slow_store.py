"""A slow token store in files: what Airflow's Variables are at their worst."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from airflow_provider_alloincognito.api.tokens.pair import TokenPair

T = TypeVar("T")


class SlowTokenStore:
    """
    One file for each entry. A call takes up to ``latency`` seconds and takes effect at a random moment in that time.

    :param folder: where the files are.
    :param latency: the longest call, in seconds.
    """

    def __init__(self, folder: Path, latency: float) -> None:
        self._folder = folder
        self._latency = latency
        self._rng = random.Random()

    def load(self) -> TokenPair | None:
        """Return the stored pair."""
        content = self._read("pair")
        return TokenPair.from_json(content) if content is not None else None

    def save(self, pair: TokenPair) -> None:
        """Replace the stored pair."""
        self._write("pair", pair.to_json())

    def read_claim(self, of: str) -> str | None:
        """Return the nonce of the claim on replacing the pair ``of``."""
        content = self._read(f"claim-{of}")
        return content.decode() if content is not None else None

    def write_claim(self, of: str, nonce: str) -> None:
        """Claim the right to replace the pair ``of``."""
        self._write(f"claim-{of}", nonce.encode())

    def drop_claim(self, of: str) -> None:
        """Remove the claim on a pair that has been replaced."""
        self._slowly(lambda: (self._folder / f"claim-{of}").unlink(missing_ok=True))

    def _slowly(self, effect: Callable[[], T]) -> T:
        latency = self._rng.uniform(0, self._latency)
        before = self._rng.uniform(0, latency)
        time.sleep(before)
        try:
            return effect()
        finally:
            time.sleep(latency - before)

    def _read(self, name: str) -> bytes | None:
        def effect() -> bytes | None:
            try:
                return (self._folder / name).read_bytes()
            except FileNotFoundError:
                return None

        return self._slowly(effect)

    def _write(self, name: str, content: bytes) -> None:
        def effect() -> None:
            written = self._folder / f".{name}-{secrets.token_hex(8)}"
            written.write_bytes(content)
            os.replace(written, self._folder / name)

        self._slowly(effect)
