"""SHA-256 of a recording, beside its reading once it is long, since it takes as much time as all the rest."""

from __future__ import annotations

from hashlib import sha256
from queue import SimpleQueue
from threading import Semaphore, Thread
from types import TracebackType
from typing import Self

LONG = 1 << 20
"""Bytes from which on a thread gains more than it costs."""
MOST_AHEAD = 8
"""So many chunks may wait for it: they are memory."""


class Digest:
    """Takes chunks one after the other. A context manager: its thread, if it needed one, ends with it."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes so far."""
        self._digest = sha256()
        self._chunks: SimpleQueue[bytes | None] = SimpleQueue()
        self._room = Semaphore(MOST_AHEAD)
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._finish()

    def update(self, chunk: bytes) -> None:
        """Take the next chunk; it is hashed when this returns, or soon after."""
        self.size += len(chunk)
        if self.size <= LONG:
            self._digest.update(chunk)
            return
        if self._thread is None:
            thread = Thread(target=self._hash, name="digest", daemon=True)
            thread.start()
            self._thread = thread  # not before: what ends the task may be raised anywhere, and then it is joined
        self._room.acquire()
        self._chunks.put(chunk)

    def hexdigest(self) -> str:
        """Give the digest of all chunks, in hexadecimal digits."""
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
