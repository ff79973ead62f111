"""What a task has asked for already, so that its next try fetches it instead of asking the server again."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

STATE_KEY = "alloincognito_asked"


class AskedRequests:
    """
    The ``requestHash`` of each window, in order; None where it is not known.

    On Airflow 3.3 they are kept in the task's state, from try to try; below, they live as long as the try, and the
    next one asks again.

    :param context: the task's.
    :param bodies: what is asked, window by window; hashes of anything else are not taken up.
    :param secret: keys the digest of the bodies, which may hold telephone numbers.
    """

    def __init__(self, context: Context, bodies: Sequence[dict[str, Any]], secret: str) -> None:
        self._store: Any = context.get("task_state_store")
        text = msgspec.json.encode(bodies)
        self._what = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        self.hashes: list[str | None] = [None] * len(bodies)
        is_first = context["ti"].try_number == 1
        known = None if is_first or self._store is None else self._store.get(STATE_KEY)
        if isinstance(known, dict) and known.get("what") == self._what:
            self.restore(cast("list[str | None]", known["hashes"]))
            log.info("Of %d requests, an earlier try has asked %d", len(bodies), len(bodies) - self.hashes.count(None))

    def restore(self, hashes: Sequence[str | None]) -> None:
        """Take up hashes that came by another way."""
        for index, request_hash in enumerate(hashes[: len(self.hashes)]):
            self.hashes[index] = request_hash or self.hashes[index]

    def note(self, index: int, request_hash: str | None) -> None:
        """Keep a window's hash, as soon as it is known."""
        if request_hash is None or self.hashes[index] == request_hash:
            return
        self._keep(index, request_hash)

    def forget(self, index: int) -> None:
        """Drop a hash that is of no use any more."""
        self._keep(index, None)

    def _keep(self, index: int, request_hash: str | None) -> None:
        self.hashes[index] = request_hash
        if self._store is not None:
            self._store.set(STATE_KEY, {"what": self._what, "hashes": self.hashes})

    def forget_all(self) -> None:
        """Keep nothing for another try: all has landed, or what was asked is of no use."""
        if self._store is not None:
            self._store.delete(STATE_KEY)
