"""FAULTS D: files and the machine."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from typing import Any

from entry import TARGET_ERROR, TRUTH, Entry, Expect, Seen, ids
from raw_server import FILE, LIST, Reply, Request, mp3, recording

KINDS = {
    "D1": ("A disk that is full, a store that refuses every write", "The run ends after a few refusals in a row"),
    "D2": ("`fchmod` is refused, as on mounted shares", "Files land"),
    "D3": (
        "A journal that is a symbolic link, or that everybody may read",
        "The link is not followed; the journal is private",
    ),
    "D4": ("Unfinished files of recordings that nobody asks for again", "They are removed"),
    "D5": ("64 file descriptors, 32 recordings at a time", "All land"),
    "D7": ("The example DAG's warehouse", "Only its owner may read it"),
    "D6": ("Passwords in `proxies` and `pair_store`", "Neither is shown"),
}


def _large(request: Request, number: int) -> Reply:
    return Reply(body=recording(mp3(request.query["recordFileId"], frames=160)))


def d1() -> Iterator[Entry]:
    for concurrency in (1, 4):
        yield Entry(
            id=f"D1-full-disk-{concurrency}",
            call="recordings",
            server={FILE: _large},
            arguments={"ids": ids(131), "concurrency": concurrency},
            prepare="full_disk",
            expect=Expect(error=TARGET_ERROR, seconds=10, most={FILE: 40}, says=("mp3",)),
        )
        yield Entry(
            id=f"D1-refusing-store-{concurrency}",
            call="recordings",
            arguments={"ids": ids(131), "concurrency": concurrency, "store": "refusing://bucket/day"},
            prepare="refusing_store",
            expect=Expect(error=TARGET_ERROR, seconds=10, most={FILE: 40}, says=("AccessDenied",)),
        )
    yield Entry(
        id="D1-full-disk-call-list",
        call="land_list",
        server={LIST: Reply(body=_many_rows())},
        prepare="full_disk",
        expect=Expect(error=TARGET_ERROR, says=("calls.jsonl",)),
    )


def _many_rows() -> bytes:
    from raw_server import call_list, rows

    return call_list(rows(2000))


def d2() -> Iterator[Entry]:
    for name, prepare in (("eperm", "no_fchmod"), ("enotsup", "no_fchmod_at_all")):
        yield Entry(id=f"D2-{name}-call-list", call="land_list", prepare=prepare, expect=TRUTH)
        yield Entry(
            id=f"D2-{name}-recordings", call="recordings", arguments={"ids": ids(3)}, prepare=prepare, expect=TRUTH
        )


def _victim(seen: Seen) -> str | None:
    text = (seen.folder / "victim").read_text()
    return None if text == "not yours" else "The journal was written through the link."


def _private(name: str) -> Callable[[Seen], str | None]:
    def check(seen: Seen) -> str | None:
        file = seen.folder / name
        if not file.exists():
            return None
        mode = stat.S_IMODE(file.stat().st_mode)
        return None if mode == 0o600 else f"The journal's mode is {mode:o}."

    return check


def _refused_later(request: Request, number: int) -> Reply | None:
    """Three recordings, then the token is refused for good: the run ends and keeps its journal."""
    return Reply(status=401) if number >= 3 else None


def d3() -> Iterator[Entry]:
    from raw_server import CREATE, REFRESH

    ended: dict[str, Any] = {FILE: _refused_later, REFRESH: Reply(status=401), CREATE: lambda _, number: _once(number)}
    yield Entry(
        id="D3-symlink",
        call="recordings",
        arguments={"ids": ids(5)},
        prepare="planted_symlink",
        expect=Expect(truth=True, check=lambda seen: _victim(seen) or _all_whole(seen, 5)),
    )
    yield Entry(
        id="D3-symlink-and-a-run-that-ends",
        call="recordings",
        server=ended,
        arguments={"ids": ids(20), "concurrency": 1},
        prepare="planted_symlink",
        expect=Expect(error="AlloincognitoAuthError", check=_victim, seconds=15),
    )
    yield Entry(
        id="D3-journal-for-everybody",
        call="recordings",
        server=ended,
        arguments={"ids": ids(20), "concurrency": 1},
        prepare="planted_journal",
        expect=Expect(error="AlloincognitoAuthError", check=_private(".manifest.jsonl.journal"), seconds=15),
    )


def _once(number: int) -> Reply | None:
    return Reply(status=401) if number else None


def _all_whole(seen: Seen, count: int) -> str | None:
    return None if seen.value["whole"] == count else f"{seen.value['whole']} of {count} recordings have landed."


def d4() -> Iterator[Entry]:
    # What is left of it is found by the rule that no unfinished file may be left.
    yield Entry(
        id="D4-leftover-of-another-id",
        call="recordings",
        arguments={"ids": ids(3)},
        prepare="planted_leftover",
        expect=TRUTH,
    )


def d5() -> Iterator[Entry]:
    yield Entry(
        id="D5-64-descriptors-32-at-a-time",
        call="recordings",
        server={FILE: lambda request, _: Reply(body=recording(mp3(request.query["recordFileId"])), wait=0.2)},
        arguments={"ids": ids(100), "concurrency": 32},
        prepare="few_descriptors",
        expect=Expect(truth=True, seconds=20),
    )


def d6() -> Iterator[Entry]:
    yield Entry(
        id="D6-proxy-password-in-settings",
        call="shown_settings",
        extra={"proxies": {"http": "http://user:hunter2secret@127.0.0.1:3128"}},
        expect=Expect(
            truth=True,
            check=lambda seen: "The password is shown." if "hunter2secret" in str(seen.value) + seen.shown else None,
        ),
    )
    yield Entry(
        id="D6-token-in-access",
        call="shown_settings",
        expect=Expect(truth=True, check=lambda seen: "The token is shown." if "eyJ" in str(seen.value) else None),
    )
    for name, value in (
        ("redis-url", "redis://:hunter2secret@cache.example:6379/0"),
        ("redis-user", "redis://user:hunter2secret@cache.example"),
        ("unknown", "rediss://:hunter2secret@cache.example"),
    ):
        yield Entry(
            id=f"D6-token-store-{name}",
            call="list_calls",
            extra={"pair_store": value},
            expect=Expect(error="AlloincognitoError", never_says=("hunter2secret",), says=("pair_store",), final=True),
        )


def d7() -> Iterator[Entry]:
    yield Entry(
        id="D7-warehouse-of-the-example-dag",
        call="loaded_warehouse",
        expect=Expect(truth=True, check=lambda seen: None if seen.value == "600" else f"Its mode is {seen.value}."),
    )


MACHINE = [*d1(), *d2(), *d3(), *d4(), *d5(), *d6(), *d7()]
