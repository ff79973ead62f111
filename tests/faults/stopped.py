"""FAULTS A13: tasks that are stopped while files go to a real S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from entry import Entry, Expect, Seen, Stop, ids
from raw_server import FILE, LIST, REFRESH, Replies, Reply, call_list, mp3, recording, rows

KINDS = {
    "A13": (
        "A task is stopped (SIGTERM, `execution_timeout`) while files go to S3, some of them in parts",
        "It ends within 5 s, sends nothing more, and leaves whole files only and no unfinished upload",
    ),
}

LANDED = 24
"""So many of the recordings land before the fault."""
MANY = ids(LANDED + 16)
FRAMES = 14_400
"""6 MB: more than the least that S3 takes as a part of a file, to which ``s3_store`` sets the size of parts."""


@cache
def _large() -> bytes:
    return recording(mp3("large", frames=FRAMES))


def _then(reply: Callable[[], Reply]) -> Replies:
    """Half of the recordings as usual, then this."""
    return lambda request, number: None if number < LANDED else reply()


def _stalling() -> Reply:
    return Reply(body=_large(), stall_after=len(_large()) * 19 // 20)


def _dripping() -> Reply:
    return Reply(body=_large(), drip=4, drip_from=len(_large()) * 19 // 20)


def _half_landed(seen: Seen) -> str | None:
    landed = len([name for name in seen.stored if name.endswith(".mp3")])
    return None if landed >= LANDED else f"Only {landed} of {LANDED} recordings had landed."


def _entry(name: str, stop: Stop, check: Callable[[Seen], str | None] | None = None, **given: Any) -> Entry:
    return Entry(
        id=f"A13-{name}",
        call=given.pop("call", "recording_operator"),
        prepare=given.pop("prepare", "s3_store"),
        s3=True,
        stop=stop,
        heavy=bool(stop.uploads),
        expect=Expect(seconds=5.0, memory=600.0, check=check),
        **given,
    )


def a13() -> Iterator[Entry]:
    retry_after_100 = Reply(status=429, headers={"Retry-After": "100"})
    refused = _then(lambda: Reply(status=401))
    faults: dict[str, tuple[dict[str, Replies], dict[str, Any], dict[str, Any]]] = {
        "stall": ({FILE: _then(_stalling)}, {"timeout": 60}, {"uploads": 16}),
        "drip": ({FILE: _then(_dripping)}, {"timeout": 60}, {"uploads": 16}),
        "no-response": ({FILE: _then(lambda: Reply(never=True))}, {"timeout": 60}, {"requests": 40}),
        "retry-after-100": ({FILE: _then(lambda: retry_after_100)}, {"retries": 4}, {"requests": 25}),
        "503-40-retries": ({FILE: _then(lambda: Reply(status=503))}, {"retries": 40}, {"requests": 40}),
        "pair-no-response": (
            {FILE: refused, REFRESH: Reply(never=True)},
            {"timeout": 60, "pair_request_seconds": 20},
            {"requests": 25},
        ),
        "pair-retry-after": (
            {FILE: refused, REFRESH: retry_after_100},
            {"retries": 4, "pair_request_seconds": 20},
            {"requests": 25},
        ),
    }
    for how in ("sigterm", "execution_timeout"):
        for fault, (server, extra, when) in faults.items():
            yield _entry(
                f"{fault}-{how}-16",
                Stop(how=how, after=1.5, landed=LANDED, **when),
                _half_landed,
                server=server,
                extra=extra,
                arguments={"ids": MANY, "concurrency": 16},
                long=True,
            )
    # The slow store is asked to begin an upload for 1.5 s, and to take its first part for the next 1.5 s.
    moments: dict[str, tuple[Reply, str, float]] = {
        "steady": (Reply(body=_large(), drip=4_000_000), "s3_store", 0.0),
        "slow-beginning": (_stalling(), "slow_s3_store", 0.3),
        "slow-part": (_stalling(), "slow_s3_store", 2.0),
    }
    for moment, (reply, prepare, after) in moments.items():
        stop = Stop(how="sigterm", after=after, uploads=1)
        for concurrency in (1, 16):
            yield _entry(
                f"{moment}-sigterm-{concurrency}",
                stop,
                server={FILE: reply},
                extra={"timeout": 60},
                arguments={"ids": MANY, "concurrency": concurrency},
                prepare=prepare,
                long=concurrency == 16,
            )
        yield _entry(
            f"{moment}-call-list-sigterm",
            stop,
            call="list_operator",
            server={LIST: Reply(body=_long_list(), drip=4_000_000) if moment == "steady" else _stalling_list()},
            extra={"timeout": 60},
            prepare=prepare,
            long=moment == "steady",
        )


def _stalling_list() -> Reply:
    return Reply(body=_long_list(), stall_after=len(_long_list()) * 19 // 20)


@cache
def _long_list() -> bytes:
    return call_list([{**row, "text": "word " * 400} for row in rows(4000)])


STOPPED = [*a13()]
