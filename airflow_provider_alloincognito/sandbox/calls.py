"""
The calls: the same for the same seed and day on every machine, whatever was requested before.

This file is the sandbox's truth. It knows nothing of HTTP, of queries or of how a row is written.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

from airflow_provider_alloincognito.sandbox.changes import Change
from airflow_provider_alloincognito.sandbox.names import ROW_FIELDS
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

DAY_MS = 86_400_000
OUTGOING, INCOMING = 1, 2
LONGER_SECONDS = 60
# Where the ids of added calls begin, and the places of their recordings.
_ADDED_ID, _ADDED_PLACE = 5_000_000, 1 << 31
T = TypeVar("T")

# Weights of the hours of a working day and of a weekend day.
_WORKING_HOURS = (1, 1, 1, 1, 1, 2, 4, 12, 35, 75, 95, 100, 90, 80, 92, 96, 90, 78, 50, 28, 16, 9, 5, 2)
_WEEKEND_HOURS = (2, 1, 1, 1, 1, 1, 2, 4, 10, 22, 34, 40, 42, 40, 36, 34, 32, 30, 28, 22, 16, 10, 6, 3)
_WEEKEND_SHARE = 0.35
_COMMENTS: tuple[Any, ...] = (
    None,
    'он сказал: "}], {", и положил',
    {"tags": ["VIP", "}"], "nested": {"deep": [1, [2, {"x": None}]]}},
    'обратный слэш \\ и \\" и перенос\nстроки',
    "\u2028 \U0001f4de ,]}",
    [],
)


class Call(NamedTuple):
    """A call, in the order of ``ROW_FIELDS``. Times are milliseconds from the midnight of its day in the API's zone."""

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
        """The end of the call."""
        return self.start_ms + 1000 * (self.wait + self.duration)

    def start_text(self, day: date) -> str:
        """Return the start as a row has it."""
        minutes, ms = divmod(self.start_ms, 60_000)
        text = f"{day.isoformat()} {minutes // 60:02d}:{minutes % 60:02d}:{ms // 1000:02d}"
        return f"{text}.{ms % 1000:03d}" if ms % 1000 else text


