"""The requests that a task has submitted, so that its next try fetches their results instead of asking again."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Context

log = logging.getLogger(__name__)

STATE_KEY = "alloincognito_submitted_requests"


class SubmittedRequests:
    """
    The ``requestHash`` of each window, in order; None where it is not known.

    On Airflow 3.3 they are kept in the task's state from try to try. Older versions keep nothing: the next try asks
    again.

    :param context: the task's.
    :param bodies: the request bodies, window by window; hashes of other bodies are ignored.
    :param secret: keys the digest of the bodies, which may hold telephone numbers.
    """

    def __init__(self, context: Context, bodies: Sequence[dict[str, Any]], secret: str) -> None:
        self._store: Any = context.get("task_state_store")
        self._digest = hmac.new(secret.encode(), msgspec.json.encode(bodies), hashlib.sha256).hexdigest()
        self.hashes: list[str | None] = [None] * len(bodies)
        is_first_try = context["ti"].try_number == 1
        stored = None if is_first_try or self._store is None else self._store.get(STATE_KEY)
        if isinstance(stored, dict) and stored.get("digest") == self._digest:
            self.restore(cast("list[str | None]", stored["hashes"]))
            known = len(bodies) - self.hashes.count(None)
            log.info("%d of %d requests were submitted by an earlier try", known, len(bodies))

    def restore(self, hashes: Sequence[str | None]) -> None:
        """Take over hashes that an earlier try, or the trigger's event, knows."""
        for index, request_hash in enumerate(hashes[: len(self.hashes)]):
            self.hashes[index] = request_hash or self.hashes[index]

    def add(self, index: int, request_hash: str | None) -> None:
        """Keep a window's hash as soon as it is known."""
        if request_hash is not None and self.hashes[index] != request_hash:
            self._keep(index, request_hash)

    def forget(self, index: int) -> None:
        """Drop a hash that is no longer useful."""
        self._keep(index, None)

    def _keep(self, index: int, request_hash: str | None) -> None:
        self.hashes[index] = request_hash
        if self._store is not None:
            self._store.set(STATE_KEY, {"digest": self._digest, "hashes": self.hashes})

    def forget_all(self) -> None:
        """Keep nothing for another try: everything has landed, or is of no use."""
        if self._store is not None:
            self._store.delete(STATE_KEY)
