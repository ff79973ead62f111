"""Count the rows of a response and digest them as they arrive, whatever their order."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from airflow_provider_alloincognito.api.answer.places import Piece
from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import AlloincognitoResponseError

DIGEST_BYTES = 16
MODULUS = 1 << 8 * DIGEST_BYTES
MOST_BYTES = 64 << 20


class RowDigest:
    """
    A :class:`~airflow_provider_alloincognito.api.transport.async_client.Reader` that keeps no row.

    The digest of a window with one call, whose number alone is unknown, must not tell that number to somebody who tries
    them all: hence the key.

    :param key: secret.
    :param row_filter: keeps the rows of the period; None keeps all.
    :param most_bytes: an error if there are more bytes of rows.
    """

    def __init__(
        self, key: bytes, row_filter: Callable[[RowBatch], RowBatch] | None = None, *, most_bytes: int = MOST_BYTES
    ) -> None:
        self.calls = 0
        """How many rows there were."""
        self._key = key
        self._row_filter = row_filter
        self._most_bytes = most_bytes
        self._bytes = 0
        self._sum = 0

    def restart(self) -> None:
        """Forget what was counted."""
        self.calls = self._bytes = self._sum = 0

    def feed(self, piece: Piece) -> None:
        """
        Count rows.

        :raises AlloincognitoResponseError: if they are no rows, or too many.
        """
        if not isinstance(piece, RowBatch):
            raise AlloincognitoResponseError("Unexpected response: a recording where a call list was requested.")
        self._bytes += sum(memoryview(row).nbytes for row in piece.rows)
        if self._bytes > self._most_bytes:
            raise AlloincognitoResponseError(
                f"The calls of one window take more than {self._most_bytes >> 20} MB, the most that a watcher reads at "
                "a time. Give its trigger a shorter window."
            )
        rows = self._row_filter(piece).rows if self._row_filter is not None else piece.rows
        self.calls += len(rows)
        # The sum does not depend on the rows' order, which the server may change.
        for row in rows:
            digest = hashlib.blake2b(row, key=self._key, digest_size=DIGEST_BYTES).digest()
            self._sum += int.from_bytes(digest, "big")
        self._sum %= MODULUS

    @property
    def digest(self) -> str:
        """A digest of all rows; empty if there are none."""
        text = base64.urlsafe_b64encode(self._sum.to_bytes(DIGEST_BYTES, "big")).decode().rstrip("=")
        return text if self.calls else ""
