"""FAULTS C: what responses hold. ``leak`` entries look into tracebacks with local variables as well."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import raw_server as raw
from entry import API_ERROR, ESCAPED_FORMULAS, RESPONSE_ERROR, TRUNCATED, TRUTH, WAIT_TIMEOUT, Entry, Expect, Seen, ids
from raw_server import CREATE, FILE, HASH, LIST, REFRESH, RESULT, Reply, Request

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

KINDS = {
    "C1": (
        "A recording that is no audio: an error page, blanks, hex, base64 of base64",
        "A failed recording; no file; the manifest says what it was",
    ),
    "C2": ("Ids that mean none: `0`, `null`, `-`, the all-zero GUID", "No recording is requested"),
    "C3": (
        "A row with bytes that are not UTF-8, raw control characters, NaN",
        "The row lands mended, with one warning; or an error names row and field",
    ),
    "C4": ("A body in another encoding", "It is decoded where its encoding is declared; else an error names it"),
    "C5": ("Huge, deep or endless envelopes", "An error or the truth within 5 s and 64 MB; the event loop is not held"),
    "C6": ("A token with a line break or a letter that no token has", "It is refused, not stored and not logged"),
    "C7": ("A `requestHash` or `errorCode` with a phone number, line breaks or 10 KB", "It is scrubbed and bounded"),
    "C8": ("A phone number in any grouping", "It is scrubbed"),
    "C9": ("Timestamps as epoch numbers or `dd.mm.yyyy`", "They land; a value that is none is final"),
    "C10": ("CSV cells that a spreadsheet takes for formulas", "`escape_formulas=True` puts an apostrophe before them"),
    "C11": ('`errorCode` `0.0`, `"00"`, `false`, or 0 with a message', "No error"),
    "leak": ("Any failure", "No token, phone number or file name, even in a traceback with local variables"),
}

# C1

WAV = b"RIFF\x24\x08\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00" + bytes(2048)
NO_AUDIO: dict[str, bytes] = {
    "html": b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>" * 5,
    "xml": b'<?xml version="1.0"?><error>not found</error>',
    "json": b'{"error": {"errorCode": 404, "errorMessage": "no such file"}}',
    "blanks": b" " * 400,
    "hex": raw.mp3("a").hex().encode(),
    "base64-again": base64.b64encode(raw.mp3("a")),
    "text": "Запись не найдена".encode(),
    "zeros": bytes(4096),
    "pdf": b"%PDF-1.7\n" + bytes(500),
    "png": b"\x89PNG\r\n\x1a\n" + bytes(500),
    "wav": WAV,
    "ogg": b"OggS\x00\x02" + bytes(500),
}


def _no_file(seen: Seen) -> str | None:
    if [name for name in seen.left if name.endswith(".mp3")]:
        return "An mp3 file stands there."
    return None if seen.error or seen.value["failed"] == 1 else f"It did not fail: {seen.value}"


def c1() -> Iterator[Entry]:
    for name, content in NO_AUDIO.items():
        yield Entry(
            id=f"C1-{name}",
            call="recordings",
            server={FILE: Reply(body=raw.recording(content))},
            arguments={"ids": ids(1)},
            expect=Expect(truth=True, check=_no_file),
        )
    for name, text in (("word", "notfound"), ("null", "null"), ("empty", "")):
        body = raw.envelope({"file_NAME": "1.mp3", "fileContent": text})
        yield Entry(
            id=f"C1-bare-{name}",
            call="recordings",
            server={FILE: Reply(body=body)},
            arguments={"ids": ids(1)},
            expect=Expect(truth=True, check=_no_file),
        )
    yield Entry(
        id="C1-html-one-recording",
        call="one_recording_landed",
        server={FILE: Reply(body=raw.recording(NO_AUDIO["html"]))},
        arguments={"ids": [raw.record_id(1)]},
        expect=Expect(error="AlloincognitoError", says=(("HTML", "audio", "mp3"),)),
    )
    for name, head in (
        ("id3", b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10)),
        ("mpeg2", b"\xff\xf3\x40\xc4" + bytes(140)),
    ):
        yield Entry(
            id=f"C1-audio-{name}",
            call="recordings",
            server={FILE: _headed(head)},
            arguments={"ids": ids(1)},
            expect=Expect(truth=True, check=_one_file),
        )


def _headed(head: bytes) -> Callable[[Request, int], Reply]:
    return lambda request, _: Reply(body=raw.recording(head + raw.mp3(request.query["recordFileId"])))


def _one_file(seen: Seen) -> str | None:
    return (
        None
        if seen.value["fetched"] == 1 and [name for name in seen.left if name.endswith(".mp3")]
        else "It has not landed."
    )


# C2

NO_IDS: dict[str, Any] = {
    "zero": 0,
    "zero-text": "0",
    "false": False,
    "null": None,
    "null-text": "null",
    "none-text": "None",
    "dash": "-",
    "not-available": "N/A",
    "blank": " ",
    "zero-guid": "00000000-0000-0000-0000-000000000000",
}


def c2() -> Iterator[Entry]:
    good = {"id": 1, "recordFileId": raw.record_id(7)}
    for name, value in NO_IDS.items():
        yield Entry(
            id=f"C2-{name}",
            call="recording_operator",
            arguments={"rows": [{"id": 0, "recordFileId": value}, good], "concurrency": 1},
            expect=Expect(truth=True, most={FILE: 1}, check=_only_the_good_one),
        )
    yield Entry(
        id="C2-all-in-a-list",
        call="recording_operator",
        arguments={"record_file_ids": [*NO_IDS.values(), raw.record_id(7)], "concurrency": 1},
        expect=Expect(truth=True, most={FILE: 1}, check=_only_the_good_one),
    )


def _only_the_good_one(seen: Seen) -> str | None:
    asked = [one.query.get("recordFileId") for one in seen.sent(FILE)]
    return None if seen.error or asked == [raw.record_id(7)] else f"Requested: {asked}"


# C3

MARK = b"call 1234"
COUNT = 2001
OTHERS = re.compile("memory|cryptography")
"""Warnings of the token store, and of Airflow 2.11 without a key."""
BAD_BYTES: dict[str, bytes] = {
    "byte-d0": b"call \xd0",
    "cut-utf8": b"call \xd0\x9f\xd1",
    "latin1": b"caf\xe9",
    "overlong": b"call \xc0\xaf",
    "utf8-surrogate": b"call \xed\xa0\xbd",
    "raw-tab": b"call\t1234",
    "raw-line-break": b"call\n1234",
    "raw-carriage-return": b"call\r\n1234",
    "raw-nul": b"call\x001234",
    "raw-escape": b"call\x1b[31m1234",
    "half-surrogate": b"call \\ud83d",
    "bad-escape": b"call \\x41",
}


def c3() -> Iterator[Entry]:
    body = raw.call_list(raw.rows(COUNT))
    assert body.count(MARK + b'"') == 1
    for name, text in BAD_BYTES.items():
        mended = Expect(
            truth=True, error=RESPONSE_ERROR, says=("1235", "text"), check=_all_rows(one_warning=name != "bad-escape")
        )
        if name == "half-surrogate":
            mended = Expect(truth=True, check=_all_rows(one_warning=False))
        yield Entry(
            id=f"C3-{name}-list",
            call="list_calls",
            server={LIST: Reply(body=body.replace(MARK, text))},
            expect=mended,
        )
    for suffix in ("jsonl", "csv", "parquet"):
        for name in ("byte-d0", "raw-tab"):
            yield Entry(
                id=f"C3-{name}-{suffix}",
                call="land_list",
                server={LIST: Reply(body=body.replace(MARK, BAD_BYTES[name]))},
                arguments={"format": suffix},
                expect=Expect(truth=True, check=_all_rows(one_warning=True)),
            )
    for name in ("NaN", "Infinity", "-Infinity", "01", "+1", ".5"):
        numbered = body.replace(b'"id":1234,', f'"id":{name},'.encode())
        assert numbered != body
        yield Entry(
            id=f"C3-number-{name}",
            call="land_list",
            server={LIST: Reply(body=numbered)},
            expect=Expect(truth=True, error=RESPONSE_ERROR, says=("1235", "id"), check=_all_rows(one_warning=False)),
        )
    yield Entry(
        id="C3-byte-d0-in-a-key",
        call="list_calls",
        server={LIST: Reply(body=body.replace(b'"id":1234,', b'"id":1234,"\xd0":1,'))},
        expect=Expect(truth=True, error=RESPONSE_ERROR, says=("1235",), check=_all_rows(one_warning=False)),
    )
    yield Entry(
        id="C3-byte-d0-in-the-error-text",
        call="list_calls",
        server={LIST: Reply(body=b'{"error":{"errorCode":17,"errorMessage":"blocked \xd0"},"result":null}')},
        expect=Expect(error=API_ERROR, says=("17", "blocked")),
    )


def _all_rows(*, one_warning: bool) -> Callable[[Seen], str | None]:
    def check(seen: Seen) -> str | None:
        if seen.error:
            return None
        if len(seen.value) != COUNT:
            return f"{len(seen.value)} rows of {COUNT}."
        warnings = [text for level, text in seen.logs if level == "WARNING" and not OTHERS.search(text)]
        return f"{len(warnings)} warnings, expected one." if one_warning and len(warnings) != 1 else None

    return check


# C4

RUSSIAN = [{"id": 0, "text": "Звонок клиента"}]


def c4() -> Iterator[Entry]:
    text = raw.call_list(RUSSIAN).decode()
    declared = Expect(truth=True, check=_russian)
    for name, encoding in (("windows-1251", "cp1251"), ("koi8-r", "koi8-r"), ("utf-16", "utf-16")):
        yield Entry(
            id=f"C4-{name}-declared",
            call="list_calls",
            server={
                LIST: Reply(body=text.encode(encoding), headers={"Content-Type": f"application/json; charset={name}"})
            },
            expect=declared,
        )
    for name, encoding, says in (
        ("windows-1251", "cp1251", ("1251",)),
        ("utf-16", "utf-16", ("UTF-16", "UTF16")),
        ("utf-16-be", "utf-16-be", ("UTF-16", "UTF16")),
    ):
        yield Entry(
            id=f"C4-{name}-not-declared",
            call="list_calls",
            server={LIST: Reply(body=text.encode(encoding))},
            expect=Expect(truth=True, error=RESPONSE_ERROR, says=(says,), check=_russian),
        )
    yield Entry(
        id="C4-windows-1251-trigger",
        call="trigger",
        server={RESULT: Reply(body=text.encode("cp1251"), headers={"Content-Type": "text/json; charset=windows-1251"})},
        arguments={"seconds": 3.0},
        expect=TRUTH,
    )
    yield Entry(
        id="C4-utf-8-with-mark",
        call="list_calls",
        server={LIST: Reply(body=b"\xef\xbb\xbf" + text.encode())},
        expect=declared,
    )
    yield Entry(
        id="C4-unknown-encoding",
        call="list_calls",
        server={LIST: Reply(body=text.encode(), headers={"Content-Type": "application/json; charset=x-unknown"})},
        expect=Expect(truth=True, error=RESPONSE_ERROR, says=("x-unknown",), check=_russian),
    )
    yield Entry(
        id="C4-bad-gzip",
        call="list_calls",
        server={LIST: Reply(body=text.encode(), headers={"Content-Encoding": "gzip"})},
        expect=Expect(error=(RESPONSE_ERROR, "AlloincognitoConnectionError")),
    )


def _russian(seen: Seen) -> str | None:
    return None if seen.error or seen.value == RUSSIAN else f"It was read as {str(seen.value)[:200]}"


# C5


def _repeated(before: bytes, block: bytes, times: int, after: bytes) -> Reply:
    """A compressed body that holds a block many times; made once, without holding all of it."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    packed = [packer.compress(before)]
    many, rest = divmod(times, max(1, (1 << 20) // len(block)))
    large = block * max(1, (1 << 20) // len(block))
    packed += [packer.compress(large) for _ in range(many)]
    packed += [packer.compress(block * rest), packer.compress(after), packer.flush()]
    return Reply(body=b"".join(packed), headers={"Content-Encoding": "gzip"})


class _Made:
    """A reply that is made when it is first sent."""

    def __init__(self, make: Callable[[], Reply]) -> None:
        self._make = make
        self._reply: Reply | None = None

    def __call__(self, request: Request, number: int) -> Reply:
        self._reply = self._reply or self._make()
        return self._reply


def _pending_scalars() -> Any:
    """A long rowset where "not ready yet" is expected."""
    made = _repeated(b'{"error":null,"result":{"rowset":[1', b",1", 25_000_000, b"]}}")
    return replace(made, status=202)


def _empty(seen: Seen) -> str | None:
    """The truth is an empty list, or so many scalars."""
    return None if seen.error or seen.value in ("ready", 0, 1, 25_000_001) else f"It returned {seen.value}."


def c5() -> Iterator[Entry]:
    head = b'{"error":null,"result":{"requestHash":"aGFzaA==",'
    shapes: dict[str, tuple[bytes, bytes, int, bytes]] = {
        "200-mb-string": (head + b'"apiName":"', b"a", 200_000_000, b'","rowset":[]}}'),
        "200-mb-string-outside": (b'{"note":"', b"a", 200_000_000, b'","error":null,"result":{"rowset":[]}}'),
        "200-mb-message": (b'{"error":{"errorCode":1,"errorMessage":"', b"a", 200_000_000, b'"},"result":null}'),
        "200-mb-hash": (b'{"error":null,"result":{"requestHash":"', b"a", 200_000_000, b'","rowset":[]}}'),
        "200-mb-key": (b'{"', b"a", 200_000_000, b'":1,"error":null,"result":{"rowset":[]}}'),
        "200-mb-blanks": (b"", b" ", 200_000_000, b'{"error":null,"result":{"rowset":[]}}'),
        "25-million-scalars": (head + b'"rowset":[1', b",1", 25_000_000, b"]}}"),
        "25-million-scalars-error-last": (b'{"result":{"rowset":[1', b",1", 25_000_000, b']},"error":null}'),
        "2-million-deep": (head + b'"other":', b"[", 2_000_000, b"1"),
        "2-million-deep-row": (head + b'"rowset":[', b'{"a":', 2_000_000, b"1"),
        "million-keys": (head + b'"rowset":[],', b'"a":1,', 4_000_000, b'"b":1}}'),
        "20-mb-number": (head + b'"code":', b"1", 20_000_000, b',"rowset":[]}}'),
    }
    for name, parts in shapes.items():
        made = _Made(lambda parts=parts: _repeated(*parts))  # type: ignore[misc]
        long = name not in ("200-mb-string", "25-million-scalars-error-last", "2-million-deep")
        for who, call, method in (("task", "count_rows", LIST), ("trigger", "trigger", RESULT)):
            yield Entry(
                id=f"C5-{name}-{who}",
                call=call,
                server={method: made},
                extra={"timeout": 10},
                arguments={"seconds": 20.0} if call == "trigger" else {},
                heavy=True,
                long=long,
                expect=Expect(
                    truth=True,
                    error="AlloincognitoError",
                    seconds=5,
                    memory=64,
                    loop_held=0.1,
                    check=_empty,
                ),
            )
    yield Entry(
        id="C5-25-million-scalars-pending-trigger",
        call="trigger",
        server={RESULT: [_pending_scalars()]},
        arguments={"seconds": 20.0},
        heavy=True,
        expect=Expect(truth=True, error="AlloincognitoError", seconds=5, memory=64, loop_held=0.1),
    )
    yield Entry(
        id="C5-one-byte-chunks-trigger",
        call="trigger",
        server={RESULT: Reply(raw=CHUNKED + b"1\r\n \r\n" * 300_000)},
        extra={"retries": 0},
        arguments={"seconds": 2.0},
        heavy=True,
        expect=Expect(error=("AlloincognitoError", *WAIT_TIMEOUT), memory=64, loop_held=0.1),
    )
    yield Entry(
        id="C5-endless-body",
        call="count_rows",
        server={LIST: _Made(lambda: _repeated(head + b'"rowset":[', b'{"id":1,"text":"call"},', 3_000_000, b"{}]}}"))},
        extra={"timeout": 10, "max_response_bytes": 10_000_000},
        heavy=True,
        expect=Expect(error=RESPONSE_ERROR, says=("max_response_bytes",), seconds=10, memory=64),
    )


# C6


def c6() -> Iterator[Entry]:
    ends = {"accessTokenExpiredIn": "2099-01-01T00:00:00Z", "refreshTokenExpiredIn": "2099-01-01T00:00:00Z"}
    bad = {
        "line-break": "eyJhbGciOi.SECRET\nTOKEN.signature",
        "carriage-return": "eyJhbGciOi.SECRET\rTOKEN.signature",
        "blank": "eyJhbGciOi.SECRET TOKEN.signature",
        "cyrillic": "eyJhbGciOi.SECRETТОКЕНTOKEN.signature",
        "accent": "eyJhbGciOi.SECRETéTOKEN.signature",
        "nul": "eyJhbGciOi.SECRET\x00TOKEN.signature",
    }
    for which in ("accessToken", "refreshToken"):
        for name, token in bad.items():
            pair = {"accessToken": raw.jwt("fine"), "refreshToken": raw.jwt("fine"), **ends, which: token}
            yield Entry(
                id=f"C6-{which}-{name}",
                call="stored_pair",
                server={CREATE: Reply(body=json.dumps(pair).encode())},
                expect=Expect(
                    error=RESPONSE_ERROR,
                    never_says=("SECRET", "TOKEN.signature", "THE PAIR IS STORED"),
                    check=lambda seen: "It was sent." if seen.sent(LIST) else None,
                ),
            )
    yield Entry(
        id="C6-refreshed",
        call="list_calls",
        server={
            LIST: [Reply(status=401)],
            REFRESH: Reply(
                body=json.dumps({"accessToken": bad["line-break"], "refreshToken": raw.jwt("fine")}).encode()
            ),
        },
        expect=Expect(truth=True, error=RESPONSE_ERROR, seconds=15, never_says=("SECRET", "TOKEN.signature")),
    )
    yield Entry(
        id="C6-stays-without",
        call="stored_pair",
        expect=Expect(truth=True, check=lambda seen: None if "THE PAIR IS STORED" in seen.output else "Not stored."),
    )


# C7

NUMBER = "79165557788"


def c7() -> Iterator[Entry]:
    hashes = {
        "phone": f"{NUMBER}==",
        "line-break": "aGFz\naA== INJECTED",
        "ansi": "\x1b[31maGFzaA==\x1b[0m",
        "10-kb": "x" * 10_240,
    }
    quiet = (NUMBER, NUMBER[1:], "\x1b[31m", "x" * 2000, "aGFz\n")
    for name, value in hashes.items():
        pending = Reply(status=202, body=raw.envelope({"requestHash": value}))
        yield Entry(
            id=f"C7-hash-{name}-while-pending",
            call="list_operator",
            server={LIST: [pending], RESULT: [pending]},
            expect=Expect(truth=True, error=RESPONSE_ERROR, never_says=quiet),
        )
        yield Entry(
            id=f"C7-hash-{name}-with-an-error",
            call="list_calls",
            server={LIST: Reply(body=_error(17, "no", value))},
            expect=Expect(error=API_ERROR, never_says=quiet),
        )
    codes: dict[str, object] = {
        "phone-number": int(NUMBER),
        "phone-text": NUMBER,
        "line-break": "17\nINJECTED",
        "ansi": "\x1b[31m17",
        "10-kb": "9" * 10_240,
        "huge-number": 10**400,
        "object": {"number": NUMBER},
    }
    for code_name, code in codes.items():
        yield Entry(
            id=f"C7-code-{code_name}",
            call="list_calls",
            server={LIST: Reply(body=raw.api_error(code, "no"))},
            expect=Expect(error=(API_ERROR, RESPONSE_ERROR), never_says=(*quiet, "9" * 2000, "17\n", "1" + "0" * 300)),
        )


def _error(code: object, message: str, request_hash: str) -> bytes:
    return raw.envelope({"requestHash": request_hash}, error={"errorCode": code, "errorMessage": message})


# C8


def c8() -> Iterator[Entry]:
    forms = {
        "slashes": "7/916/555/77/88",
        "underscores": "7_916_555_77_88",
        "percent": "%2B7%20%28916%29%20555-77-88",
        "percent-twice": "%252B7%2520916%2520555%25207788",
        "dots": "7.916.555.77.88",
        "no-break-spaces": "+7\u00a0916\u00a0555\u00a077\u00a088",
        "brackets": "+7 (916) 555-77-88",
        "dashes": "7–916–555–77–88",
        "colons": "7:916:555:77:88",
        "commas": "7,916,555,77,88",
        "wide-digits": "７９１６５５５７７８８",
        "letters-around": "tel79165557788x",
        "html-blanks": "7&nbsp;916&nbsp;555&nbsp;77&nbsp;88",
        "eight": "8-916-555-77-88",
        "in-a-path": "/records/79165557788/2026-03-03.mp3",
    }
    for name, text in forms.items():
        yield Entry(
            id=f"C8-{name}",
            call="list_calls",
            server={LIST: Reply(body=raw.api_error(17, f"No calls of {text} today"))},
            expect=Expect(error=API_ERROR, never_says=(text,), says=("17",)),
        )
    yield Entry(
        id="C8-what-is-none-stays",
        call="list_calls",
        server={LIST: Reply(body=raw.api_error(17, "Period 2026-03-01 00:00:00 is closed, see 12/34"))},
        expect=Expect(error=API_ERROR, says=("2026-03-01", "12/34")),
    )


# C9


def c9() -> Iterator[Entry]:
    times: dict[str, object] = {
        "epoch-seconds": 1_772_485_200,
        "epoch-milliseconds": 1_772_485_200_000,
        "epoch-text": "1772485200",
        "russian": "03.03.2026 00:00:00",
        "api": "2026-03-03 00:00:00",
        "iso": "2026-03-03T00:00:00+03:00",
    }
    schema = {"id": "int64", "start": "timestamp"}
    for name, value in times.items():
        yield Entry(
            id=f"C9-timestamp-{name}",
            call="land_list",
            server={LIST: Reply(body=raw.call_list([{"id": 0, "start": value}]))},
            arguments={"format": "parquet", "schema": schema},
            expect=Expect(truth=True, check=_midnight),
        )
    yield Entry(
        id="C9-timestamp-that-is-none",
        call="land_list",
        server={LIST: Reply(body=raw.call_list([{"id": 0, "start": "yesterday"}]))},
        arguments={"format": "parquet", "schema": schema},
        expect=Expect(error="AlloincognitoValueError", says=("start", "row 1"), final=True),
    )
    yield Entry(
        id="C9-number-that-is-none",
        call="land_list",
        server={LIST: Reply(body=raw.call_list([{"id": 0}, {"id": "many"}]))},
        arguments={"format": "parquet", "schema": {"id": "int64"}},
        expect=Expect(error="AlloincognitoValueError", says=("id", "row 2"), final=True),
    )


def _midnight(seen: Seen) -> str | None:
    if seen.error:
        return None
    moment = seen.value[0]["start"]
    return None if moment.timestamp() == 1_772_485_200 else f"It was read as {moment}."


# C10, C11


def c10() -> Iterator[Entry]:
    cells = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "call"]
    for name, arguments in (("as-they-are", {}), ("defused", ESCAPED_FORMULAS)):
        yield Entry(
            id=f"C10-{name}",
            call="land_list",
            server={LIST: Reply(body=raw.call_list([{"id": n, "text": text} for n, text in enumerate(cells)]))},
            arguments={"format": "csv", **arguments},
            expect=Expect(truth=True, check=_cells(cells, defused=bool(arguments))),
        )


def _cells(cells: list[str], *, defused: bool) -> Callable[[Seen], str | None]:
    def check(seen: Seen) -> str | None:
        if seen.error:
            return None
        texts = [row["text"] for row in seen.value]
        if not defused:
            return None if texts == cells else f"Cells have changed: {texts}"
        bad = [text for text in texts if text[0] in "=+-@\t"]
        return f"Formulas: {bad}" if bad or texts[-1] != "call" else None

    return check


def c11() -> Iterator[Entry]:
    none: dict[str, Any] = {
        "0.0": {"errorCode": 0.0, "errorMessage": ""},
        "minus-0.0": {"errorCode": -0.0, "errorMessage": ""},
        "00": {"errorCode": "00", "errorMessage": None},
        "false": {"errorCode": False, "errorMessage": ""},
        "0-ok": {"errorCode": 0, "errorMessage": "OK"},
        "0-text-ok": {"errorCode": "0", "errorMessage": "ok"},
        "null-null": {"errorCode": None, "errorMessage": None},
        "blank": {"errorCode": " ", "errorMessage": " "},
        "empty-object": {},
    }
    for name, error in none.items():
        body = json.dumps({"error": error, "result": {"requestHash": HASH, "rowset": raw.rows()}}).encode()
        yield Entry(id=f"C11-{name}", call="list_calls", server={LIST: Reply(body=body)}, expect=TRUTH)
    real = {"errorCode": 0, "errorMessage": "The contract is blocked"}
    yield Entry(
        id="C11-0-with-a-real-message",
        call="list_calls",
        server={LIST: Reply(body=json.dumps({"error": real, "result": None}).encode())},
        expect=Expect(error=API_ERROR, says=("blocked",)),
    )


# leak


def leaks() -> Iterator[Entry]:
    def quoting(request: Request, number: int) -> Reply:
        """An error that quotes the token it was sent, and a number."""
        return Reply(body=raw.api_error(17, f"Token {request.token} of {NUMBER} may not list calls"))

    def bad_row(request: Request, number: int) -> Reply:
        body = raw.call_list([{"id": 0, "number": NUMBER, "text": "a"}, {"id": 1, "number": NUMBER}])
        return Reply(body=body.replace(b'"id":1', b'"id":}1'))

    def error_in(method: str) -> dict[str, Any]:
        return {method: quoting}

    quiet = (NUMBER, NUMBER[1:])
    no_base64 = raw.envelope({"fileContent": "&&&&"})
    half_pair = json.dumps({"accessToken": raw.jwt("SECRET")}).encode()
    one = {"ids": [raw.record_id(1)]}
    for name, call, server, arguments, error in (
        ("own-error-list", "list_calls", error_in(LIST), {}, API_ERROR),
        ("own-error-trigger", "trigger", error_in(RESULT), {"seconds": 3.0}, API_ERROR),
        ("own-error-recording", "one_recording", error_in(FILE), one, API_ERROR),
        ("own-error-create", "list_calls", error_in(CREATE), {}, "AlloincognitoError"),
        (
            "401",
            "list_calls",
            {LIST: Reply(status=401), CREATE: [], REFRESH: Reply(status=401)},
            {},
            "AlloincognitoError",
        ),
        ("404", "list_calls", {LIST: Reply(status=404)}, {}, API_ERROR),
        ("503", "list_calls", {LIST: Reply(status=503)}, {}, "AlloincognitoConnectionError"),
        ("reset", "list_calls", {LIST: Reply(raw=b"", reset=True)}, {}, "AlloincognitoConnectionError"),
        ("cut-list", "list_calls", {LIST: Reply(body=raw.call_list(raw.rows(50)), cut_after=900)}, {}, TRUNCATED),
        ("bad-row", "list_calls", {LIST: bad_row}, {}, RESPONSE_ERROR),
        ("bad-row-parquet", "land_list", {LIST: bad_row}, {"format": "parquet"}, RESPONSE_ERROR),
        (
            "bad-base64",
            "one_recording_landed",
            {FILE: Reply(body=no_base64)},
            one,
            "AlloincognitoError",
        ),
        (
            "bad-pair",
            "list_calls",
            {CREATE: Reply(body=half_pair)},
            {},
            RESPONSE_ERROR,
        ),
    ):
        yield Entry(
            id=f"leak-{name}",
            call=call,
            server=server,  # type: ignore[arg-type]
            arguments=arguments,
            extra={"retries": 0},
            expect=Expect(error=error, seconds=15, locals=True, never_says=(*quiet, "SECRET")),
        )
    yield Entry(
        id="leak-reprs",
        call="shown_objects",
        arguments={"number": NUMBER},
        expect=Expect(truth=True, never_says=quiet),
    )
    value = {"id": 0, "number": NUMBER, "start": f"at {NUMBER}"}
    yield Entry(
        id="leak-bad-value",
        call="land_list",
        server={LIST: Reply(body=raw.call_list([value]))},
        arguments={"format": "parquet", "schema": {"start": "timestamp"}},
        expect=Expect(
            truth=True, error="AlloincognitoValueError", locals=True, check=lambda seen: None, never_says=quiet
        ),
    )


CONTENT = [*c1(), *c2(), *c3(), *c4(), *c5(), *c6(), *c7(), *c8(), *c9(), *c10(), *c11(), *leaks()]
