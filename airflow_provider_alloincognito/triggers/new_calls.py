"""The trigger of an asset's watcher: tells of new calls within minutes, without occupying a worker."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from airflow.triggers.base import TriggerEvent

from airflow_provider_alloincognito.amounts import seconds_text
from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.log_limit import LogLimit
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import RowFilter
from airflow_provider_alloincognito.api.times import parse_moment
from airflow_provider_alloincognito.api.wait_log import FIRST_LINES, SECONDS_BETWEEN_LINES
from airflow_provider_alloincognito.api.windows import Window, window_at
from airflow_provider_alloincognito.compat import (
    HAS_ASSET_WATCHERS,
    BaseEventTrigger,
    events_of_inlets,
    triggering_events,
)
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoError,
    AlloincognitoQueryError,
    AlloincognitoResponseError,
    AlloincognitoSettingsError,
    AlloincognitoWaitTimeout,
)
from airflow_provider_alloincognito.hooks.shared import shared_async_client
from airflow_provider_alloincognito.scrubbing import place_of
from airflow_provider_alloincognito.triggers.alloincognito import Polling
from airflow_provider_alloincognito.triggers.row_digest import RowDigest
from airflow_provider_alloincognito.triggers.watermark import Look, Rhythm, Watermark
from airflow_provider_alloincognito.triggers.watermark_stores import AssetStateStore, VariableStore, WatermarkStore

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.transport.async_client import AsyncClient
    from airflow_provider_alloincognito.compat import Context

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
ROWS = b"airflow-provider-alloincognito rows of a window 1"
FILTERS = ("direction", "duration_from", "duration_to", "is_call_record", "is_read")
ARGUMENTS = (
    "name",
    "window",
    "settling_time",
    "look_again_after",
    "first",
    *FILTERS,
    "start_time_field",
    "ready_check",
    "alloincognito_conn_id",
)
SPREAD = 0.1
PAUSE_AFTER_LOOK = 1.0
"""Seconds between two requests of a watcher that has much to catch up with."""
FIRST_RETRY = 15.0
RETRY_AFTER_ERROR = 300.0
"""Seconds to the next try after an error that somebody has to mend."""
LONGEST_PAUSE = 3600.0
"""Seconds after which the server is asked again, however long a pause it has asked for: it may have mended since."""
MOST_PERIODS = 1000
"""Airflow maps a task at most 1,024 times ([core] max_map_length)."""
A_DAY = timedelta(days=1)
FIRST_POLL = 5.0
LONGEST_POLLING = 1800.0


class NewCalls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A watcher's event: a window whose calls are new, or are others than at the first look. No personal data.

    :param period_start: the window's first moment, in ISO 8601, in the API's zone.
    :param period_end: the moment after it, likewise.
    :param calls: how many calls the window has now.
    :param again: the window was looked at before, and has other rows now: some came late, were corrected, or are gone.
    """

    period_start: str
    period_end: str
    calls: int
    again: bool = False


class Found(NamedTuple):
    """
    What came of a look.

    :param event: what is to be told, if anything.
    :param watermark: how far the watcher has looked then.
    """

    event: NewCalls | None
    watermark: Watermark


