"""Compute the SHA-256 of a recording as it arrives: in a thread if it is long, as hashing takes half of the time."""

from __future__ import annotations

from hashlib import sha256
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Self

LONG = 1 << 20
"""From this many bytes on, a thread saves more time than it costs."""
MOST_AHEAD = 8
"""At most this many chunks wait for the thread, because they are memory."""


class Digest:
    """The SHA-256 of chunks of bytes. A context manager: its thread, if there is one, ends with it."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes so far."""
        self._digest = sha256()
        self._chunks: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._finish()

    def update(self, chunk: bytes) -> None:
        """Add the next chunk; it is hashed when this returns, or soon after."""
        self.size += len(chunk)
        if self.size <= LONG:
            self._digest.update(chunk)
            return
        if self._thread is None:
            self._room = Semaphore(MOST_AHEAD)  # costs as much as the digest of a small file
            thread = Thread(target=self._hash, name="digest", daemon=True)
            thread.start()
            self._thread = thread  # only once it runs: a signal handler may raise before, and _finish joins it
        self._room.acquire()
        self._chunks.put(chunk)

    def hexdigest(self) -> str:
        """Return the digest of all chunks, in hexadecimal digits."""
        self._finish()
        return self._digest.hexdigest()

    def _hash(self) -> None:
        for chunk in iter(self._chunks.get, None):
            self._digest.update(chunk)
            self._room.release()

    def _finish(self) -> None:
        if self._thread is not None:
            self._chunks.put(None)
            self._thread.join()
            self._thread = None
