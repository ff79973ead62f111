"""Faults that the sandbox commits when told to: once, some times, or with a probability."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self, get_args

FaultKind = Literal[
    "status",
    "reset",
    "cut",
    "stall",
    "malformed_json",
    "short_json",
    "trailing_junk",
    "empty_body",
    "html",
    "no_result",
    "content_type",
    "error",
    "reject",
]
METHOD_NAMES = ("*", "create", "refresh", "getcalllist", "getcallrecordfile", "getrequestresultbyhash")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """
    One thing that goes wrong.

    ``status``: the HTTP ``status``, with ``retry_after``. ``reset``: the connection is reset, at once, or after
    ``after_bytes`` or ``after_fraction`` of the body. ``cut``: the body ends there, unfinished. ``stall``: it stands
    still there for ``seconds``, then the connection is closed. ``malformed_json``: a byte that no JSON holds, there.
    ``short_json``: the body ends there, but as HTTP it is whole. ``trailing_junk``: more after the JSON's end.
    ``empty_body``. ``html``: a page with status 200. ``no_result``: JSON without ``result``. ``content_type``: the
    right body under the wrong ``content_type``. ``error``: the API's own error with ``code`` and ``message``.
    ``reject``: as for a token that is not valid.

    :param kind: what happens
    :param method: to which method; ``*``: any
    :param times: so many times; None: always
    :param skip: let so many requests pass first
    :param probability: of happening, for each request
    :param executed: where the fault takes the place of the answer (``status``, ``reset`` at once, ``error``,
        ``reject``, ``html``, ``empty_body``): was the request carried out all the same, so that a pair is made and lost
    """

    kind: FaultKind
    method: str = "*"
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    executed: bool = False
    status: int = 503
    retry_after: int | str | None = None
    after_bytes: int | None = None
    after_fraction: float | None = None
    seconds: float = 3600.0
    content_type: str = "text/html; charset=utf-8"
    code: int | str | None = 1500
    message: str = "Внутренняя ошибка при обработке абонента +7 (916) 123-45-67"

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"fault: unknown kind {self.kind!r}; expected one of {', '.join(get_args(FaultKind))}")
        if self.method not in METHOD_NAMES:
            raise ValueError(f"fault: unknown method {self.method!r}; expected one of {', '.join(METHOD_NAMES)}")
        if self.times is not None and self.times < 1:
            raise ValueError(f"fault: times {self.times!r} is less than 1; None means always")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"fault: probability {self.probability!r} is not between 0 and 1")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """
        Build a fault from JSON.

        :param values: its fields
        """
        if unknown := set(values) - {one.name for one in fields(cls)}:
            raise ValueError(f"fault: unknown fields {sorted(unknown)}")
        if "kind" not in values:
            raise ValueError("fault: the field 'kind' is missing")
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Give the fields as JSON has them."""
        return asdict(self)

    @property
    def instead(self) -> bool:
        """Tell whether the fault takes the place of the request's execution."""
        at_once = self.kind == "reset" and self.after_bytes is None and self.after_fraction is None
        return not self.executed and (self.kind in ("status", "error", "reject", "html", "empty_body") or at_once)

    def cut_at(self, length: int) -> int:
        """
        Give the byte of the body at which it happens.

        :param length: the body's length
        """
        if self.after_bytes is not None:
            return min(self.after_bytes, length)
        return int(length * (0.5 if self.after_fraction is None else self.after_fraction))


@dataclass(slots=True)
class _Queued:
    fault: Fault
    skip: int
    left: int | None = field(default=None)


class FaultQueue:
    """
    The faults still to come. The first one that fits a request happens; a fault that is used up leaves.

    :param faults: the first ones
    :param seed: makes probabilities repeatable
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int | str = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(f"faults|{seed}")
        self._queue: list[_Queued] = []
        self.replace(faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        """Forget all faults and take these."""
        with self._lock:
            self._queue = [_Queued(fault, fault.skip, fault.times) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Put one more at the end."""
        with self._lock:
            self._queue.append(_Queued(fault, fault.skip, fault.times))

    @property
    def waiting(self) -> list[Fault]:
        """The faults still to come."""
        with self._lock:
            return [queued.fault for queued in self._queue]

    def draw(self, method: str) -> Fault | None:
        """
        Say what goes wrong with this request, if anything.

        :param method: the method asked for
        """
        if not self._queue:
            return None
        with self._lock:
            for queued in self._queue:
                if queued.fault.method not in ("*", method):
                    continue
                if queued.skip:
                    queued.skip -= 1
                    continue
                if queued.fault.probability < 1 and self._random.random() >= queued.fault.probability:
                    continue
                if queued.left is not None:
                    queued.left -= 1
                    if queued.left <= 0:
                        self._queue.remove(queued)
                return queued.fault
        return None