class DayCache(Generic[T]):
    """
    Keeps what was made for the most recently used days.

    :param limit: total size of what is kept (one day always is)
    :param size: returns the size of one day
    """

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        self._limit = limit
        self._size = size
        self._total = 0
        self._days: OrderedDict[tuple[Any, ...], T] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._days)

    def __contains__(self, key: tuple[Any, ...]) -> bool:
        return key in self._days

    def get(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        """
        Return what is kept for a day, or make it.

        :param key: the day, and the settings that matter
        :param make: makes it
        """
        with self._lock:
            if (known := self._days.get(key)) is not None:
                self._days.move_to_end(key)
                return known
        made = make()
        with self._lock:
            if key not in self._days:
                self._days[key] = made
                self._total += self._size(made)
            while self._total > self._limit and len(self._days) > 1:
                self._total -= self._size(self._days.popitem(last=False)[1])
        return made


class CallGenerator:
    """
    Generates the calls of each day, and keeps the most recently used days.

    :param keep_calls: how many calls are kept at most (one day always is)
    """

    def __init__(self, keep_calls: int = 200_000) -> None:
        self.cache: DayCache[list[Call]] = DayCache(keep_calls, len)

    def calls(self, settings: SandboxSettings, day: date) -> list[Call]:
        """
        Return the calls that start on a day, in order of their start.

        :param settings: what the calls depend on
        :param day: the day, in the API's zone
        """
        return self.cache.get((*call_settings(settings), day), lambda: calls_of_day(settings, day))

    def between(self, settings: SandboxSettings, start: datetime, end: datetime) -> Iterator[tuple[date, Call]]:
        """
        Yield the calls with ``start <= their start < end``.

        :param settings: what the calls depend on
        :param start: naive, in the API's zone
        :param end: as ``start``
        """
        day = start.date()
        while datetime.combine(day, datetime.min.time()) < end:
            midnight = datetime.combine(day, datetime.min.time())
            for call in self.calls(settings, day):
                if start <= midnight + timedelta(milliseconds=call.start_ms) < end:
                    yield day, call
            day += timedelta(days=1)

    def as_of(self, settings: SandboxSettings, moment: datetime) -> SandboxSettings:
        """
        Return the settings without the changes that are still to happen.

        :param settings: have the changes
        :param moment: naive, in the API's zone
        """
        if all(change.after is None for change in settings.changes):
            return settings
        unchanged = settings.but(changes=())

        def has_happened(change: Change) -> bool:
            call = self.calls(unchanged, change.day)[change.index]
            ended = datetime.combine(change.day, datetime.min.time()) + timedelta(milliseconds=call.end_ms)
            return change.after is None or ended + timedelta(seconds=change.after) <= moment

        return settings.but(changes=tuple(filter(has_happened, settings.changes)))

    def find_recording(self, settings: SandboxSettings, record_file_id: str) -> tuple[date, Call] | None:
        """
        Return the day and the call of a recording, or None.

        :param settings: what the calls depend on
        :param record_file_id: the recording's id, as in a row
        """
        place = _place_of(record_file_id)
        if place is None:
            return None
        day, index = place
        changes = _changes_on(settings, day)
        calls = self.calls(settings, day)
        # Where calls were added or removed, others are not at their index.
        near = calls if changes else calls[index : index + 1]
        call = next((call for call in near if call.record_file_id == record_file_id), None)
        kinds = {change.change for change in changes if change.index == index}
        if call is None or "no_recording" in kinds:
            return None
        return day, call._replace(duration=call.duration - LONGER_SECONDS) if "longer" in kinds else call

    def check_changes(self, settings: SandboxSettings) -> None:
        """
        Refuse changes that would change nothing.

        :param settings: have the changes
        :raises ValueError: naming the change whose call does not exist, or has a recording already, or none to miss
        """
        unchanged = settings.but(changes=())
        for change in settings.changes:
            calls = self.calls(unchanged, change.day)
            if change.index >= len(calls):
                raise ValueError(f"changes: {change.day} has {len(calls)} calls, none with the index {change.index}.")
            is_recorded = calls[change.index].record_file_id is not None
            if is_recorded is {"record": True, "no_recording": False}.get(change.change):
                has = "has a recording already" if is_recorded else "has no recording"
                raise ValueError(f"changes: call {change.index} of {change.day} {has} (change {change.change!r}).")


def call_settings(settings: SandboxSettings) -> tuple[Any, ...]:
    """Return the settings on which the calls depend."""
    s = settings
    return (s.seed, s.calls_per_day, s.daily_variation, s.start_fractions, s.awkward_rows, s.changes)


def start_of(settings: SandboxSettings, day: date, call: Call) -> str | int:
    """
    Return a call's start as its row has it.

    :param settings: the format
    :param day: the call's day
    :param call: the call
    """
    if settings.start_format == "naive":
        return call.start_text(day)
    moment = datetime(day.year, day.month, day.day, tzinfo=settings.zone) + timedelta(milliseconds=call.start_ms)
    match settings.start_format:
        case "iso":
            return moment.replace(tzinfo=None).isoformat()
        case "iso_offset":
            return moment.isoformat()
        case "iso_z":
            return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case "dotted":
            return moment.strftime("%d.%m.%Y %H:%M:%S")
        case "epoch_s":
            return int(moment.timestamp())
    return round(moment.timestamp() * 1000)


def row_of(settings: SandboxSettings, day: date, call: Call) -> dict[str, Any]:
    """
    Return the row that the API should send for a call.

    :param settings: the names of the fields, and how values are written
    :param day: the call's day
    :param call: the call
    """
    direction = settings.row_directions[call.direction]
    values: Iterable[Any] = (call.call_id, start_of(settings, day, call), direction, *call[3:])
    if settings.numbers_as_text:
        values = (str(value) if type(value) is int else value for value in values)
    names = (settings.row_fields.get(name, name) for name in ROW_FIELDS)
    return {name: value for name, value in zip(names, values, strict=True) if name is not None}


def calls_of_day(settings: SandboxSettings, day: date) -> list[Call]:
    """
    Generate the calls that start on a day.

    :param settings: what the calls depend on
    :param day: the day, in the API's zone
    """
    rng = random.Random(f"{settings.seed}|{day.isoformat()}")
    people = _People(settings.seed)
    starts = _starts(settings, day, rng)
    ids = _RecordIds(settings.seed, day)
    # The last call of a day ends after midnight, unless the day is tiny.
    late = max(3, len(starts) - 1)
    calls = [_call(settings, rng, people, ids, index, start, index == late) for index, start in enumerate(starts)]
    changes = _changes_on(settings, day)
    return _changed(calls, changes, ids) if changes else calls


def _changes_on(settings: SandboxSettings, day: date) -> list[Change]:
    return [change for change in settings.changes if change.day == day]


def _changed(calls: list[Call], changes: list[Change], ids: _RecordIds) -> list[Call]:
    """Return a day's calls with what has changed, in order of their start."""
    kept: dict[int, Call] = dict(enumerate(calls))
    added, removed = [], set()
    for change in changes:
        index, call = change.index, kept[change.index]
        match change.change:
            case "add":
                added.append(_added(calls[index], index, ids))
            case "remove":
                removed.add(index)
            case "longer":
                kept[index] = call._replace(duration=call.duration + LONGER_SECONDS)
            case "record":
                kept[index] = call._replace(record_file_id=ids.of(index))
    left = [call for index, call in kept.items() if index not in removed]
    return sorted([*left, *added], key=lambda call: call.start_ms)


def _added(call: Call, index: int, ids: _RecordIds) -> Call:
    """Return one more call in the second of another."""
    return call._replace(
        call_id=ids.day * 10_000_000 + _ADDED_ID + index,
        direction=OUTGOING if call.direction == INCOMING else INCOMING,
        caller=call.called,
        called=call.caller,
        record_file_id=ids.of(_ADDED_PLACE | index) if call.record_file_id else None,
    )


def _starts(settings: SandboxSettings, day: date, rng: random.Random) -> list[int]:
    size, hours = settings.calls_per_day, _WORKING_HOURS
    if settings.daily_variation:
        if day.weekday() >= 5:
            size, hours = int(size * _WEEKEND_SHARE), _WEEKEND_HOURS
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
    # Exports lose or repeat calls at a day's boundary: two calls start exactly on it, one just before it.
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
    settings: SandboxSettings, rng: random.Random, people: _People, ids: _RecordIds, index: int, start: int, late: bool
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
        ids.day * 10_000_000 + index,
        start,
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
    """The phone numbers: the company's own, its regular customers', and all others."""

    def __init__(self, seed: int | str) -> None:
        rng = random.Random(f"{seed}|people")
        self.own = [f"{rng.choice(('7495', '7499', '7812'))}{rng.randrange(10**7):07d}" for _ in range(7)]
        self.own.append(f"8800{rng.randrange(10**7):07d}")
        self.regular = [self._random_number(rng) for _ in range(300)]

    def customer(self, rng: random.Random) -> str:
        if rng.random() < 0.4:
            return self.regular[int(rng.random() ** 2 * len(self.regular))]
        return self._random_number(rng)

    @staticmethod
    def _random_number(rng: random.Random) -> str:
        # Most numbers begin with 7, some with 8, as exchanges send them.
        country = "8" if rng.random() < 0.12 else "7"
        number = int(rng.random() * 10**9)
        return f"{country}9{number:09d}" if rng.random() < 0.9 else f"{country}4{number:09d}"


class _RecordIds:
    """
    Ids of recordings: UUIDs (version 4 in form) that hold the day and the call's index in it, masked.

    So a recording is found by its id alone, however many days there are.
    """

    def __init__(self, seed: int | str, day: date) -> None:
        self._key = hashlib.sha256(f"{seed}|recordings".encode()).digest()
        self.day = day.toordinal()

    def of(self, index: int) -> str:
        place = self.day << 32 | index
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
    """Return a row as a line of the truth's file."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"
