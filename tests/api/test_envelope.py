"""The envelope, read in chunks cut anywhere: ``api/answer/envelope.py`` and ``LargeValue`` of ``api/answer``."""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from random import Random
from typing import Any

import pytest
from envelope_reading import read
from half_pairs import whole
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.answer.envelope import Envelope, EnvelopeReader
from airflow_provider_alloincognito.api.answer.places import Piece
from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import AlloincognitoResponseError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
rows = st.lists(st.dictionaries(st.text() | st.sampled_from(["rowset", "}", "]"]), json_values, max_size=5))
scalars = st.none() | st.text() | st.integers(-(10**20), 10**20)
chunk_sizes = st.lists(st.integers(1, 50), min_size=1, max_size=5)
blocks = st.integers(1, 200) | st.just(1 << 20)


def written(value: Any, random: Random, ensure_ascii: bool) -> str:
    """Return ``value`` as JSON, with random white space and the keys of the envelope in any order."""

    def gap() -> str:
        return "".join(random.choices(" \t\r\n", k=random.choice((0, 0, 0, 1, 3))))

    def write(value: Any, depth: int) -> str:
        if isinstance(value, dict):
            items = list(value.items())
            if depth < 2:
                random.shuffle(items)
            members = (f"{text(key)}{gap()}:{write(inner, depth + 1)}" for key, inner in items)
            return f"{gap()}{{{gap()}{f'{gap()},{gap()}'.join(members)}}}{gap()}"
        if isinstance(value, list):
            return f"{gap()}[{gap()}{','.join(write(inner, depth + 1) for inner in value)}]{gap()}"
        return f"{gap()}{text(value)}{gap()}"

    def text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii)

    return write(value, 0)


def rows_of(pieces: list[Piece]) -> list[dict[str, Any]]:
    return [row for piece in pieces if isinstance(piece, RowBatch) for row in piece.decode()]


def lines_of(pieces: list[Piece]) -> bytes:
    return b"".join(piece.json_lines() for piece in pieces if isinstance(piece, RowBatch))


def content_of(pieces: list[Piece]) -> bytes:
    return b"".join(piece for piece in pieces if isinstance(piece, bytes))


@given(rows, json_values, scalars, st.randoms(), st.booleans(), chunk_sizes, blocks)
def test_any_rows_are_read_in_any_chunks(
    rows: list[dict[str, Any]],
    other: Any,
    scalar: Any,
    random: Random,
    ensure_ascii: bool,
    sizes: list[int],
    block: int,
) -> None:
    answer = {
        "error": {"errorMessage": None, "errorCode": scalar, "other": other},
        "other": other,
        "result": {"code": scalar, "requestHash": "h==", "rowset": rows, "other": other},
    }
    body = written(answer, random, ensure_ascii).encode()
    assert json.loads(body) == answer

    envelope, pieces = read(body, sizes, block)

    assert rows_of(pieces) == rows
    lines = lines_of(pieces).split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line) for line in lines] == rows
    assert envelope == Envelope(request_hash="h==", code=scalar, error_code=scalar, rowset="array", has_result=True)


@given(rows, st.binary(max_size=40), st.randoms(), chunk_sizes, blocks)
def test_any_truncation_is_an_error(
    rows: list[dict[str, Any]], mp3: bytes, random: Random, sizes: list[int], block: int
) -> None:
    result = {"rowset": rows, "requestHash": "h", "fileContent": base64.b64encode(mp3).decode()}
    body = written({"result": result, "error": None}, random, True).encode().strip()
    assert content_of(read(body, sizes, block)[1]) == mp3
    with pytest.raises(AlloincognitoResponseError):
        read(body[: random.randrange(len(body))], sizes, block)


