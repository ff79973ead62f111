"""Rows as the API writes them: rendered once for each day, sliced by period, selected by filter."""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from airflow_provider_alloincognito.sandbox.calls import DAY_MS, Call, CallGenerator, DayCache, call_settings, start_of
from airflow_provider_alloincognito.sandbox.names import ROW_FIELDS
from airflow_provider_alloincognito.sandbox.requests import CallQuery, same_number
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

BLOCK = 256 * 1024
# Fields whose value is a number, never null.
_NUMBERS = frozenset({"callId", "duration", "waitDuration"})


@dataclass(frozen=True, slots=True)
class RenderedDay:
    """A day's rows, one after the other, each followed by the separator."""

    body: bytes
    offsets: array[int]
    starts: array[int]
    latest_end: int


class RowRenderer:
    """
    Renders rows, and keeps the most recently used days.

    :param calls: generates the calls
    :param keep_bytes: how many bytes of rows are kept at most (one day always is)
    """

    def __init__(self, calls: CallGenerator, keep_bytes: int) -> None:
        self._calls = calls
        self._cache: DayCache[RenderedDay] = DayCache(keep_bytes, lambda rendered: len(rendered.body))

    def is_quick(self, settings: SandboxSettings, query: CallQuery) -> bool:
        """Return whether all rows are rendered already, so that the event loop can send them without a thread."""
        days = (query.end - query.start).days
        if days > 1 or settings.calls_per_day > 10_000 or query.filters:
            return False
        return all(self._key(settings, day) in self._cache for day, _, _ in _spans(settings, query))

    def blocks(self, settings: SandboxSettings, query: CallQuery, as_of: datetime) -> Iterator[bytes]:
        """
        Yield the rows that a query finds, joined, in blocks.

        :param settings: how rows are written
        :param query: the query
        :param as_of: a moment in the API's zone: calls not yet listed at that time are not found
        """
        settings = self._calls.as_of(settings, as_of)
        separator = _separator(settings)
        first = True
        for day, low, high in _spans(settings, query):
            for block in self._of_day(settings, query, day, low, high, as_of):
                yield block if first else separator + block
                first = False

    def _of_day(
        self, settings: SandboxSettings, query: CallQuery, day: date, low: int, high: int, as_of: datetime
    ) -> Iterator[bytes]:
        rendered = self._rendered(settings, day)
        begin, end = bisect_left(rendered.starts, low), bisect_left(rendered.starts, high)
        separator = len(_separator(settings))
        now_ms = (as_of - _midnight(day)) // timedelta(milliseconds=1)
        if begin == end:
            return
        if query.filters or not _all_listed(settings, rendered, now_ms):
            selected = self._selected(settings, query, day, range(begin, end), now_ms, rendered)
            if selected:
                yield _separator(settings).join(selected)
            return
        while begin < end:
            # As many rows as fit into a block, at least one.
            upto = bisect_left(rendered.offsets, rendered.offsets[begin] + BLOCK, begin + 1, end)
            yield rendered.body[rendered.offsets[begin] : rendered.offsets[upto] - separator]
            begin = upto

    def _selected(
        self, settings: SandboxSettings, query: CallQuery, day: date, indexes: range, now_ms: int, rendered: RenderedDay
    ) -> list[bytes]:
        calls = self._calls.calls(settings, day)
        separator = len(_separator(settings))
        writer = _writer(settings)
        selected = []
        for index in indexes:
            call = calls[index]
            if not is_listed(settings, call, now_ms):
                continue
            if not has_recording(settings, call, now_ms) and call.record_file_id:
                call = call._replace(record_file_id=None)
                row = writer.row(day, call)
            else:
                row = rendered.body[rendered.offsets[index] : rendered.offsets[index + 1] - separator]
            if _matches(query, call):
                selected.append(row)
        return selected

    def _key(self, settings: SandboxSettings, day: date) -> tuple[Any, ...]:
        fields = tuple(sorted(settings.row_fields.items()))
        directions = tuple(settings.row_directions.values())
        written = (settings.numbers_as_text, settings.start_format, settings.timezone, directions)
        return (*call_settings(settings), fields, settings.pretty, settings.ascii_json, *written, day)

    def _rendered(self, settings: SandboxSettings, day: date) -> RenderedDay:
        make = partial(_render, settings, day, self._calls)
        return self._cache.get(self._key(settings, day), make)


def is_listed(settings: SandboxSettings, call: Call, now_ms: int) -> bool:
    """Return whether a call is listed at a moment."""
    return settings.call_appears_after is None or call.end_ms + 1000 * settings.call_appears_after <= now_ms