class AlloincognitoNewCallsTrigger(BaseEventTrigger):
    """
    Emit an event for each short window with new calls: ``AssetWatcher(name="...", trigger=...)``, Airflow 3.0 or newer.

    The call list of each window is requested twice: when it has settled, and once more later, for calls that were late.
    A window that is more than a day old by then, as where a watcher begins long ago, is requested once. An event is a
    :class:`NewCalls`. Events come at least once: after the triggerer was restarted, those of the last minutes come
    again.

    :param name: of the watermark, which says how far the watcher has looked. Each watcher of a deployment needs its
        own. With another name the watcher begins anew.
    :param window: length of a window in seconds, from 60 to 86,400. The API's day ends one, too.
    :param settling_time: seconds from a window's end to the first look. Calls that are listed later, such as those that
        last longer, are found by the second look.
    :param look_again_after: seconds from a window's end to the second look; 0: there is none. If the first look comes
        late, as after an outage, so does the second.
    :param first: the moment with which a watcher begins that has no watermark yet, in ISO 8601, without a zone in the
        API's; default now.
    :param direction: ``all`` (default), ``outgoing``, ``incoming``, or the API's 0, 1, 2.
    :param duration_from: shortest call, in seconds.
    :param duration_to: longest call, in seconds.
    :param is_call_record: True for only the calls that have a recording.
    :param is_read: the API's voicemail flag, 0 or 1; no limit by default.
    :param start_time_field: the row's field with the call's start: rows are then cut to the window exactly. Default the
        Connection's setting of that name.
    :param ready_check: dotted path of a function that takes a response's
        :class:`~airflow_provider_alloincognito.api.answer.envelope.Envelope` and returns whether the result is ready;
        decided by the Connection's settings by default.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :raises AlloincognitoQueryError: if an argument is invalid.
    :raises AlloincognitoSettingsError: on Airflow 2.
    """

    confirmed_after = 60.0
    """Seconds after which an event is taken to be stored by Airflow, which does so about once a second."""
    _failures: LogLimit  # while it runs alone: Airflow 3.0 copies a DAG with its triggers, and no lock can be copied

    def __init__(
        self,
        name: str,
        *,
        window: int = 300,
        settling_time: float = 600,
        look_again_after: float = 3600,
        first: datetime | str | None = None,
        direction: int | str | None = None,
        duration_from: int | None = None,
        duration_to: int | None = None,
        is_call_record: bool | None = None,
        is_read: int | None = None,
        start_time_field: str | None = None,
        ready_check: str | None = None,
        alloincognito_conn_id: str = "alloincognito_default",
    ) -> None:
        if not HAS_ASSET_WATCHERS:
            raise AlloincognitoSettingsError(
                "Airflow 2 has no asset watchers. Upgrade to Airflow 3.0 or newer, or run a DAG every 15 minutes "
                "instead: see the page 'New calls within minutes' of the documentation."
            )
        super().__init__()  # type: ignore[no-untyped-call]
        self.name = name
        self.window = window
        self.settling_time = settling_time
        self.look_again_after = look_again_after
        self.first = first.isoformat() if isinstance(first, datetime) else first
        self.direction = direction
        self.duration_from = duration_from
        self.duration_to = duration_to
        self.is_call_record = is_call_record
        self.is_read = is_read
        self.start_time_field = start_time_field
        self.ready_check = ready_check
        self.alloincognito_conn_id = alloincognito_conn_id
        self._check_arguments()
        self._rhythm = Rhythm(
            window=window,
            settling_time=settling_time,
            look_again_after=look_again_after,
            spread=window * random.uniform(0, SPREAD),
        )
        self._watermark: Watermark | None = None
        self._unsaved: deque[tuple[float, Watermark]] = deque()  # with the time of their events
        self._passing = Polling(FIRST_RETRY, float("inf"))

    def _check_arguments(self) -> None:
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            raise AlloincognitoQueryError("name is invalid. It must have 1 to 100 letters, digits, or '_', '.', '-'.")
        now = datetime.now(UTC)
        self._query(Window(now, now + timedelta(seconds=60)))
        self._first_moment(ZoneInfo("UTC"))

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class' path and its arguments."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in ARGUMENTS}

    def now(self) -> float:
        """Return the seconds since the epoch. Windows are due by this clock."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait for seconds of :meth:`now`."""
        await asyncio.sleep(seconds)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Yield an event for each window with new calls, until Airflow cancels it.

        No error ends it: Airflow would start it again at once, every second, and log the error's text.
        """
        self._failures = LogLimit(FIRST_LINES, SECONDS_BETWEEN_LINES)
        while True:
            try:
                found = await self._next()
            except Exception as error:  # noqa: BLE001 - see above
                await self.sleep(self._seconds_after(error))
                continue
            if found is None:
                continue
            if found.event is not None:
                yield TriggerEvent(msgspec.structs.asdict(found.event))
            # Not before Airflow has taken the event.
            self._watermark = found.watermark
            self._unsaved.append((self.now(), found.watermark))
            await self.sleep(PAUSE_AFTER_LOOK)

    async def _next(self) -> Found | None:
        """Look at the window that is due; wait, and return None, if there is none yet."""
        client = await shared_async_client(self.alloincognito_conn_id)  # the Connection may have been edited
        zone = client.settings.zone
        if self._watermark is None:
            self._watermark = await self._load_or_begin(zone)
        await self._save_confirmed()
        look = self._watermark.next_look(self._rhythm, zone)
        seconds = look.due - self.now()
        if seconds > 0:
            # No longer than a window: the clock may be set meanwhile.
            await self.sleep(min(seconds, self.confirmed_after if self._unsaved else self.window))
            return None
        try:
            rows = await self._read(client, look.window)
        except AlloincognitoError as error:
            if look.before is None or not _is_about_the_window(error):
                raise
            self._postpone(look, error)
            await self.sleep(PAUSE_AFTER_LOOK)
            return None
        self._passing = Polling(FIRST_RETRY, float("inf"))
        watermark = self._watermark.after(look, rows.calls, rows.digest, self.now(), self._rhythm)
        return Found(_event(look, rows), watermark)

    # The watermark

    def _postpone(self, look: Look, error: AlloincognitoError) -> None:
        assert self._watermark is not None
        postponed = self._watermark.postponed(look, self.now())
        is_given_up = len(postponed.looked) < len(self._watermark.looked)
        then = "which is left to the daily run" if is_given_up else "which is tried later"
        line = "Watcher %s, Connection %r: the calls from %s on could not be listed again, %s: %s"
        log.error(line, self.name, self.alloincognito_conn_id, look.window.start.isoformat(), then, error)
        self._watermark = postponed

    async def _load_or_begin(self, zone: ZoneInfo) -> Watermark:
        text = await self._store.load()
        if text is not None:
            return Watermark.from_text(text)
        start = window_at(self._first_moment(zone), timedelta(seconds=self.window), zone).start
        watermark = Watermark(int(start.timestamp()))
        await self._store.save(watermark.to_text())
        log.info("Watcher %s begins with calls from %s on", self.name, start.isoformat())
        return watermark

    async def _save_confirmed(self) -> None:
        """
        Save how far was looked, but for the last minute.

        An event that Airflow has taken is lost if the triggerer is killed before it is stored. Its window is then
        looked at, and told of, again.
        """
        confirmed = [one for told, one in self._unsaved if self.now() - told >= self.confirmed_after]
        if confirmed:
            await self._store.save(confirmed[-1].to_text())
            for _ in confirmed:
                self._unsaved.popleft()

    @property
    def _store(self) -> WatermarkStore:
        states = getattr(self, "asset_state_store", None)  # Airflow 3.3 sets it before run()
        return VariableStore(self.name) if states is None else AssetStateStore(states, self.name)

    def _first_moment(self, zone: ZoneInfo) -> datetime:
        if self.first is None:
            return datetime.fromtimestamp(self.now(), UTC)
        try:
            return parse_moment(self.first, zone)
        except ValueError:
            raise AlloincognitoQueryError(
                "first is not a valid time. Give a datetime or a text such as '2026-03-01T00:00:00+03:00'."
            ) from None

    # The request

    def _query(self, window: Window) -> CallListQuery:
        filters = {name: getattr(self, name) for name in FILTERS}
        return CallListQuery.checked(period_start=window.start, period_end=window.end, **filters)

    async def _read(self, client: AsyncClient, window: Window) -> RowDigest:
        settings = client.settings
        if self.start_time_field is not None:
            settings = msgspec.structs.replace(settings, start_time_field=self.start_time_field or None)
        field = settings.start_time_field
        cut = RowFilter(field, window.start, window.end, settings.zone) if field else None
        rows = RowDigest(client.derive_key(ROWS), cut)
        head = await client.read(methods.call_list(settings, self._query(window)), rows)
        polling = Polling(FIRST_POLL, self.now() + LONGEST_POLLING)
        request_hash = head.envelope.request_hash if head.envelope is not None else None
        while not head.is_ready(self.ready_check):
            seconds = polling.next_interval(self.now(), head.retry_after)
            if seconds is None:
                raise AlloincognitoWaitTimeout(
                    f"The calls of a window were not ready after {seconds_text(LONGEST_POLLING)}."
                )
            if request_hash is None:
                raise AlloincognitoResponseError(
                    "The result is not ready yet, and the response has no requestHash to poll for it by. Check "
                    "pending_error_codes and null_rowset in the Connection."
                )
            await self.sleep(seconds)
            head = await client.read(methods.request_result(settings, request_hash), rows)
        return rows

    # Errors

    def _seconds_after(self, error: Exception) -> float:
        """Log an error, and return the seconds to the next try: no loss of a server or a token ends it."""
        text = error if isinstance(error, AlloincognitoError) else _fault_text(error)
        if isinstance(error, AlloincognitoError) and error.transient:
            pause = min(getattr(error, "retry_after", None) or 0.0, LONGEST_PAUSE)
            seconds = self._passing.next_interval(self.now(), pause) or FIRST_RETRY
            if not self._failures.allows():
                return seconds
            level = logging.WARNING
        else:
            seconds, level = RETRY_AFTER_ERROR, logging.ERROR
        line = "Watcher %s, Connection %r: %s Trying again in %s; no window is left out"
        log.log(level, line, self.name, self.alloincognito_conn_id, text, seconds_text(seconds))
        return seconds


def _is_about_the_window(error: AlloincognitoError) -> bool:
    """Return whether other windows may have no such error: it is neither about the server nor about a setting."""
    if error.transient:
        return False
    return (
        isinstance(error, AlloincognitoResponseError | AlloincognitoWaitTimeout) or type(error) is AlloincognitoApiError
    )


def _fault_text(error: Exception) -> str:
    """Return what can be said of an error that is none of this package's, whose text may hold anything."""
    what = f"{type(error).__name__} in {place_of(error)}"
    return f"{what}, which is a fault in the provider or in Airflow: please report it."


