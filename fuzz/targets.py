"""
What is fuzzed. A target takes any bytes; an exception from it is a finding.

Readers of a stream must give the same for the same bytes, however these are cut, and must agree with Python's own
parsers wherever those accept the input.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import random
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_alloincognito.api.answer import LargeValue, verdict
from airflow_provider_alloincognito.api.answer.envelope import EnvelopeReader
from airflow_provider_alloincognito.api.answer.head import AnswerHead
from airflow_provider_alloincognito.api.answer.recording import RecordingContentReader
from airflow_provider_alloincognito.api.answer.rows import RowBatch, RowReader
from airflow_provider_alloincognito.api.backoff import retry_after
from airflow_provider_alloincognito.api.mapping import ApiMapping
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.times import parse_api_time
from airflow_provider_alloincognito.api.tokens.pair import TokenPair, jwt_expiry, read_pair
from airflow_provider_alloincognito.api.tokens.state import PairState
from airflow_provider_alloincognito.api.transport.pace import Pace
from airflow_provider_alloincognito.api.transport.retries import LONGEST_RETRY_AFTER, note_response
from airflow_provider_alloincognito.errors import AlloincognitoError
from airflow_provider_alloincognito.scrubbing import scrub

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
HTTP_DATE = "Tue, 03 Mar 2026 12:00:00 GMT"
ZONE = ZoneInfo("Europe/Moscow")
SETTINGS = Settings()
# Other places, of which some lead through others, in the same words.
MAPPED = Settings(
    api_mapping=ApiMapping(
        answer={
            "rowset": ["", "rowset", "result.a"],
            "fileContent": ["rowset", "error.a.b"],
            "requestHash": ["a", "a.b"],
            "errorCode": ["error", "result.errorCode", "b"],
        }
    )
)
STATUSES = (200, 200, 200, 202, 400, 401, 404, 422, 503)
IN_WORDS = b"\xff"
"""The first byte of an input whose other bytes each stand for a word: it is JSON much more often."""
WORDS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"{}", b"[]", b"},{", b'"a":', b'"b":'),
    *(b'"result":', b'{"result":{"rowset":[', b'"rowset":', b'"fileContent":"', b'"error":', b'"errorCode":'),
    *(
        b"null",
        b"true",
        b"0",
        b"-1.5e3",
        b"1e400",
        b"NaN",
        b'"text"',
        b'\\"',
        b"\\\\",
        b"\\ud83d",
        b"\\ude00",
        b"\\u0000",
    ),
    *(b"\\/", b"\x00", b"\t", b"\xd0", b"\x98", b"\xff", b"SUQz", b"==", b"-_", b"data:,;base64,", b"]}}"),
)
LONG = 1 << 17
STRETCHED = 1 / 32
LONGEST = 2.0
DEEP = 100
SHORT = 256
BASE64 = re.compile(rb'([A-Za-z0-9+/]*={0,2})"')
CHARSET = re.compile(rb"(charset=.*)\n")
COLON = re.compile(rb":|\\u003a", re.IGNORECASE)
SECRET = "s3cret-token"

Text = TypeVar("Text", bytes, str)
Outcome = Any
"""What a reader gave; None for an error of this package."""
Read = Callable[[Iterable[bytes], int | None], Outcome]


def envelope(data: bytes) -> None:
    """A whole response."""
    data = _written_out(data)
    outcome = _the_same_in_any_chunks(_read_envelope, data)
    rows = _rows_of_valid_envelope(data)
    if rows is not None:
        assert outcome is not None, "a valid response is refused"
        assert [json.loads(row) for row in outcome[1]] == rows, "other rows than Python reads"


def head(data: bytes) -> None:
    """A whole response, with a status, a charset (in a first line ``charset=...``), a date, and what they mean."""
    data = _written_out(data)
    choice = random.Random(zlib.crc32(data))
    status, is_small = choice.choice(STATUSES), choice.random() < 0.3
    settings = choice.choice((SETTINGS, MAPPED))
    headers = {"Date": data[:40].decode("latin-1")}
    if charset := CHARSET.match(data):
        headers["Content-Type"] = f"application/json; {charset[1].decode('latin-1')}"
        data = data[charset.end() :]

    def read(chunks: Iterable[bytes], block: int | None) -> Outcome:
        answer = AnswerHead("getcalllist", status, headers, settings, is_small=is_small)
        try:
            for chunk in chunks:
                answer.feed(chunk)
            answer.finish()
        except AlloincognitoError as error:
            return _check_text(error)
        _judge(answer)
        return answer.envelope, *_read_pieces(answer.pieces), answer.body

    _the_same_in_any_chunks(read, data)


def rows(data: bytes) -> None:
    """The rows, after their opening bracket."""
    data = _written_out(data)
    outcome = _the_same_in_any_chunks(_large_value_reader(RowReader), data)
    with suppress(ValueError, RecursionError):  # not JSON
        text = data.decode()
        wanted, end = _DECODER.raw_decode(f"[{text}")
        if all(isinstance(row, dict) for row in wanted) and _is_plain(data, wanted):
            assert outcome is not None, "a valid array is refused"
            assert [json.loads(row) for row in outcome[0]] == wanted, "other rows than Python reads"
            assert outcome[2] == text[end - 2 :].encode(), "the array ends elsewhere"


def recording(data: bytes) -> None:
    """A recording's base64, after its opening quote."""
    data = _written_out(data)
    # A block, 64 KB by default, holds the whole prefix of a data: URL.
    least = len(data) if COLON.search(data) else 1
    outcome = _the_same_in_any_chunks(_large_value_reader(RecordingContentReader), data, least)
    plain = BASE64.match(data)
    if plain and len(plain[1]) % 4 == 0:
        with suppress(binascii.Error):
            wanted = base64.b64decode(plain[1], validate=True)
            assert outcome == ([], wanted, data[plain.end() - 1 :]), "another recording than Python decodes"