def has_recording(settings: SandboxSettings, call: Call, now_ms: int) -> bool:
    """Return whether a call's recording is available at a moment."""
    if call.record_file_id is None:
        return False
    return settings.call_appears_after is None or call.end_ms + 1000 * settings.recording_appears_after <= now_ms


def _all_listed(settings: SandboxSettings, rendered: RenderedDay, now_ms: int) -> bool:
    if settings.call_appears_after is None:
        return True
    latest = max(settings.call_appears_after, settings.recording_appears_after)
    return rendered.latest_end + 1000 * latest <= now_ms


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _spans(settings: SandboxSettings, query: CallQuery) -> Iterator[tuple[date, int, int]]:
    """Yield the days of a period, each with the first millisecond inside it and the first one after it."""
    millisecond = timedelta(milliseconds=1)
    # An inclusive end is compared in whole seconds, so the fractions of its second are inside.
    more = 1000 if settings.period_end == "inclusive" else 0
    for ordinal in range(query.start.toordinal(), query.end.toordinal() + 1):
        day = date.fromordinal(ordinal)
        midnight = _midnight(day)
        low = max(0, (query.start - midnight) // millisecond)
        high = min(DAY_MS, (query.end - midnight) // millisecond + more)
        if low < high:
            yield day, low, high


def _matches(query: CallQuery, call: Call) -> bool:
    if query.direction and call.direction != query.direction:
        return False
    if query.duration_from is not None and call.duration < query.duration_from:
        return False
    if query.duration_to is not None and call.duration > query.duration_to:
        return False
    if query.only_recorded and call.record_file_id is None:
        return False
    if query.is_read is not None and call.is_read != query.is_read:
        return False
    if query.numbers is None:
        return True
    return same_number(call.caller) in query.numbers or same_number(call.called) in query.numbers


def _render(settings: SandboxSettings, day: date, generator: CallGenerator) -> RenderedDay:
    calls = generator.calls(settings, day)
    writer = _writer(settings)
    separator = _separator(settings)
    rows = [writer.row(day, call) for call in calls]
    offsets, at = array("Q", [0]), 0
    for row in rows:
        at += len(row) + len(separator)
        offsets.append(at)
    body = separator.join(rows) + (separator if rows else b"")
    starts = array("q", (call.start_ms for call in calls))
    return RenderedDay(body, offsets, starts, max((call.end_ms for call in calls), default=0))


def _separator(settings: SandboxSettings) -> bytes:
    return b",\n      " if settings.pretty else b","


class _Writer(NamedTuple):
    template: str
    chosen: tuple[int, ...]
    settings: SandboxSettings
    number: str
    directions: dict[int, str]

    def row(self, day: date, call: Call) -> bytes:
        start = start_of(self.settings, day, call)
        values = (
            call.call_id,
            f'"{start}"' if isinstance(start, str) else self.number % start,
            self.directions[call.direction],
            f'"{call.caller}"',
            f'"{call.called}"',
            call.duration,
            call.wait,
            f'"{call.status}"',
            f'"{call.record_file_id}"' if call.record_file_id else "null",
            "true" if call.is_voicemail else "false",
            "null" if call.is_read is None else self.number % call.is_read,
            "null" if call.comment is None else json.dumps(call.comment, ensure_ascii=self.settings.ascii_json),
        )
        if len(self.chosen) < len(values):
            values = tuple(values[index] for index in self.chosen)  # type: ignore[assignment]
        return (self.template % values).encode()


def _writer(settings: SandboxSettings) -> _Writer:
    names = [settings.row_fields.get(name, name) for name in ROW_FIELDS]
    chosen = tuple(index for index, name in enumerate(names) if name is not None)
    number = '"%s"' if settings.numbers_as_text else "%s"
    directions = {
        direction: json.dumps(value, ensure_ascii=settings.ascii_json) if type(value) is not int else number % value
        for direction, value in settings.row_directions.items()
    }
    pairs = []
    for index in chosen:
        key = json.dumps(names[index], ensure_ascii=settings.ascii_json).replace("%", "%%")
        pairs.append((key, number if ROW_FIELDS[index] in _NUMBERS else "%s"))
    if settings.pretty:
        body = ",\n".join(f"        {key}: {value}" for key, value in pairs)
        return _Writer("{\n" + body + "\n      }", chosen, settings, number, directions)
    return _Writer("{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}", chosen, settings, number, directions)
