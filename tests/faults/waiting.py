"""FAULTS A: waiting, retrying, ending."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from entry import (
    ANY_ERROR,
    API_ERROR,
    CONNECTION_ERROR,
    RESPONSE_BOUND,
    RESPONSE_ERROR,
    TRUNCATED,
    TRUTH,
    WAIT_TIMEOUT,
    Entry,
    Expect,
    Seen,
    Stop,
    Tls,
    ids,
)
from raw_server import (
    CREATE,
    DOCS,
    FILE,
    HASH,
    LIST,
    REFRESH,
    RESULT,
    Down,
    Rate,
    Replies,
    Reply,
    Request,
    api_error,
    call_list,
    envelope,
    jwt,
    mp3,
    record_id,
    recording,
    rows,
)

KINDS = {
    "A1": (
        "A task is stopped (SIGTERM, `execution_timeout`) while responses stall, drip, or the server asks for a pause",
        "It ends within 5 s, sends nothing more and leaves no unfinished file",
    ),
    "A2": (
        "A response comes a byte at a time",
        "It is given up after `response_timeout`; a slow one that makes progress lands",
    ),
    "A3": ("A wait has a deadline, and the server stalls or asks for a longer pause", "It ends at its deadline"),
    "A4": ("`create` is told to wait while another process makes a pair", "That pair is used; nothing is made twice"),
    "A5": ("The server is busy, resets or is down during a wait", "The wait goes on, in every mode; no try is used up"),
    "A6": (
        "A gateway responds with an error status of its own (408, 500, 502 - 504, 520 - 524)",
        "The request is sent again; the API's own error is not",
    ),
    "A7": (
        "`Retry-After` in any form: 0, negative, a date by a wrong clock, nonsense",
        "The longer of it and the backoff is waited; nonsense is ignored",
    ),
    "A8": ("The server takes 5 requests a second, the task wants more", "All land, with few rejected requests"),
    "A9": ("The server is down or responds with errors only", "The run ends soon and says why"),
    "A10": ("A response is cut, in any framing", "`AlloincognitoTruncatedError`, which is retried"),
    "A11": (
        "A call list or a result is cut once",
        "It is requested again within the task, by its hash if that is known",
    ),
    "A12": (
        "Broken TLS, dates beyond the calendar, torn files, a full disk",
        "One of the provider's errors, with the cause",
    ),
}

MANY = ids(40)
SIXTEEN = {"ids": MANY, "concurrency": 16}
ALWAYS_503 = Reply(status=503)
RESET = Reply(raw=b"", reset=True)
LONG_BODY = recording(mp3("long", frames=400))


def _after(seconds: float) -> Any:
    """A ``Retry-After`` with a date by the server's own clock."""

    def value(now: datetime) -> str:
        return format_datetime(now + timedelta(seconds=seconds), usegmt=True)

    return value


def _retry_after(value: Any, status: int = 429, **more: Any) -> Reply:
    return Reply(status=status, headers={"Retry-After": value}, **more)


