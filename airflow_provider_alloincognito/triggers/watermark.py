"""How far a watcher has looked, and which window it looks at next: pure functions of that and the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple, Self
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_alloincognito.api.windows import Window, window_from
from airflow_provider_alloincognito.errors import AlloincognitoQueryError, AlloincognitoWatermarkError

SHORTEST_WINDOW, LONGEST_WINDOW = 60, 86_400
MOST_KEPT = 1000
"""How many windows a watermark may hold, at 60 bytes: Airflow warns of asset states beyond 65,535 bytes."""
LATEST_LOOK = 86_400
"""Seconds. A window whose first look comes that late is not looked at again: what is in it is no longer new."""
FIRST_POSTPONEMENT = 300
MOST_TRIES = 8
"""Second looks that fail are tried for most of a day: each pause is twice as long as the one before."""

Moment = Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800)]  # seconds since the epoch, until 2100


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """
    When windows are looked at, all in seconds.

    :param window: their length.
    :param settling_time: from a window's end to the first look.
    :param look_again_after: from a window's end to the second look; 0: there is none.
    :param spread: added to both, so that many watchers do not send their requests in the same second.
    :raises AlloincognitoQueryError: if one of them is invalid.
    """

    window: int
    settling_time: float
    look_again_after: float
    spread: float = 0.0

    def __post_init__(self) -> None:
        if self.window != int(self.window) or not SHORTEST_WINDOW <= self.window <= LONGEST_WINDOW:
            raise AlloincognitoQueryError(
                f"window is {self.window}, but it must be a whole number of seconds from {SHORTEST_WINDOW} to "
                f"{LONGEST_WINDOW}."
            )
        if self.settling_time < 0:
            raise AlloincognitoQueryError(f"settling_time is {self.settling_time}, but it must be 0 s or more.")
        if self.look_again_after and self.look_again_after <= self.settling_time:
            raise AlloincognitoQueryError(
                f"look_again_after is {self.look_again_after} s, but a window is first looked at after settling_time, "
                f"{self.settling_time} s. Set it to more than that, or to 0 for one look alone."
            )
        if self.look_again_after > MOST_KEPT * self.window:
            raise AlloincognitoQueryError(
                f"look_again_after is {self.look_again_after} s, which is more than {MOST_KEPT} windows of "
                f"{self.window} s. What was found in each of them is kept until then: raise window, or lower it."
            )


class Looked(msgspec.Struct, frozen=True, array_like=True):
    """
    What a window had at the first look.

    :param start: its first moment, in seconds since the epoch.
    :param end: the moment after it, likewise.
    :param calls: how many calls.
    :param digest: a keyed digest of their rows.
    :param late: seconds by which the second look comes later, as after an outage, in which the first came late.
    :param tries: how often the second look has failed.
    """

    start: Moment
    end: Moment
    calls: int
    digest: str
    late: int = 0
    tries: int = 0


class Look(NamedTuple):
    """
    One look at one window.

    :param window: the window.
    :param due: when, in seconds since the epoch.
    :param before: what the first look has found, if this is the second.
    """

    window: Window
    due: float
    before: Looked | None = None


class Watermark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    How far a watcher has looked.

    :param until: the end of the last window that was looked at, in seconds since the epoch.
    :param looked: the windows that are to be looked at once more.
    """

    until: Moment
    looked: tuple[Looked, ...] = ()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """
        Read what :meth:`to_text` wrote.

        :raises AlloincognitoWatermarkError: if it is something else.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:
            raise AlloincognitoWatermarkError(
                "The watermark that is stored was not written by this version of the provider. Remove it, or give the "
                "watcher another name: it then begins with `first`."
            ) from None

    def to_text(self) -> str:
        """Return it as short JSON."""
        return msgspec.json.encode(self).decode()

    def next_look(self, rhythm: Rhythm, zone: ZoneInfo) -> Look:
        """
        Return the look that is due first.

        :param rhythm: when windows are looked at.
        :param zone: the API's.
        """
        window = window_from(_moment(self.until), timedelta(seconds=rhythm.window), zone)
        new = Look(window, window.end.timestamp() + rhythm.settling_time + rhythm.spread)
        if not self.looked or not rhythm.look_again_after:
            return new
        before = min(self.looked, key=lambda one: one.end + one.late)
        window = Window(_moment(before.start).astimezone(zone), _moment(before.end).astimezone(zone))
        again = Look(window, before.end + rhythm.look_again_after + rhythm.spread + before.late, before)
        return again if again.due < new.due else new

    def after(self, look: Look, calls: int, digest: str, now: float, rhythm: Rhythm) -> Watermark:
        """
        Return the watermark after a look.

        :param look: as :meth:`next_look` gave it.
        :param calls: how many calls it found.
        :param digest: a keyed digest of their rows.
        :param now: seconds since the epoch. A window may be so old that one look is enough.
        :param rhythm: when windows are looked at.
        """
        if look.before is not None:
            return msgspec.structs.replace(self, looked=_without(self.looked, look.before))
        start, end = (int(one.timestamp()) for one in look.window)
        if not rhythm.look_again_after:
            return Watermark(end)
        late = max(0, int(now - look.due))
        if late > LATEST_LOOK or len(self.looked) >= MOST_KEPT:
            return Watermark(end, self.looked)
        return Watermark(end, (*self.looked, Looked(start, end, calls, digest, late)))

    def postponed(self, look: Look, now: float) -> Watermark:
        """
        Return the watermark after a second look that failed: it comes later, and holds up no other.

        :param look: as :meth:`next_look` gave it. After ``MOST_TRIES`` it is given up.
        :param now: seconds since the epoch.
        """
        before = look.before
        assert before is not None
        others = _without(self.looked, before)
        if before.tries == MOST_TRIES:
            return msgspec.structs.replace(self, looked=others)
        late = before.late + int(now - look.due) + FIRST_POSTPONEMENT * 2**before.tries
        again = msgspec.structs.replace(before, late=late, tries=before.tries + 1)
        return msgspec.structs.replace(self, looked=(*others, again))


def _without(looked: tuple[Looked, ...], one: Looked) -> tuple[Looked, ...]:
    return tuple(other for other in looked if other is not one)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