@given(
    rows=rows,
    random=st.randoms(),
    sizes=chunk_sizes,
    block=blocks,
    mutation=st.sampled_from(["{", "}", "[", "]", ",", ":", '"', "\\", " ", "\n", "0", "e", "null", ""]),
    replaced=st.integers(0, 3),
)
def test_a_changed_byte_is_an_error_or_is_read_as_json_reads_it(
    rows: list[dict[str, Any]], random: Random, sizes: list[int], block: int, mutation: str, replaced: int
) -> None:
    result: Any = {"code": 1, "rowset": rows, "requestHash": "h", "fileContent": "QUJD"}
    error: Any = {"errorCode": 1, "errorMessage": "no"}
    text = written({"result": result, "error": error, "other": [[], {}]}, random, True)
    at = random.randrange(len(text))
    body = (text[:at] + mutation + text[at + replaced :]).encode()
    try:
        envelope, pieces = read(body, sizes, block)
        rows_read = rows_of(pieces)
    except AlloincognitoResponseError:
        return
    answer = json.loads(body, strict=False)  # a raw line break in a text is escaped
    result = answer.get("result") if isinstance(answer.get("result"), dict) else {}
    error = answer.get("error")
    assert rows_read == whole(result.get("rowset") or [])  # a changed byte may leave half a surrogate pair
    assert content_of(pieces) == base64.b64decode((result.get("fileContent") or "") + "===")
    assert envelope.request_hash == result.get("requestHash")
    if isinstance(error, dict):  # fields with other names may stand for a missing one
        assert envelope.error_code == error.get("errorCode", envelope.error_code)
        assert envelope.error_message == error.get("errorMessage", envelope.error_message)


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "<html><body>Bad gateway</body></html>",
        "[]",
        "1",
        '"text"',
        "null",
        "{} {}",
        '{"result":{"rowset":[]}}]',
        '{"result":{"rowset":[]},}',
        '{"result":{"rowset":[]]}',
        '{"result":{"rowset":[}}',
        '{"result":{"rowset":{}}}',
        '{"result":{"rowset":"[{}]"}}',
        '{"result":{"rowset"::[]}}',
        '{"result":{"rowset":[],"rowset":[]}}',
        '{"result":{"rowset":[],"r\\u006fwset":null}}',
        '{"result":{"fileContent":"QUJD","fileContent":"QUJD"}}',
        '{"result":{"rowset":[]},"result":{}}',
        '{"error":{"errorCode":1},"error":null}',
        '{"error":[{"errorCode":1}]}',
        '{"error":{"errorMessage":["no"]}}',
        '{"error":true}',
        '{"result":{"fileContent":["QUJD"]}}',
        '{"other":' + "9" * 5000 + "}",
        '{"other":1e99999999999999999999}',
    ],
)
def test_a_body_that_the_api_does_not_describe_is_an_error(body: str) -> None:
    for sizes in [[1], [1000]]:
        with pytest.raises(AlloincognitoResponseError):
            read(body.encode(), sizes)


def test_errors_do_not_quote_the_body() -> None:
    secret = b"79161234567"
    for body in [
        b'{"x": "' + secret + b'" ' + secret,
        b'{"result": {"rowset": [{"a": ' + secret + b"x}]}}",
        b'{"result": {"fileContent": "!' + secret,
    ]:
        with pytest.raises(AlloincognitoResponseError) as caught:
            read(body + b'"}}')
        assert secret.decode() not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xd0"])
def test_a_text_that_is_not_utf_8_is_mended_and_a_recording_is_an_error(bad: bytes) -> None:
    for sizes in [[1], [2], [1000]]:
        envelope, pieces = read(
            b'{"error":{"errorMessage":"no %b."},"result":{"rowset":[{"a":"%b"}]}}' % (bad, bad), sizes
        )
        assert envelope.error_message is not None
        assert envelope.error_message.replace("\ufffd", "") == "no ."
        assert {text.strip("\ufffd") for row in rows_of(pieces) for text in row.values()} == {""}
        with pytest.raises(AlloincognitoResponseError):
            read(b'{"result":{"fileContent":"%b"}}' % bad, sizes)


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "\x00", "\x1b[0m", '\\"\n', "\\\\\n"])
@pytest.mark.parametrize("sizes", [[1], [2], [1000]])
def test_control_characters_in_the_envelopes_texts_are_escaped(text: str, sizes: list[int]) -> None:
    body = f'{{\n"error":\t{{"errorMessage":"{text}", "errorCode": 5}} }}'
    assert read(body.encode(), sizes)[0].error_message == json.loads(body, strict=False)["error"]["errorMessage"]


def test_an_endless_envelope_is_an_error() -> None:
    for start, more in [('{"a":"', "a"), ("", " "), ('{"', "a"), ('{"a":[', "1,"), ('{"a":', "["), ("{", '"a":1,')]:
        reader = EnvelopeReader()
        parts = [start, *[more * 10_000] * 100]
        with pytest.raises(AlloincognitoResponseError, match="bytes besides the rows"):
            deque((reader.feed(part.encode()) for part in parts), maxlen=0)