def _first_then_stall(request: Request, number: int) -> Reply:
    """A body that stalls after its first half."""
    body = recording(mp3(request.query["recordFileId"], frames=100))
    return Reply(body=body, stall_after=len(body) // 2)


def _dripping(request: Request, number: int) -> Reply:
    body = recording(mp3(request.query["recordFileId"], frames=100))
    return Reply(body=body, drip=4, drip_from=1000)


# A1


def a1() -> Iterator[Entry]:
    faults: dict[str, tuple[dict[str, Replies], dict[str, Any]]] = {
        "stall": ({FILE: _first_then_stall}, {"timeout": 60}),
        "no-response": ({FILE: Reply(never=True)}, {"timeout": 60}),
        "drip": ({FILE: _dripping}, {"timeout": 60}),
        "retry-after-100": ({FILE: _retry_after("100")}, {"retries": 4}),
        "503-40-retries": ({FILE: ALWAYS_503}, {"retries": 40}),
        "pair-retry-after": ({CREATE: _retry_after("100")}, {"retries": 4, "pair_request_seconds": 20}),
        "pair-no-response": ({CREATE: Reply(never=True)}, {"timeout": 60, "pair_request_seconds": 20}),
        "rate-limit": ({}, {"requests_per_second": 0.1}),
    }
    ended = Expect(seconds=5.0)
    for how in ("sigterm", "execution_timeout"):
        for fault, (server, extra) in faults.items():
            yield Entry(
                id=f"A1-{fault}-{how}-16",
                call="recording_operator",
                server=server,
                extra=extra,
                arguments=SIXTEEN,
                stop=Stop(how=how, requests=1 if "pair" in fault or fault == "rate-limit" else 16),
                expect=ended,
                long=how == "execution_timeout" and fault in ("drip", "pair-no-response", "rate-limit"),
            )
    for fault, concurrency in (("no-response", 4), ("retry-after-100", 4), ("retry-after-100", 1), ("stall", 1)):
        server, extra = faults[fault]
        yield Entry(
            id=f"A1-{fault}-sigterm-{concurrency}",
            call="recording_operator",
            server=server,
            extra=extra,
            arguments={"ids": MANY, "concurrency": concurrency},
            stop=Stop(how="sigterm", requests=concurrency),
            expect=ended,
        )
    waits: dict[str, tuple[str, dict[str, Replies], dict[str, Any]]] = {
        "sensor-retry-after": ("poke", {RESULT: _retry_after("100")}, {"timeout": 300}),
        "sensor-no-response": ("poke", {RESULT: Reply(never=True)}, {"timeout": 300}),
        "list-stall": ("list_operator", {LIST: Reply(body=call_list(rows(2000)), stall_after=5000)}, {}),
        "list-503": ("list_operator", {LIST: ALWAYS_503}, {}),
        "result-retry-after": ("result_operator", {RESULT: _retry_after("100", 503)}, {}),
    }
    for fault, (call, server, arguments) in waits.items():
        yield Entry(
            id=f"A1-{fault}-sigterm",
            call=call,
            server=server,
            extra={"timeout": 60, "retries": 40},
            arguments=arguments,
            stop=Stop(how="sigterm"),
            expect=ended,
        )

    servers: tuple[tuple[str, Any], ...] = (
        ("no-response", {RESULT: Reply(never=True)}),
        ("retry-after-100", {RESULT: _retry_after("100")}),
        ("drip", {RESULT: Reply(body=call_list(rows(5)), drip=4)}),
        ("pair-no-response", {CREATE: Reply(never=True)}),
        ("pair-retry-after", {CREATE: _retry_after("100")}),
    )
    for fault, server in servers:
        yield Entry(
            id=f"A1-{fault}-cancelled-trigger",
            call="cancelled_trigger",
            server=server,
            extra={"timeout": 60, "retries": 40, "pair_request_seconds": 20},
            expect=Expect(truth=True, seconds=4),
        )


# A2


def a2() -> Iterator[Entry]:
    given_up = Expect(error=(CONNECTION_ERROR, TRUNCATED), seconds=9)
    slow = {**RESPONSE_BOUND, "timeout": 1, "retries": 0}
    dripping = Reply(body=call_list(rows(50)), drip=4)
    for name, call, server, arguments in (
        ("list-head", "list_calls", {LIST: dripping}, {}),
        ("list-rows", "list_calls", {LIST: Reply(body=call_list(rows(50)), drip=4, drip_from=300)}, {}),
        ("result", "request_result", {RESULT: dripping}, {}),
        ("recording", "one_recording", {FILE: _dripping}, {"ids": [record_id(1)]}),
        ("create", "list_calls", {CREATE: Reply(body=b'{"accessToken": "a"}', drip=4)}, {}),
        ("error-body", "list_calls", {LIST: Reply(status=400, body=b"x" * 300, drip=4, drip_from=0)}, {}),
    ):
        yield Entry(id=f"A2-drip-{name}", call=call, server=server, extra=slow, arguments=arguments, expect=given_up)
    yield Entry(
        id="A2-drip-recordings-16",
        call="recordings",
        server={FILE: _dripping},
        extra=slow,
        arguments={"ids": ids(8), "concurrency": 8},
        expect=Expect(truth=True, error=CONNECTION_ERROR, seconds=9, check=_none_fetched),
    )
    yield Entry(
        id="A2-drip-one-of-12",
        call="recordings",
        server={FILE: lambda request, n: _dripping(request, n) if request.query["recordFileId"] == MANY[3] else None},
        extra=slow,
        arguments={"ids": ids(12), "concurrency": 4},
        expect=Expect(truth=True, seconds=12, check=_all_but_one),
    )
    yield Entry(
        id="A2-drip-connection-test",
        call="test_connection",
        server={DOCS: Reply(body=b"<html>" * 50, drip=4)},
        extra=slow,
        expect=Expect(truth=True, error="ConnectionTestFailed", seconds=9),
    )
    yield Entry(
        id="A2-drip-trigger",
        call="trigger",
        server={RESULT: dripping},
        extra=slow,
        arguments={"seconds": 4.0},
        expect=Expect(error=(CONNECTION_ERROR, TRUNCATED, *WAIT_TIMEOUT), seconds=6),
    )
    yield Entry(
        id="A2-drip-trigger-once",
        call="trigger",
        server={RESULT: [dripping]},
        extra=slow,
        expect=Expect(truth=True, seconds=9),
    )
    for name, call, server in (
        ("list", "list_calls", {LIST: Reply(body=call_list(rows(5)), drip=400)}),
        ("recording", "one_recording", {FILE: lambda request, _: Reply(body=_big(request), drip=400_000)}),
    ):
        yield Entry(
            id=f"A2-slow-but-steady-{name}",
            call=call,
            server=server,
            extra={"timeout": 1, "retries": 0},
            arguments={} if call == "list_calls" else {"ids": [record_id(1)]},
            expect=TRUTH,
        )


def _big(request: Request) -> bytes:
    return recording(mp3(request.query["recordFileId"]) + bytes(0))


def _all_but_one(seen: Seen) -> str | None:
    fetched = seen.value["whole"]
    return None if (fetched, seen.value["failed"]) == (11, 1) else f"{fetched} of 11 have landed."


def _none_fetched(seen: Seen) -> str | None:
    return "Something was fetched." if seen.value and seen.value["fetched"] else None


# A3


def a3() -> Iterator[Entry]:
    seconds = 3.0
    out_of_time = Expect(error=(*WAIT_TIMEOUT, CONNECTION_ERROR, TRUNCATED, "AlloincognitoRotationError"), seconds=4.5)
    faults: dict[str, dict[str, Any]] = {
        "429-retry-after-15": {"server": {RESULT: _retry_after("15")}},
        "503-retry-after-200": {"server": {RESULT: _retry_after("200", 503)}},
        "202-retry-after-100": {"server": {RESULT: _retry_after("100", 202, body=envelope({}))}},
        "no-response": {"server": {RESULT: Reply(never=True)}},
        "stalled-head": {"server": {RESULT: Reply(body=call_list(rows(5)), stall_after=10)}},
        "drip": {"server": {RESULT: Reply(body=call_list(rows(5)), drip=4)}},
        "503": {"server": {RESULT: ALWAYS_503}},
        "create-retry-after-15": {"server": {CREATE: _retry_after("15")}},
        "create-no-response": {"server": {CREATE: Reply(never=True)}},
        "refused": {"down": Down()},
    }
    for fault, given in faults.items():
        for call in ("trigger", "poke", "result_operator"):
            bound = {"trigger": "seconds", "poke": "timeout", "result_operator": "wait_timeout"}[call]
            yield Entry(
                id=f"A3-{fault}-{call.replace('_', '-')}",
                call=call,
                extra={"timeout": 30, "retries": 40, "pair_request_seconds": 10},
                arguments={bound: seconds},
                expect=out_of_time,
                long=call != "trigger" and fault not in ("429-retry-after-15", "no-response", "refused"),
                **given,
            )


# A4


def a4() -> Iterator[Entry]:
    for name, reply in (
        ("429-retry-after-6", _retry_after("6")),
        ("503-retry-after-date", _retry_after(_after(6), 503)),
        ("no-response", Reply(never=True)),
    ):
        yield Entry(
            id=f"A4-create-{name}",
            call="two_makers",
            server={CREATE: [reply]},
            extra={"retries": 4, "timeout": 5},
            checks_tokens=True,
            expect=Expect(truth=True, seconds=20, most={CREATE: 2}),
        )
    yield Entry(
        id="A4-create-429-retry-after-25",
        call="two_makers",
        server={CREATE: [_retry_after("25")]},
        extra={"retries": 4, "timeout": 5},
        checks_tokens=True,
        expect=Expect(truth=True, seconds=40, most={CREATE: 2}),
        long=True,
    )


# A5

MODES = ("poke", "trigger", "result_operator")
WAITED_OUT = Expect(truth=True, seconds=12)


def a5() -> Iterator[Entry]:
    faults: dict[str, dict[str, Any]] = {
        "503-once": {"server": {RESULT: [ALWAYS_503]}},
        "five-resets": {"server": {RESULT: [RESET] * 5}},
        "502-five-times": {"server": {RESULT: [Reply(status=502, body=b"<html>bad gateway</html>")] * 5}},
        "no-response-once": {"server": {RESULT: [Reply(never=True)]}},
        "cut-head-once": {"server": {RESULT: [Reply(body=call_list(rows()), cut_after=20)]}},
        "down-for-3-s": {"down": Down(after=2, seconds=3.0)},
        "429-retry-after-1": {"server": {RESULT: [_retry_after("1")]}},
        "create-503-once": {"server": {CREATE: [ALWAYS_503]}},
    }
    for fault, given in faults.items():
        for call in MODES:
            yield Entry(
                id=f"A5-{fault}-{call.replace('_', '-')}",
                call=call,
                extra={"retries": 0, "timeout": 1},
                expect=WAITED_OUT,
                **given,
            )
    pending = Reply(status=202, body=envelope({"requestHash": HASH}))
    yield Entry(
        id="A5-503-while-pending-list-operator",
        call="list_operator",
        server={LIST: [pending], RESULT: [ALWAYS_503, RESET, pending]},
        extra={"retries": 0},
        expect=WAITED_OUT,
    )
    yield Entry(
        id="A5-503-while-pending-list-operator-deferred",
        call="list_operator",
        server={LIST: [pending], RESULT: [ALWAYS_503, pending, ALWAYS_503]},
        extra={"retries": 0},
        arguments={"deferrable": True},
        expect=WAITED_OUT,
    )
    for mode in ("poke", "reschedule", "deferrable"):
        yield Entry(
            id=f"A5-503-and-resets-real-task-{mode}",
            call="dag_sensor",
            server={RESULT: [ALWAYS_503, RESET, ALWAYS_503]},
            extra={"retries": 0},
            arguments={"deferrable": True} if mode == "deferrable" else {"mode": mode},
            airflow=True,
            expect=Expect(truth=True, seconds=25),
        )
    yield Entry(
        id="A5-503-while-pending-real-task",
        call="dag_operator",
        server={LIST: [pending], RESULT: [ALWAYS_503, pending]},
        extra={"retries": 0},
        airflow=True,
        expect=Expect(truth=True, seconds=25),
    )
    for mode in ("poke", "reschedule", "deferrable"):
        yield Entry(
            id=f"A5-down-for-60-s-real-task-{mode}",
            call="dag_sensor",
            server={RESULT: lambda request, number: pending if number < 2 else None},
            down=Down(after=3, seconds=60.0),
            extra={"retries": 0},
            arguments={"timeout": 120, **({"deferrable": True} if mode == "deferrable" else {"mode": mode})},
            airflow=True,
            expect=Expect(truth=True, seconds=100),
            long=True,
        )


# A6

GATEWAY = (408, 500, 502, 504, 520, 521, 522, 523, 524)


def a6() -> Iterator[Entry]:
    for status in GATEWAY:
        page = Reply(status=status, body=f"<html><h1>{status}</h1></html>".encode())
        yield Entry(id=f"A6-{status}-once-list", call="list_calls", server={LIST: [page]}, expect=TRUTH)
    page = Reply(status=500, body=b"<html>Internal Server Error</html>")
    for name, call, method, arguments in (
        ("result", "request_result", RESULT, {}),
        ("recording", "one_recording", FILE, {"ids": [record_id(1)]}),
        ("create", "list_calls", CREATE, {}),
        ("poke", "poke", RESULT, {}),
        ("trigger", "trigger", RESULT, {}),
    ):
        yield Entry(id=f"A6-500-once-{name}", call=call, server={method: [page]}, arguments=arguments, expect=TRUTH)
    yield Entry(
        id="A6-500-once-refresh",
        call="list_calls",
        server={LIST: [Reply(status=401)], REFRESH: [page]},
        expect=Expect(truth=True, seconds=12, most={CREATE: 1, REFRESH: 2}),
    )
    yield Entry(
        id="A6-522-once-recordings",
        call="recordings",
        server={FILE: lambda request, number: Reply(status=522) if number % 4 == 0 else None},
        arguments={"ids": ids(12)},
        expect=TRUTH,
    )
    yield Entry(
        id="A6-500-always-list",
        call="list_calls",
        server={LIST: page},
        expect=Expect(error=CONNECTION_ERROR, says=("500",), final=False),
    )
    own = api_error(17, "The contract is blocked")
    for name, status in (("200", 200), ("400", 400), ("500", 500)):
        yield Entry(
            id=f"A6-own-error-in-{name}",
            call="list_calls",
            server={LIST: Reply(status=status, body=own)},
            expect=Expect(error=API_ERROR, says=("17", "The contract is blocked"), seconds=4, most={LIST: 1}),
        )
    yield Entry(
        id="A6-own-error-in-500-trigger",
        call="trigger",
        server={RESULT: Reply(status=500, body=own)},
        expect=Expect(error=API_ERROR, says=("17",), seconds=4, most={RESULT: 1}),
    )
    yield Entry(
        id="A6-404-page",
        call="list_calls",
        server={LIST: Reply(status=404, body=b"<html>no such page</html>")},
        expect=Expect(error=API_ERROR, says=("404",), seconds=4, most={LIST: 1}),
    )
    yield Entry(
        id="A6-page-in-200",
        call="list_calls",
        server={LIST: Reply(body=b"<html>Maintenance</html>", headers={"Content-Type": "text/html"})},
        expect=Expect(error="AlloincognitoResponseError", seconds=4, most={LIST: 1}),
    )
    yield Entry(
        id="A6-401-everywhere",
        call="list_calls",
        server={LIST: Reply(status=401), CREATE: Reply(status=401), REFRESH: Reply(status=401)},
        expect=Expect(error="AlloincognitoAuthError", seconds=4, final=True),
    )


# A7


def a7() -> Iterator[Entry]:
    quick: dict[str, tuple[Reply, float, float]] = {
        "0": (_retry_after("0"), 0.3, 10),
        "minus-1": (_retry_after("-1"), 0.3, 10),
        "epoch-seconds": (_retry_after("1795643308"), 0.3, 10),
        "nan": (_retry_after("nan"), 0.3, 10),
        "inf": (_retry_after("inf"), 0.3, 10),
        "words": (_retry_after("soon"), 0.3, 10),
        "empty": (_retry_after(""), 0.3, 10),
        "two-values": (_retry_after("1, 1"), 0.3, 10),
        "past-date": (_retry_after(_after(-3600)), 0.3, 10),
    }
    for name, (reply, least, seconds) in quick.items():
        yield Entry(
            id=f"A7-{name}",
            call="list_calls",
            server={LIST: [reply] * 3},
            extra={"retries": 3},
            expect=Expect(truth=True, seconds=seconds, check=_spread(least)),
        )
    once: dict[str, tuple[Reply, float, float]] = {
        "1": (_retry_after("1"), 0.95, 5),
        "2.5": (_retry_after("2.5"), 2.4, 6.5),
        "date": (_retry_after(_after(3)), 1.9, 6.5),
        "date-clock-60-s-behind": (_retry_after(_after(5), clock=-60), 3.9, 9),
        "date-clock-400-s-ahead": (_retry_after(_after(3), clock=400), 1.9, 6),
        "503-date-clock-ahead": (_retry_after(_after(2), 503, clock=250), 0.9, 6),
    }
    for name, (reply, least, seconds) in once.items():
        yield Entry(
            id=f"A7-{name}",
            call="list_calls",
            server={LIST: [reply]},
            expect=Expect(truth=True, least=least, seconds=seconds),
        )
    yield Entry(
        id="A7-date-clock-ahead-trigger",
        call="trigger",
        server={RESULT: [_retry_after(_after(2), clock=400)]},
        expect=Expect(truth=True, least=0.9, seconds=5),
    )
    yield Entry(
        id="A7-epoch-seconds-trigger",
        call="trigger",
        server={RESULT: [_retry_after("1795643308", 202, body=envelope({}))]},
        expect=Expect(truth=True, seconds=4),
    )
    yield Entry(
        id="A7-an-hour",
        call="list_calls",
        server={LIST: _retry_after("3600")},
        expect=Expect(error="AlloincognitoBusyError", says=("3600", "retry_delay"), seconds=4, most={LIST: 1}),
    )


def _spread(least: float) -> Any:
    """The requests do not follow each other at once."""

    def check(seen: Seen) -> str | None:
        times = [request.time for request in seen.sent(LIST)]
        took = times[-1] - times[0] if times else 0.0
        if seen.error or took >= least:
            return None
        return f"{len(times)} requests within {took:.2f} s."

    return check


# A8


def a8() -> Iterator[Entry]:
    forms: dict[str, Any] = {"none": None, "0": "0", "1": "1", "3": "3", "date": _after(1)}
    for name, value in forms.items():
        yield Entry(
            id=f"A8-40-at-10-a-second-{name}",
            call="recordings",
            rate=Rate(10, value),
            extra={"retries": 4, "timeout": 10},
            arguments={"ids": ids(40), "concurrency": 16},
            expect=Expect(truth=True, seconds=14, check=_few_rejected(40, 0.6)),
        )
        yield Entry(
            id=f"A8-100-at-5-a-second-{name}",
            call="recordings",
            rate=Rate(5, value),
            extra={"retries": 4, "timeout": 10},
            arguments={"ids": ids(100), "concurrency": 16},
            expect=Expect(truth=True, seconds=30, check=_few_rejected(100, 0.5)),
            long=True,
        )
    yield Entry(
        id="A8-60-triggers-at-20-a-second",
        call="many_triggers",
        rate=Rate(20, "1", RESULT),
        extra={"retries": 4},
        arguments={"count": 60},
        expect=Expect(truth=True, seconds=12, check=_all_ready(60)),
    )
    yield Entry(
        id="A8-ceiling-is-kept",
        call="recordings",
        extra={"requests_per_second": 10},
        arguments={"ids": ids(20), "concurrency": 8},
        expect=Expect(truth=True, least=1.8, seconds=5),
    )


def _all_ready(count: int) -> Any:
    def check(seen: Seen) -> str | None:
        if seen.value != count:
            return f"{seen.value} of {count} triggers have seen their result."
        return f"{seen.rejected} requests were rejected for {count} triggers." if seen.rejected > count else None

    return check


def _few_rejected(count: int, share: float) -> Any:
    def check(seen: Seen) -> str | None:
        landed = seen.value["fetched"] if seen.value else 0
        if landed != count or seen.value["whole"] != count:
            return f"{landed} of {count} recordings have landed, {seen.rejected} requests were rejected."
        if seen.rejected > share * count:
            return f"{seen.rejected} requests were rejected for {count} recordings."
        return None

    return check


# A9


def a9() -> Iterator[Entry]:
    thousand = {"ids": ids(1000), "concurrency": 16}
    yield Entry(
        id="A9-refused-from-the-start",
        call="recordings",
        down=Down(),
        extra={"retries": 4, "timeout": 10, "pair_request_seconds": 3},
        arguments=thousand,
        expect=Expect(error=CONNECTION_ERROR, says=("refused",), seconds=20),
    )
    yield Entry(
        id="A9-500-to-everything",
        call="recordings",
        server={FILE: Reply(status=500), CREATE: Reply(status=500)},
        extra={"retries": 4, "timeout": 10, "pair_request_seconds": 3},
        arguments=thousand,
        expect=Expect(error=CONNECTION_ERROR, says=("500",), seconds=20),
    )
    yield Entry(
        id="A9-500-to-every-recording",
        call="recordings",
        server={FILE: Reply(status=500)},
        extra={"retries": 4},
        arguments=thousand,
        expect=Expect(error=CONNECTION_ERROR, says=("500",), seconds=20, most={FILE: 150}),
    )
    for name, reply in (
        ("403", Reply(status=403)),
        ("login-page", Reply(status=302, headers={"Location": "/login"})),
        ("html", Reply(body=b"<html></html>")),
    ):
        yield Entry(
            id=f"A9-{name}-to-every-recording",
            call="recordings",
            server={FILE: reply},
            arguments=thousand,
            expect=Expect(error=(API_ERROR, RESPONSE_ERROR), seconds=20, most={FILE: 40}),
        )
    yield Entry(
        id="A9-down-after-30",
        call="recordings",
        down=Down(after=30),
        extra={"retries": 4},
        arguments=thousand,
        expect=Expect(error=CONNECTION_ERROR, says=("refused",), seconds=20),
    )
    yield Entry(
        id="A9-down-for-2-s",
        call="recordings",
        down=Down(after=20, seconds=2.0),
        extra={"retries": 4},
        arguments={"ids": ids(60), "concurrency": 8},
        expect=Expect(truth=True, seconds=25),
    )
    for call in ("list_calls", "request_result"):
        yield Entry(
            id=f"A9-refused-{call.replace('_', '-')}",
            call=call,
            down=Down(),
            extra={"retries": 1},
            expect=Expect(error=CONNECTION_ERROR, says=("refused",), seconds=8),
        )
    yield Entry(
        id="A9-refused-trigger",
        call="trigger",
        down=Down(),
        extra={"retries": 0},
        arguments={"seconds": 2.0},
        expect=Expect(error=WAIT_TIMEOUT, says=("refused",), seconds=4),
    )
    yield Entry(
        id="A9-refused-connection-test",
        call="test_connection",
        down=Down(),
        expect=Expect(error="ConnectionTestFailed", says=("refused",), seconds=4),
    )


# A10


def a10() -> Iterator[Entry]:
    body = call_list(rows(40))
    half = len(body) // 2
    file = recording(mp3(record_id(1), frames=60))
    pair = json.dumps({"accessToken": jwt("canary"), "refreshToken": jwt("canary")}).encode()
    framings: dict[str, dict[str, Any]] = {
        "close": {"framing": "close"},
        "chunked": {"framing": "chunked"},
        "length": {"framing": "length"},
        "wrong-length": {"wrong_length": 500},
    }
    early = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    for call, method in (("list_calls", LIST), ("trigger", RESULT)):
        short = call_list(rows())
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(short) + short
        yield Entry(
            id=f"A10-interim-responses-{call.replace('_', '-')}",
            call=call,
            server={method: Reply(raw=early + answer)},
            expect=TRUTH,
        )
    for framing, given in framings.items():
        cut = Reply(body=body, cut_after=half, **given)
        yield Entry(
            id=f"A10-{framing}-list",
            call="list_calls",
            server={LIST: cut},
            expect=Expect(error=TRUNCATED, final=False),
        )
    for name, given in (
        ("close-reset", {"framing": "close", "reset": True}),
        ("close-gzip", {"framing": "close", "gzip": True}),
        ("length-gzip", {"gzip": True}),
    ):
        size = 60 if given.get("gzip") else half
        yield Entry(
            id=f"A10-{name}-list",
            call="list_calls",
            server={LIST: Reply(body=body, cut_after=size, **given)},
            expect=Expect(error=TRUNCATED, final=False),
        )
    for name, call, method, content, arguments in (
        ("result", "request_result", RESULT, body, {}),
        ("recording", "one_recording", FILE, file, {"ids": [record_id(1)]}),
    ):
        yield Entry(
            id=f"A10-close-{name}",
            call=call,
            server={method: Reply(body=content, framing="close", cut_after=len(content) // 2)},
            arguments=arguments,
            expect=Expect(error=TRUNCATED, final=False),
        )
    for name, size in (("head", 12), ("empty", 0), ("before-the-end", len(body) - 1)):
        yield Entry(
            id=f"A10-close-{name}-list",
            call="list_calls",
            server={LIST: Reply(body=body, framing="close", cut_after=size)},
            expect=Expect(truth=True, error=TRUNCATED, final=False, check=_no_row_is_missing),
        )
    for framing in ("close", "length"):
        cut = Reply(body=pair, framing=framing, cut_after=30)  # type: ignore[arg-type]
        yield Entry(id=f"A10-{framing}-create-once", call="list_calls", server={CREATE: [cut]}, expect=TRUTH)
        yield Entry(
            id=f"A10-{framing}-trigger-once",
            call="trigger",
            server={RESULT: [Reply(body=body, framing=framing, cut_after=25)]},  # type: ignore[arg-type]
            expect=TRUTH,
        )
    yield Entry(
        id="A10-close-recordings-once-each",
        call="recordings",
        server={
            FILE: lambda request, number: (
                Reply(body=recording(mp3(request.query["recordFileId"])), framing="close", cut_after=900)
                if number < 6
                else None
            )
        },
        arguments={"ids": ids(6), "concurrency": 6},
        expect=TRUTH,
    )


def _no_row_is_missing(seen: Seen) -> str | None:
    return "Rows are missing." if not seen.error and len(seen.value) != 40 else None


# A11


def a11() -> Iterator[Entry]:
    body = call_list(rows())
    last = call_list(rows(), hash_last=True)
    for name, cut in (
        ("length", Reply(body=body, cut_after=len(body) - 40)),
        ("close", Reply(body=body, framing="close", cut_after=len(body) - 40)),
        ("reset", Reply(body=body, cut_after=len(body) - 40, reset=True)),
    ):
        yield Entry(
            id=f"A11-{name}-list-operator",
            call="list_operator",
            server={LIST: [cut]},
            expect=Expect(truth=True, most={LIST: 1, RESULT: 1}),
        )
    yield Entry(
        id="A11-hash-unknown-list-operator",
        call="list_operator",
        server={LIST: [Reply(body=last, cut_after=len(last) - 60)]},
        expect=Expect(truth=True, most={LIST: 2}),
    )
    yield Entry(
        id="A11-parquet-list-operator",
        call="list_operator",
        server={LIST: [Reply(body=body, cut_after=len(body) - 40)]},
        arguments={"name": "calls.parquet"},
        expect=TRUTH,
    )
    yield Entry(
        id="A11-result-operator",
        call="result_operator",
        server={RESULT: [Reply(body=body, cut_after=len(body) - 40)]},
        expect=Expect(truth=True, most={RESULT: 2}),
    )
    yield Entry(
        id="A11-always-cut-list-operator",
        call="list_operator",
        server={
            LIST: Reply(body=body, cut_after=len(body) - 40),
            RESULT: Reply(body=body, cut_after=len(body) - 40),
        },
        expect=Expect(error=TRUNCATED, final=False, seconds=20),
    )


# A12


def a12() -> Iterator[Entry]:
    for call in ("list_calls", "trigger"):
        name = call.replace("_calls", "")
        short = {"seconds": 2.0} if call == "trigger" else {}
        for plain in ("instead", "after"):
            yield Entry(
                id=f"A12-plain-text-{plain}-tls-{name}",
                call=call,
                tls=Tls(plain=plain),
                extra={"verify": "<ca>", "retries": 1},
                arguments=short,
                expect=Expect(error=(CONNECTION_ERROR, *WAIT_TIMEOUT), says=(("TLS", "SSL"),), seconds=8),
            )
        yield Entry(
            id=f"A12-client-certificate-demanded-{name}",
            call=call,
            tls=Tls(client_certificate=True),
            extra={"verify": "<ca>", "retries": 1},
            arguments=short,
            # The alert may be lost in the reset of the connection, which passes by itself.
            expect=Expect(error=(CONNECTION_ERROR, *WAIT_TIMEOUT), says=("certificate",), seconds=8),
        )
        method = RESULT if call == "trigger" else LIST
        yield Entry(
            id=f"A12-date-9999-{name}",
            call=call,
            server={method: lambda request, _: _dated("Fri, 31 Dec 9999 23:59:59 GMT")},
            expect=TRUTH,
        )
        yield Entry(
            id=f"A12-retry-after-9999-{name}",
            call=call,
            server={method: [_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", 503)]},
            expect=Expect(truth=True, error="AlloincognitoBusyError", seconds=5),
        )
    pair = json.dumps({"accessToken": jwt("a"), "refreshToken": jwt("b")}).encode()
    for name, date in (("9999", "Fri, 31 Dec 9999 23:59:59 GMT"), ("nonsense", "Fri, 31 Dec 9999 23:59:59 -2359")):
        yield Entry(
            id=f"A12-date-{name}-create-without-expiry",
            call="list_calls",
            server={CREATE: Reply(body=pair, headers={"Date": date})},
            expect=TRUTH,
        )
    for suffix in ("parquet", "csv.gz", "jsonl.gz"):
        yield Entry(
            id=f"A12-torn-calls-{suffix}",
            call="recording_operator",
            arguments={"torn": suffix, "concurrency": 1, "on_error": "skip"},
            expect=Expect(error=ANY_ERROR, says=(f"torn.{suffix}",), seconds=20),
        )
    yield Entry(
        id="A12-out-of-memory",
        call="land_list",
        server={LIST: lambda request, _: _row_of(150)},
        extra={"timeout": 20},
        prepare="little_memory",
        heavy=True,
        long=True,
        expect=Expect(error=ANY_ERROR, says=("memory",), seconds=20),
    )
    many = call_list(rows(4000))
    for suffix in ("parquet", "csv"):
        yield Entry(
            id=f"A12-full-spool-{suffix}",
            call="land_list",
            server={LIST: Reply(body=many)},
            arguments={"format": suffix},
            prepare="no_spool",
            expect=Expect(error="AlloincognitoTargetError", says=(("files", "tmp", "temporary"),)),
        )


def _row_of(megabytes: int) -> Reply:
    body = call_list([{"id": 0, "text": "a" * (megabytes << 20)}])
    return Reply(body=gzip.compress(body, 1), headers={"Content-Encoding": "gzip"})


def _dated(date: str) -> Reply:
    return Reply(body=call_list(rows()), headers={"Date": date})


WAITING = [*a1(), *a2(), *a3(), *a4(), *a5(), *a6(), *a7(), *a8(), *a9(), *a10(), *a11(), *a12()]
