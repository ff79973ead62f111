"""Rows, cut out of an array in blocks: ``api/answer/rows.py``."""

from __future__ import annotations

import contextlib
import json
import logging
import time
import tracemalloc
from collections import deque
from typing import Any

import msgspec
import pytest
from half_pairs import whole
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.answer.rows import RowBatch, RowReader
from airflow_provider_alloincognito.errors import AlloincognitoResponseError


def read(array: bytes, chunk: int = 1 << 18, block: int = 1 << 20) -> tuple[list[RowBatch], bytes | None]:
    """Read ``array``, the bytes after the opening bracket."""
    reader = RowReader(block)
    batches: list[RowBatch] = []
    for start in range(0, len(array), chunk):
        if reader.rest is not None:
            return batches, reader.rest + array[start:]
        batches += reader.feed(array[start : start + chunk])
    if reader.rest is None:
        batches += reader.feed(b"", last=True)
    return batches, reader.rest


def rows_of(batches: list[RowBatch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.decode()]


@pytest.mark.parametrize(
    "array",
    [
        b",{}]",
        b"{}{}]",
        b"{},]",
        b"{},,{}]",
        b",]",
        b"{} {}]",
        b"{}}]",
        b"1]",
        b"null]",
        b'"{}"]',
        b"{},1]",
        b"{},1,{}]",
        b"{},[{}]]",
        b"[]]",
        b"{]",
        b"{},{]",
        b'{"a":01}]',
        b'{"a":nap}]',
        b'{"a":"\\x"}]',
        b"{'a':1}]",
        b'{"a":1,}]',
        b'{"a" 1}]',
        b'{"a":[1}]}]',
        b'{"a":"\\ud80"}]',
        b'{"a":"\\ud800","b":"\\x"}]',
        b'{"a":"\\Ud800"}]',
        b'{"a":\\ud800}]',
        b'{"a":"\\\\\\ud800\\"}]',
        b'{"a":/**/1}]',
        b'{"a":\xff}]',
        b'{"a":"\\\n"}]',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
    ],
)
@pytest.mark.parametrize("block", [1, 3, 1 << 20])
def test_anything_but_an_array_of_objects_is_an_error(array: bytes, block: int) -> None:
    for after in [b"", b', "code": {"a": {}}}}']:
        try:
            _, rest = read(array + after, chunk=max(1, len(array) // 50), block=block)
        except AlloincognitoResponseError:
            continue
        assert rest is None  # no end was found: EnvelopeReader raises the error


@given(st.text('{}[]",: \\1', max_size=12), st.integers(1, 5), st.integers(1, 12))
def test_any_brackets_and_quotes_are_read_as_json_reads_them(array: str, chunk: int, block: int) -> None:
    try:
        batches, rest = read(array.encode(), chunk, block)
    except AlloincognitoResponseError:
        batches, rest = [], None
    for end in range(len(array)):
        if array[end] != "]":
            continue
        try:
            rows = json.loads(f"[{array[: end + 1]}")
        except ValueError:
            continue
        if all(isinstance(row, dict) for row in rows):
            assert (rows_of(batches), rest) == (rows, array[end:].encode())
            return
    assert rest is None


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (b"\\ud800", b"\\ufffd"),
        (b"a\\uDFFFb", b"a\\ufffdb"),
        (b"\\ud83d\\n", b"\\ufffd\\n"),
        (b"\\ude00\\ud83d", b"\\ufffd\\ufffd"),
        (b"\\ud83d\\ud83d\\uDE00\\ude00", b"\\ufffd\\ud83d\\uDE00\\ufffd"),
        (b"\\\\ud800\\ud800", b"\\\\ud800\\ufffd"),
        (b"\\\\\\ud800\\\\", b"\\\\\\ufffd\\\\"),
        (b"\\ud83d\\\\ude00", b"\\ufffd\\\\ude00"),
        (b"\\ud83d}", b"\\ufffd}"),
        (b"\\u0430\\ud7ff\\ue000\\ud800", b"\\u0430\\ud7ff\\ue000\\ufffd"),
    ],
)
@pytest.mark.parametrize("row", [b'{"a":"%b"}', b'{"%b":1}', b'{"a":[{"b":{"%b":["%b","%b"]}}]}'])
@pytest.mark.parametrize("block", [1, 20, 1 << 20])
def test_half_a_surrogate_pair_is_replaced_and_nothing_else(
    written: bytes, read_as: bytes, row: bytes, block: int
) -> None:
    other = b'{"a":"\\ud83d\\ude00 \\\\ud800"}'
    array = b",".join([other, row.replace(b"%b", written), other])
    for chunk in [1, 7, 1 << 18]:
        batches, rest = read(array + b']}"\\ud800"', chunk, block)
        lines = b"".join(batch.json_lines() for batch in batches).splitlines()
        assert lines == [other, row.replace(b"%b", read_as), other]
        assert rest == b']}"\\ud800"'


pieces = st.sampled_from(
    ["\ud83d", "\ude00", "\ud800", "\udfff", "\\", "\\ud800", "ud800", '"', "}", "]", ",", "\n", "я", "😀"]
)
texts = st.lists(pieces, max_size=6).map("".join) | st.text(st.characters(), max_size=8)
half_pairs = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(
    rows=st.lists(st.dictionaries(texts, half_pairs, max_size=4), max_size=8),
    after=half_pairs,
    ensure_ascii=st.booleans(),
    chunk=st.integers(1, 60),
    block=st.integers(1, 200) | st.just(1 << 20),
)
def test_any_texts_with_half_pairs_are_read_as_json_reads_them(
    rows: list[dict[str, Any]], after: Any, ensure_ascii: bool, chunk: int, block: int
) -> None:
    array, rest = (
        json.dumps(value, ensure_ascii=ensure_ascii).encode("utf-8", "backslashreplace") for value in (rows, after)
    )
    batches, left = read(array[1:] + rest, chunk, block)
    # Not ``rows``: two adjacent halves become a pair when they are written.
    assert rows_of(batches) == whole(json.loads(array))
    assert [json.loads(line) for batch in batches for line in batch.json_lines().split(b"\n")[:-1]] == [
        whole(row) for row in json.loads(array)
    ]
    assert left == b"]" + rest


def test_a_pair_that_is_cut_by_a_block_is_not_replaced() -> None:
    row = b'{"a":"}\\ud83d\\ude00}","b":"\\ud83d}"}'
    for block in range(1, len(row) + 8):
        for chunk in range(1, len(row) + 8):
            batches, _ = read(row + b"," + row + b"]", chunk, block)
            assert rows_of(batches) == [{"a": "}😀}", "b": "\ufffd}"}] * 2


def test_a_replaced_half_pair_is_logged_once_a_response_without_content(caplog: pytest.LogCaptureFixture) -> None:
    rows = b'{"name":"Ivan \\ud83d"},' * 100
    for _ in range(2):
        read(rows + b"{}]", chunk=50, block=200)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    [message, _] = caplog.messages
    assert "lone surrogates" in message
    assert "U+FFFD" in message
    assert "Ivan" not in message
    assert "name" not in message


@pytest.mark.parametrize(
    "array",
    [b'{"a":"\\ud83d\\ude00"}]', b'{"a":"\\\\ud800"}]', b'{}],"b":"\\ud800' + b"}" * 30, b'{"a":"\\ud800","b":01}]'],
    ids=["a pair", "a backslash", "behind the rows", "broken rows"],
)
def test_nothing_is_logged_where_nothing_was_replaced(array: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.suppress(AlloincognitoResponseError):
        read(array)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (b'"\xd0"', b'"\xef\xbf\xbd"'),
        (b'"\xd0\x9f\xd1"', b'"\xd0\x9f\xef\xbf\xbd"'),
        (b'"\xc0\xaf"', b'"\xef\xbf\xbd\xef\xbf\xbd"'),
        (b'"\t\n\x00\x1b"', rb'"\u0009\u000a\u0000\u001b"'),
        (b'"\\\\\n\\n"', rb'"\\\u000a\n"'),
        (b"NaN", b"null"),
        (b"[ -Infinity,inf ]", b"[ null,null ]"),
        (b'["NaN",nan]', b'["NaN",null]'),
    ],
)
@pytest.mark.parametrize("block", [1, 20, 1 << 20])
def test_what_is_not_json_is_mended_and_nothing_else(written: bytes, read_as: bytes, block: int) -> None:
    other = '{"a":"я 😀 \\t","nan":"inf"}'.encode()
    for chunk in [1, 7, 1 << 18]:
        batches, rest = read(b",".join([other, b'{"a":%b}' % written, other]) + b"]}", chunk, block)
        assert b"".join(batch.json_lines() for batch in batches).splitlines() == [other, b'{"a":%b}' % read_as, other]
        assert rest == b"]}"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Звонок клиента", "windows-1251"), ("Входящий", "KOI8-R"), ("ПРОПУЩЕННЫЙ вызов", "IBM866")],
)
def test_rows_in_another_encoding_are_not_mended(text: str, encoding: str) -> None:
    rows = (f'{{"id":1,"a":"{text}"}},' * 20).encode(encoding)
    with pytest.raises(AlloincognitoResponseError, match=f"look like {encoding}"):
        read(rows + b"{}]")


