"""SHA-256 of what is being read: beside the reading once it is long, since it takes as much time as all the rest."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from types import TracebackType
from typing import Self

LONG = 1 << 20
"""Bytes from which on a thread gains more than it costs."""
MOST_AHEAD = 2
"""So many chunks may wait for it: they are memory."""


class Digest:
    """Takes chunks one after the other. A context manager: its thread, if it needed one, ends with it."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes so far."""
        self._digest = sha256()
        self._thread: ThreadPoolExecutor | None = None
        self._under_way: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown()

    def update(self, chunk: bytes) -> None:
        """Take the next chunk; it is hashed when this returns, or soon after."""
        self.size += len(chunk)
        if self.size <= LONG:
            self._digest.update(chunk)
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="digest")
        self._under_way.append(self._thread.submit(self._digest.update, chunk))
        self._wait(MOST_AHEAD)

    def hexdigest(self) -> str:
        """Give the digest of all chunks, in hexadecimal digits."""
        self._wait(0)
        return self._digest.hexdigest()

    def _wait(self, left: int) -> None:
        while len(self._under_way) > left:
            self._under_way.popleft().result()