def expiry(data: bytes) -> None:
    """A pair's times and the times in its tokens, or the whole response that has them."""
    text = data.decode(errors="replace")
    payload = base64.urlsafe_b64encode(data).decode().rstrip("=")
    moments = [parse_api_time(text, ZONE), parse_api_time(text, ZONE, fold=1)]
    moments += [jwt_expiry(text), jwt_expiry(f"x.{payload}.y")]
    assert all(moment is None or moment.tzinfo is UTC for moment in moments)
    tokens = {"accessToken": f"x.{payload}.y", "refreshToken": text}
    times: list[dict[str, object]] = [dict.fromkeys(("accessTokenExpiredIn", "refreshTokenExpiredIn"), text), {}]
    with suppress(ValueError):
        times.append({"accessTokenExpiredIn": float(text)})
    for body in (data, *(msgspec.json.encode({**tokens, **each}) for each in times)):
        with suppress(AlloincognitoError):
            _use(read_pair(body, ZONE, NOW))


def retry(data: bytes) -> None:
    """The header ``Retry-After``, and the error about it."""
    header = data.decode("latin-1")
    headers = {"Retry-After": header, "Date": header[::-1]}
    for given in (headers, {"Retry-After": header}, {"Retry-After": HTTP_DATE, "Date": header}):
        seconds = retry_after(given)
        assert seconds is None or (seconds >= 0 and math.isfinite(seconds)), "no time to wait"
    answer = AnswerHead("getcalllist", 503, headers, SETTINGS, is_small=True)
    answer.finish()
    pace = Pace()
    try:
        note_response(SETTINGS, pace, pace.turn(), answer)
    except AlloincognitoError as error:
        _check_text(error)
    assert 0 <= pace.pause_left <= 1.1 * LONGEST_RETRY_AFTER, "no time to wait"


def scrubbed(data: bytes) -> None:
    """A text of the server that becomes part of an error."""
    for text in (data.decode(errors="replace"), data.decode("latin-1")):
        for given in (text, f"{text}{SECRET}{text}"):
            shown = scrub(given, [SECRET])
            assert SECRET not in shown
            assert len(shown.splitlines()) <= 1
            assert len(shown) < 1000
    if zlib.crc32(data) % 16 == 0:
        _in_time(lambda: scrub(_stretched(text), [SECRET]))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "envelope": envelope,
    "head": head,
    "rows": rows,
    "recording": recording,
    "expiry": expiry,
    "retry_after": retry,
    "scrub": scrubbed,
}


# Any chunks


def _the_same_in_any_chunks(read: Read, data: bytes, least_block: int = 1) -> Outcome:
    """Return what a reader gives for some bytes, and fail if it depends on how they arrive."""
    whole = read([data], None)
    choice = random.Random(zlib.crc32(data))
    is_utf_8 = _is_utf_8(data)
    cuts = [(8, 1), (64, choice.randint(1, 64)), (len(data) + 1, choice.randint(1, 256))]
    if len(data) < SHORT:
        cuts.append((1, 1))
    for most, block in cuts:
        cut = list(_cut(data, most, choice))
        outcome = read(cut, max(block, least_block))
        # Whether rows look like another encoding, which is an error, or damaged is decided block by block.
        may_fail = not is_utf_8 and None in (outcome, whole)
        assert may_fail or outcome == whole, f"chunks of at most {most} bytes make a difference"
    if choice.random() < STRETCHED:
        _in_time(lambda: read([_stretched(data)], None))
    return whole


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _written_out(data: bytes) -> bytes:
    """Return the bytes themselves, or the words that they stand for."""
    return b"".join(WORDS[one % len(WORDS)] for one in data[1:]) if data.startswith(IN_WORDS) else data