def test_a_damaged_row_among_others_is_mended_whatever_its_encoding() -> None:
    rows = ['{"a":"Звонок клиента"}'.encode("cp1251"), *['{"a":"Звонок"}'.encode()] * 50]
    assert [row["a"] for row in rows_of(read(b",".join(rows) + b"]")[0])] == ["\ufffd" * 6 + " " + "\ufffd" * 7] + [
        "Звонок"
    ] * 50


@pytest.mark.parametrize("fault", [b"01", b"+1", b".5", b'"\\x"', b'"\\ud80"', b"{\"b\":[1,'']}"])
@pytest.mark.parametrize("block", [1, 1 << 20])
def test_an_error_names_the_row_and_field_that_cannot_be_mended(fault: bytes, block: int) -> None:
    rows = b'{"a":1},' * 30 + b'{"id":1,"field":%b},{"a":2}]' % fault
    with pytest.raises(
        AlloincognitoResponseError, match=r"row 31 is not valid JSON, at or after its field '(field|b)'"
    ):
        read(rows, block=block)


@pytest.mark.parametrize(("start", "more"), [(b"", b" "), (b"{},", b"\n"), (b"{}", b" ")])
def test_endless_white_space_between_rows_takes_no_memory(start: bytes, more: bytes) -> None:
    reader = RowReader()
    reader.feed(start)
    for _ in range(100):
        reader.feed(more * (1 << 18))
    assert len(reader._pending) < 1 << 20
    batches = [*reader.feed(b',{"a":1}]' if start == b"{}" else b'{"a":1}]', last=True)]
    assert rows_of(batches)[-1] == {"a": 1}


