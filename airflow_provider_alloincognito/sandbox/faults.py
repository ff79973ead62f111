"""Faults: what goes wrong on purpose, and with which request."""

from __future__ import annotations

import difflib
import random
import threading
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

Method = Literal["create", "refresh", "getcalllist", "getcallrecordfile", "getrequestresultbyhash"]
METHODS: tuple[Method, ...] = get_args(Method)
# What replaces the whole response, what changes its body or headers, and what breaks the connection.
ReplacingKind = Literal["status", "error", "reject", "html", "empty_body"]
ChangingKind = Literal["malformed_json", "short_json", "trailing_junk", "no_result", "content_type"]
BreakingKind = Literal["cut", "stall", "reset"]
AnyMethod = Literal["*", Method]
Fraction = Annotated[float, Field(ge=0, le=1)]


class StrictModel(BaseModel):
    """A frozen model of exact types. It suggests a name for an unknown one; its errors quote no value."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _suggest_name(cls, values: Any) -> Any:
        for name in values if isinstance(values, Mapping) else ():
            if name not in cls.model_fields:
                close = difflib.get_close_matches(str(name), cls.model_fields, 1)
                hint = f"; did you mean {close[0]!r}?" if close else "."
                raise ValueError(f"{cls.__name__} has no {name!r}{hint}")
        return values

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """
        Build the model from decoded JSON.

        :param values: names and values of its fields
        :raises ValueError: naming the field that is unknown or not valid
        """
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON has them, without secrets."""
        return self.model_dump(mode="json")


class Fault(StrictModel):
    """
    One thing that goes wrong.

    ``status``: the HTTP ``status``, with ``retry_after``. ``reset``: the connection is reset, at once, or after
    ``after_bytes`` or ``after_fraction`` of the body. ``cut``: the body ends there, unfinished. ``stall``: nothing
    more is sent from there on for ``seconds``, then the connection is closed. ``malformed_json``: there, bytes that
    JSON does not allow. ``short_json``: the body ends there, but is complete as HTTP. ``trailing_junk``: more bytes
    after the JSON's end. ``empty_body``. ``html``: a page with status 200. ``no_result``: JSON without ``result``.
    ``content_type``: the right body with the wrong ``content_type``. ``error``: the API's own error with ``code`` and
    ``message``. ``reject``: the response to a token that is not valid.

    :param kind: what happens
    :param method: the method it happens to; ``*``: any
    :param times: how many times; None: always
    :param skip: how many requests pass first
    :param probability: of happening, for each request
    :param executed: where the fault replaces the response (``status``, ``reset`` at once, ``error``, ``reject``,
        ``html``, ``empty_body``): is the request carried out all the same, so that a new pair is made and lost
    """

    kind: Literal[ReplacingKind, ChangingKind, BreakingKind]
    method: AnyMethod = "*"
    times: PositiveInt | None = 1
    skip: NonNegativeInt = 0
    probability: Fraction = 1.0
    executed: bool = False
    status: int = 503
    retry_after: int | str | None = None
    after_bytes: NonNegativeInt | None = None
    after_fraction: Fraction | None = None
    seconds: NonNegativeFloat = 3600.0
    content_type: str = "text/html; charset=utf-8"
    code: int | str | None = 1500
    message: str = "Внутренняя ошибка при обработке абонента +7 (916) 123-45-67"

    @property
    def resets_at_once(self) -> bool:
        """Whether the connection is reset before anything is sent."""
        return self.kind == "reset" and self.after_bytes is None and self.after_fraction is None

    @property
    def instead(self) -> bool:
        """Whether the request is not carried out."""
        return not self.executed and (self.kind in get_args(ReplacingKind) or self.resets_at_once)

    def cut_at(self, length: int) -> int:
        """
        Return the position in the body at which it happens.

        :param length: the body's length in bytes
        """
        if self.after_bytes is not None:
            return min(self.after_bytes, length)
        return int(length * (0.5 if self.after_fraction is None else self.after_fraction))


class FaultQueue:
    """
    The faults still to come. The first one that fits a request happens; one that is used up is removed.

    :param faults: the first ones
    :param seed: makes probabilities repeatable
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int | str = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(f"faults|{seed}")
        self._queue: list[_Queued] = []
        self.replace(faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        """Remove all faults, and take these."""
        with self._lock:
            self._queue = [_Queued(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Put one more at the end."""
        with self._lock:
            self._queue.append(_Queued(fault))

    @property
    def waiting(self) -> list[Fault]:
        """The faults still to come."""
        with self._lock:
            return [queued.fault for queued in self._queue]

    def draw(self, method: str) -> Fault | None:
        """
        Return what goes wrong with a request, or None.

        :param method: the requested method
        """
        if not self._queue:
            return None
        with self._lock:
            for queued in self._queue:
                fault = queued.fault
                if fault.method not in ("*", method):
                    continue
                if queued.skip:
                    queued.skip -= 1
                    continue
                if fault.probability < 1 and self._random.random() >= fault.probability:
                    continue
                if queued.left is not None:
                    queued.left -= 1
                    if queued.left <= 0:
                        self._queue.remove(queued)
                return fault
        return None


class _Queued:
    """A fault, and how often it is still to be skipped and to happen."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.skip, self.left = fault, fault.skip, fault.times