def _cut(data: bytes, most: int, choice: random.Random) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = start + choice.randint(1, most)
        yield data[start:end]
        start = end


def _in_time(call: Callable[[], object]) -> None:
    """Measure the processor's time: on a busy machine anything may take long by the clock."""
    began = time.process_time()
    call()
    assert time.process_time() - began < LONGEST, "it takes too long"


def _stretched(data: Text) -> Text:
    """Return a long text whose middle repeats: what takes quadratic time shows."""
    third = len(data) // 3
    middle = data[third : len(data) - third]
    return data[:third] + middle * (LONG // max(1, len(middle))) + data[len(data) - third :]


# Readers


def _read_envelope(chunks: Iterable[bytes], block: int | None) -> Outcome:
    reader = EnvelopeReader(block=block)
    try:
        pieces = [piece for chunk in chunks for piece in reader.feed(chunk)]
        pieces += reader.finish()
    except AlloincognitoError as error:
        return _check_text(error)
    return reader.envelope, *_read_pieces(pieces)


def _large_value_reader(kind: Callable[[int | None], LargeValue[Any]]) -> Read:
    def read(chunks: Iterable[bytes], block: int | None) -> Outcome:
        reader = kind(block)
        pieces: list[Any] = []
        rest = b""
        try:
            for chunk in chunks:
                if reader.rest is None:
                    pieces += reader.feed(chunk)
                else:
                    rest += chunk
            if reader.rest is None:
                pieces += reader.feed(b"", last=True)
        except AlloincognitoError as error:
            return _check_text(error)
        if reader.rest is None:  # the envelope's reader reports the truncation
            return None
        return *_read_pieces(pieces), reader.rest + rest

    return read


def _read_pieces(pieces: list[Any]) -> tuple[list[bytes], bytes]:
    """Return all rows, without white space, and the recording."""
    rows: list[bytes] = []
    content = b""
    for piece in pieces:
        if isinstance(piece, RowBatch):
            assert len(piece.json_lines().splitlines()) == len(piece)
            assert len(list(piece.fields())) == len(piece)
            with suppress(AlloincognitoError):  # a number that is out of range
                piece.decode()
            rows += [msgspec.json.format(bytes(row), indent=-1) for row in piece.rows]
        else:
            content += piece
    return rows, content


def _judge(answer: AnswerHead) -> None:
    """Do what the transports do with a head."""
    verdict.token_is_rejected(answer, answer.settings)
    verdict.may_lack_right(answer)
    try:
        verdict.raise_for_error("getcalllist", answer, answer.settings, [SECRET])
        verdict.is_ready(answer, answer.settings)
    except AlloincognitoError as error:
        _check_text(error)
    if answer.server_time is not None:
        PairState(SETTINGS, SECRET, lambda: 0.0, lambda: NOW, random.Random(0)).note_clock(answer)


def _check_text(error: AlloincognitoError) -> None:
    text = str(error)
    assert len(text.splitlines()) == 1, "an error of several lines"
    assert len(text) < 2000, "a long error"


def _use(pair: TokenPair) -> None:
    """Do what a process does with a pair."""
    assert TokenPair.from_json(pair.to_json()) == pair
    state = PairState(SETTINGS, SECRET, lambda: 0.0, lambda: NOW, random.Random(0))
    state.adopt(pair, made_here=True)
    for question in (state.is_due, state.has_ended, state.is_young, state.ended_early):
        question(pair)


# Python's own parser


def _rows_of_valid_envelope(data: bytes) -> list[dict[str, Any]] | None:
    """Return the rows of a response that has nothing else; None for any other."""
    with suppress(ValueError, RecursionError):  # not JSON
        document = _DECODER.decode(data.decode())
        match document:
            case {"result": {"rowset": [*rows], **others}, **outside} if not others and set(outside) <= {"error"}:
                are_rows = all(isinstance(row, dict) for row in rows) and outside.get("error") is None
                return rows if are_rows and _is_plain(data, rows) else None
    return None


def _is_plain(data: bytes, value: object) -> bool:
    """Whether it is neither deep, nor has lone surrogates, which are replaced."""
    if data.count(b"[") + data.count(b"{") > DEEP:
        return False
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key appears twice")
    return dict(pairs)


_DECODER = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_once_each)