@pytest.mark.parametrize("text", ["aGFz\naA==", "\x1b[31maA==", "x" * 3000])
def test_what_cannot_be_a_hash_is_none(text: str) -> None:
    assert read(json.dumps({"result": {"requestHash": text}}).encode())[0].request_hash is None


def test_every_field_of_an_envelope_is_read() -> None:
    body = json.dumps(
        {
            "result": {
                "apiName": "integration",
                "apiVersion": 1.5,
                "callTime": "2024-01-01 00:00:00",
                "responseDuration": "0.1",
                "code": 0,
                "requestHash": "a==b+/=",
                "file_NAME": "../+79161234567.mp3",
                "fileContent": None,
                "rowset": None,
            },
            "error": {"errorMessage": "none", "errorCode": "0"},
        }
    )
    envelope, pieces = read(body.encode(), [1])
    assert pieces == []
    assert envelope == Envelope(
        api_name="integration",
        api_version=1.5,
        call_time="2024-01-01 00:00:00",
        response_duration="0.1",
        code=0,
        request_hash="a==b+/=",
        file_name="../+79161234567.mp3",
        error_message="none",
        error_code="0",
        rowset="null",
        file_content="null",
        has_result=True,
    )
    assert "7916" not in repr(envelope)
    assert "none" not in repr(envelope)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{}", Envelope()),
        ('{"error":null,"result":null}', Envelope()),
        ('{"error":"no","result":[]}', Envelope(error_message="no")),
        ('{"error":401}', Envelope(error_code=401)),
        ('{"error":{}, "result":{}}', Envelope(has_result=True)),
        ('{"result":{"code":{"a":1},"requestHash":7}}', Envelope(has_result=True, request_hash="7")),
        ('{"error":[],"result":{"fileContent":""}}', Envelope(has_result=True, file_content="string")),
        # Only `result.rowset` itself is the rowset.
        ('{"rowset":[{}],"result":{"a":{"rowset":[{}]},"b":["rowset"]}}', Envelope(has_result=True)),
        ('{"result":[{"rowset":[{}]}],"result.rowset":[{}]}', Envelope()),
        ('{"a":{"result":{"rowset":[{}]}},"b":[{"result":{"fileContent":"QQ"}}]}', Envelope()),
        ('{"a":[{"error":{"errorCode":1}}],"":{"requestHash":"x"}}', Envelope()),
    ],
)
def test_unusual_envelopes_are_read(body: str, expected: Envelope) -> None:
    for sizes in [[1], [1000]]:
        assert read(body.encode(), sizes) == (expected, [])


def test_a_long_text_full_of_quotes_takes_linear_time() -> None:
    start = time.monotonic()
    answer = {"other": '"' * 100_000, "a\\": "\\", "result": {"x\\": '\\"\\', "rowset": [{}]}}
    assert rows_of(read(json.dumps(answer).encode())[1]) == [{}]
    assert time.monotonic() - start < 10  # a few ms; quadratic: minutes


def test_the_head_is_complete_at_the_first_row_but_not_at_an_empty_array() -> None:
    reader = EnvelopeReader(block=1)
    assert reader.feed(b'{"result":{"requestHash":"h","rowset":[') == []
    assert not reader.head_complete
    [batch] = reader.feed(b"{}")
    assert reader.head_complete
    assert isinstance(batch, RowBatch)
    assert len(batch) == 1
    assert reader.envelope == Envelope(request_hash="h", rowset="array", has_result=True)

    reader = EnvelopeReader(block=1)
    assert reader.feed(b'{"result":{"rowset":[]},') == []
    assert not reader.head_complete
    assert reader.feed(b'"error":{"errorCode":401}}') == []
    assert reader.head_complete
    assert reader.envelope.error_code == 401
    assert reader.finish() == []


def test_an_error_after_the_rows_is_known_at_the_end() -> None:
    envelope, pieces = read(b'{"result":{"rowset":[{"a":1}]},"error":{"errorCode":5,"errorMessage":"no"}}')
    assert rows_of(pieces) == [{"a": 1}]
    assert (envelope.error_code, envelope.error_message) == (5, "no")


def test_a_body_longer_than_allowed_is_an_error() -> None:
    reader = EnvelopeReader(max_bytes=10)
    reader.feed(b'{"other":1')
    with pytest.raises(AlloincognitoResponseError, match="10 bytes that max_response_bytes"):
        reader.feed(b"}")
