"""
The calls: the same ones for the same seed and day, on every machine, with no memory of what was asked.

This file is the sandbox's truth. It knows nothing of HTTP, of queries or of how a row is written.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections import OrderedDict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any, Literal, NamedTuple
from uuid import UUID

from airflow_provider_alloincognito.sandbox.settings import ROW_FIELDS, SandboxSettings

DAY_MS = 86_400_000
OUTGOING, INCOMING = 1, 2

# Calls by the hour of a working day and of a free one.
_WORKING_HOURS = (1, 1, 1, 1, 1, 2, 4, 12, 35, 75, 95, 100, 90, 80, 92, 96, 90, 78, 50, 28, 16, 9, 5, 2)
_FREE_HOURS = (2, 1, 1, 1, 1, 1, 2, 4, 10, 22, 34, 40, 42, 40, 36, 34, 32, 30, 28, 22, 16, 10, 6, 3)
_FREE_DAY_SHARE = 0.35
_COMMENTS: tuple[Any, ...] = (
    None,
    'он сказал: "}], {", и положил',
    {"tags": ["VIP", "}"], "nested": {"deep": [1, [2, {"x": None}]]}},
    'обратный слэш \\ и \\" и перенос\nстроки',
    "\u2028 \U0001f4de ,]}",
    [],
)


class Call(NamedTuple):
    """A call. Times are milliseconds from the midnight of its day, in the API's zone."""

    call_id: int
    start_ms: int
    direction: int
    caller: str
    called: str
    duration: int
    wait: int
    status: Literal["answered", "missed", "voicemail"]
    record_file_id: str | None
    is_voicemail: bool
    is_read: int | None
    comment: Any

    @property
    def end_ms(self) -> int:
        """When the call ended."""
        return self.start_ms + 1000 * (self.wait + self.duration)


class CallGenerator:
    """
    The calls of each day, most recently used days kept.

    :param keep_calls: so many calls are kept at most (one day always is)
    """

    def __init__(self, keep_calls: int = 200_000) -> None:
        self._keep = keep_calls
        self._kept = 0
        self._days: OrderedDict[tuple[Any, ...], list[Call]] = OrderedDict()
        self._lock = threading.Lock()

    def calls(self, settings: SandboxSettings, day: date) -> list[Call]:
        """
        Give the calls that begin on a day, in order of their start.

        :param settings: what calls there are
        :param day: the day, in the API's zone
        """
        key = (*call_knobs(settings), day)
        with self._lock:
            if (known := self._days.get(key)) is not None:
                self._days.move_to_end(key)
                return known
        calls = calls_of_day(settings, day)
        with self._lock:
            if key not in self._days:
                self._days[key] = calls
                self._kept += len(calls)
            while self._kept > self._keep and len(self._days) > 1:
                self._kept -= len(self._days.popitem(last=False)[1])
        return calls

    def between(self, settings: SandboxSettings, start: datetime, end: datetime) -> Iterator[tuple[date, Call]]:
        """
        Give the calls with ``start <= their start < end``.

        :param start: without a zone: in the API's
        :param end: so too
        """
        day = start.date()
        while datetime.combine(day, datetime.min.time()) < end:
            midnight = datetime.combine(day, datetime.min.time())
            for call in self.calls(settings, day):
                if start <= midnight + timedelta(milliseconds=call.start_ms) < end:
                    yield day, call
            day += timedelta(days=1)

    def find_recording(self, settings: SandboxSettings, record_file_id: str) -> tuple[date, Call] | None:
        """
        Give the call that a recording belongs to, or None.

        :param record_file_id: the recording's id, as a row has it
        """
        place = _place_of(record_file_id)
        if place is None:
            return None
        day, index = place
        calls = self.calls(settings, day)
        if index < len(calls) and calls[index].record_file_id == record_file_id:
            return day, calls[index]
        return None


def call_knobs(settings: SandboxSettings) -> tuple[Any, ...]:
    """Give the knobs on which the calls depend."""
    s = settings
    return (s.seed, s.calls_per_day, s.daily_variation, s.start_fractions, s.awkward_rows)


def start_text(day: date, start_ms: int) -> str:
    """Write a start as a row has it."""
    minutes, ms = divmod(start_ms, 60_000)
    text = f"{day.isoformat()} {minutes // 60:02d}:{minutes % 60:02d}:{ms // 1000:02d}"
    return f"{text}.{ms % 1000:03d}" if ms % 1000 else text


def row_of(settings: SandboxSettings, day: date, call: Call) -> dict[str, Any]:
    """
    Give a call as the row that the API should answer.

    :param settings: the names of the fields
    :param day: the call's day
    :param call: the call
    """
    values = (
        call.call_id,
        start_text(day, call.start_ms),
        call.direction,
        call.caller,
        call.called,
        call.duration,
        call.wait,
        call.status,
        call.record_file_id,
        call.is_voicemail,
        call.is_read,
        call.comment,
    )
    names = (settings.row_fields.get(name, name) for name in ROW_FIELDS)
    return {name: value for name, value in zip(names, values, strict=True) if name is not None}