def periods_with_new_calls(context: Context, left: Iterable[Mapping[str, str]] = ()) -> list[dict[str, str]]:
    """
    Return the periods that the events of a run tell of, in the order of time, for ``expand_kwargs``.

    Windows that follow each other are one period, but none has parts of two days. If there are more than
    ``MOST_PERIODS`` even so, as after weeks, each day is one, from its first new call to its last.

    :param context: that of a task whose DAG is scheduled on an asset with a watcher. Make the asset the task's inlet,
        ``@task(inlets=[...])``: Airflow starts no run for events that come while another event waits for its run, until
        there is one more. They are among a run's inlets, and are taken then. Those of several watchers are merged.
    :param left: periods that this function returned earlier, and that are still to be landed. Each stays one of its
        own, so that one which fails again holds up no new call.
    :return: ``period_start`` and ``period_end`` of each. None for a run that no watcher's event has started.
    """
    events = triggering_events(context)
    if events:
        events = [*events, *events_of_inlets(context, events[-1].timestamp)]
    told = set()
    for event in events:
        payload = (event.extra or {}).get("payload")
        try:
            one = msgspec.convert(payload, NewCalls)
        except msgspec.ValidationError:  # another asset's
            continue
        told.add(Window(datetime.fromisoformat(one.period_start), datetime.fromisoformat(one.period_end)))
    before = [Window(*(datetime.fromisoformat(one[name]) for name in ("period_start", "period_end"))) for one in left]
    periods = sorted({*_joined(sorted(told), timedelta(0)), *before})
    if len(periods) > MOST_PERIODS:
        periods = _joined(periods, A_DAY)
    return [{"period_start": one.start.isoformat(), "period_end": one.end.isoformat()} for one in periods]


def _joined(windows: list[Window], gap: timedelta) -> list[Window]:
    """Join windows of a day between which there is no more than ``gap``."""
    joined: list[Window] = []
    for one in windows:
        last = joined[-1] if joined else None
        if last is not None and one.start.date() == last.start.date() and one.start - last.end <= gap:
            joined[-1] = Window(last.start, max(last.end, one.end))
        else:
            joined.append(one)
    return joined


def _event(look: Look, rows: RowDigest) -> NewCalls | None:
    """Return what is to be told: calls that are new, or rows that differ from those of the first look."""
    before = look.before
    if before is None and not rows.calls:
        return None
    if before is not None and (before.calls, before.digest) == (rows.calls, rows.digest):
        return None
    start, end = (one.isoformat() for one in look.window)
    return NewCalls(period_start=start, period_end=end, calls=rows.calls, again=before is not None)