@pytest.mark.parametrize(
    ("start", "more", "error"),
    [
        (b"1", b",1", "not an object"),
        (b"{},1", b",1", "not an object"),
        (b'{"a":', b'{"a":', "nested too deeply"),
        (b'{"a":"', b"a", "longer than 16 MB"),
    ],
)
def test_an_endless_row_is_an_error(start: bytes, more: bytes, error: str) -> None:
    reader = RowReader()
    with pytest.raises(AlloincognitoResponseError, match=error):
        deque(map(reader.feed, [start, *[more * 10_000] * 2000]), maxlen=0)


@pytest.mark.parametrize(
    "row",
    [
        b'{"a":"' + b"}" * 4_000_000 + b'"}',
        b'{"a":"' + b'\\"},{' * 1_000_000 + b'"}',
        b'{"a":[' + b"{}," * 1_000_000 + b"{}]}",
        b'{"a":[' + b'["}"],' * 500_000 + b"[]]}",
        b'{"a":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}",
    ],
    ids=["braces in a string", "quotes in a string", "many objects", "many arrays", "deep"],
)
def test_huge_and_unusual_rows_take_linear_time(row: bytes) -> None:
    count = max(2, 4_000_000 // len(row))
    start = time.thread_time()
    batches, rest = read(b",".join([row] * count) + b"]}", chunk=1 << 14)
    assert time.thread_time() - start < 20  # some seconds; quadratic: a minute and more
    assert sum(map(len, batches)) == count
    assert rest == b"]}"
    assert all(bytes(raw) == row for batch in batches for raw in batch.rows)


@pytest.mark.parametrize(
    "row",
    [
        b'{"a":"\\ud800"}',
        b'{"a":"' + b"\\ud800" * 700_000 + b'"}',
        b'{"a":"' + b"\\\\" * 2_000_000 + b'\\ud800"}',
        b'{"a":"' + b"\\ud83d\\ude00" * 350_000 + b'\\ude00"}',
        b'{"a":"' + b"\\ud83d}" * 600_000 + b'"}',
        b'{"a":[' + b'{"\\ud83d":{}},' * 300_000 + b"{}]}",
    ],
    ids=["many rows", "many halves", "backslashes", "pairs", "braces", "many objects"],
)
def test_half_pairs_take_linear_time(row: bytes) -> None:
    count = max(2, 4_000_000 // len(row))
    start = time.thread_time()
    batches, rest = read(b",".join([row] * count) + b"]}", chunk=1 << 14, block=1 << 18)
    assert time.thread_time() - start < 20  # some seconds; quadratic: a minute and more
    assert rows_of(batches) == [whole(json.loads(row))] * count
    assert rest == b"]}"


@pytest.mark.parametrize(
    "text", [b"\0", b"\\n", b"\xd0", b"\\ud800"], ids=["control", "escape", "not UTF-8", "surrogate"]
)
@pytest.mark.parametrize("end", [b'"}]', b'",}]'], ids=["can be mended", "cannot"])
def test_a_large_damaged_row_takes_little_memory(text: bytes, end: bytes) -> None:
    row = b'{"b":"\0","a":"' + text * 200_000 + end
    tracemalloc.start()
    try:
        with contextlib.suppress(AlloincognitoResponseError):
            read(row)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 * len(row)  # it was up to 700 times


def test_a_block_returns_its_complete_rows() -> None:
    reader = RowReader(block=10)
    assert reader.feed(b'{"a":1}') == []
    [batch] = reader.feed(b', {"a":2},{"a"')
    assert batch.decode() == [{"a": 1}, {"a": 2}]
    [batch] = reader.feed(b':{"b":3}} ] , "x"')
    assert batch.decode() == [{"a": {"b": 3}}]
    assert reader.rest == b'] , "x"'


def batch_of(*rows: bytes) -> RowBatch:
    return RowBatch([msgspec.Raw(row) for row in rows])


def test_rows_on_one_line_are_unchanged() -> None:
    rows = [b'{"a": 1.0, "b":"\\n\\u00e9"}', '{ "a":"é\u2028" }'.encode()]
    assert batch_of(*rows).json_lines() == b"\n".join(rows) + b"\n"
    assert batch_of().json_lines() == b""


def test_rows_with_line_breaks_are_compacted_and_no_value_changes() -> None:
    numbers = b"1.0,1.10,1e400,-0,-0.0,1E+5,123456789012345678901234567890,0.1234567890123456789"
    batch = batch_of(b'{\r\n "a": 1 }', b'{"n":\n[' + numbers + b'], "t":"\\/\\u00e9\\n \xd1\x8f"}', b"{}")
    expected = b'{"a":1}\n{"n":[' + numbers + b'],"t":"\\/\\u00e9\\n \xd1\x8f"}\n{}\n'
    assert batch.json_lines() == expected


@pytest.mark.parametrize("breaks", [b"\r", b"\n"])
def test_a_row_with_a_single_line_break_is_compacted(breaks: bytes) -> None:
    assert batch_of(b'{"a":%b1}' % breaks).json_lines() == b'{"a":1}\n'


def test_decoding_keeps_large_integers_and_refuses_numbers_out_of_range() -> None:
    assert batch_of(b'{"a":123456789012345678901234567890}').decode() == [{"a": 123456789012345678901234567890}]
    with pytest.raises(AlloincognitoResponseError, match="out of range"):
        batch_of(b'{"a":1e400}').decode()