def calls_of_day(settings: SandboxSettings, day: date) -> list[Call]:
    """
    Make up the calls that begin on a day.

    :param settings: what calls there are
    :param day: the day, in the API's zone
    """
    rng = random.Random(f"{settings.seed}|{day.isoformat()}")
    people = _People(settings.seed)
    starts = _starts(settings, day, rng)
    ids = _RecordIds(settings.seed, day)
    calls = []
    for index, start in enumerate(starts):
        # The last call of a day of some size goes on past midnight.
        late = index == len(starts) - 1 and index > 2
        calls.append(_call(settings, rng, people, ids, day, index, start, late))
    return calls


def _starts(settings: SandboxSettings, day: date, rng: random.Random) -> list[int]:
    size, hours = settings.calls_per_day, _WORKING_HOURS
    if settings.daily_variation:
        if day.weekday() >= 5:
            size, hours = int(size * _FREE_DAY_SHARE), _FREE_HOURS
        size = round(size * rng.uniform(0.9, 1.1))
    weights = list(accumulate(hours))
    fraction = rng.random
    starts = sorted(
        hour * 3_600_000 + int(fraction() * 3_600_000) for hour in rng.choices(range(24), cum_weights=weights, k=size)
    )
    if not settings.start_fractions:
        starts = [start // 1000 * 1000 for start in starts]
    else:
        starts = sorted(start if start % 2 else start // 1000 * 1000 for start in starts)
    # A day's boundary is where exports lose calls or land them twice: two calls exactly on it, one just before it.
    if size >= 1:
        starts[0] = 0
    if size >= 8:
        starts[1] = 0
        starts[-2] = DAY_MS - 1000
        starts[-1] = DAY_MS - 1000 + (750 if settings.start_fractions else 0)
    elif size > 3:
        starts[-1] = DAY_MS - 1000
    return starts


def _call(
    settings: SandboxSettings,
    rng: random.Random,
    people: _People,
    ids: _RecordIds,
    day: date,
    index: int,
    start_ms: int,
    late: bool,
) -> Call:
    chance = rng.random
    incoming = chance() < 0.6
    own = people.own[int(chance() * len(people.own))]
    other = people.customer(rng)
    outcome = 0.0 if late else chance()
    duration, status, recorded, is_read = 0, "missed", False, None
    if outcome < 0.72:
        status = "answered"
        duration = 600 + int(chance() * 300) if late else min(3600, 3 + int(rng.expovariate(1 / 110)))
        recorded = chance() < 0.85
    elif incoming and outcome < 0.84:
        status, duration, recorded = "voicemail", 4 + int(chance() * 50), True
        is_read = int(chance() < 0.6)
    return Call(
        day.toordinal() * 10_000_000 + index,
        start_ms,
        INCOMING if incoming else OUTGOING,
        other if incoming else own,
        own if incoming else other,
        duration,
        2 + int(chance() * 30),
        status,  # type: ignore[arg-type]
        ids.of(index) if recorded else None,
        is_read is not None,
        is_read,
        _COMMENTS[int(chance() * len(_COMMENTS))] if settings.awkward_rows else None,
    )


class _People:
    """The numbers: a company's own, its regular customers', and everybody else's."""

    def __init__(self, seed: int | str) -> None:
        rng = random.Random(f"{seed}|people")
        self.own = [f"{rng.choice(('7495', '7499', '7812'))}{rng.randrange(10**7):07d}" for _ in range(7)]
        self.own.append(f"8800{rng.randrange(10**7):07d}")
        self.regular = [self._anybody(rng) for _ in range(300)]

    def customer(self, rng: random.Random) -> str:
        if rng.random() < 0.4:
            return self.regular[int(rng.random() ** 2 * len(self.regular))]
        return self._anybody(rng)

    @staticmethod
    def _anybody(rng: random.Random) -> str:
        # Most numbers come with 7, some with 8, as exchanges pass them on.
        country = "8" if rng.random() < 0.12 else "7"
        number = int(rng.random() * 10**9)
        return f"{country}9{number:09d}" if rng.random() < 0.9 else f"{country}4{number:09d}"


class _RecordIds:
    """
    Ids of recordings: UUIDs (version 4 in form) that hold the day and the call's place in it under a mask.

    So a recording is found from its id alone, however many days there are.
    """

    def __init__(self, seed: int | str, day: date) -> None:
        self._key = hashlib.sha256(f"{seed}|recordings".encode()).digest()
        self._ordinal = day.toordinal()

    def of(self, index: int) -> str:
        place = self._ordinal << 32 | index
        tail = hashlib.blake2b(place.to_bytes(7, "big"), digest_size=8, key=self._key).digest()
        tail = bytes((tail[0] & 0x3F | 0x80,)) + tail[1:]
        head = f"{place ^ _mask(tail):014x}"
        h = f"{head[:12]}4{tail[1] & 15:x}{head[12:]}{tail.hex()}"
        return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def _place_of(record_file_id: str) -> tuple[date, int] | None:
    try:
        h = UUID(record_file_id).hex
    except ValueError:
        return None
    place = int(h[:12] + h[14:16], 16) ^ _mask(bytes.fromhex(h[16:]))
    ordinal, index = place >> 32, place & 0xFFFFFFFF
    if not 1 <= ordinal <= date.max.toordinal():
        return None
    return date.fromordinal(ordinal), index


def _mask(tail: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(tail, digest_size=7).digest(), "big")


def truth_line(row: dict[str, Any]) -> bytes:
    """Write a row as a line of the truth's file."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"
