from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_alloincognito.api.errors import AlloincognitoResponseError
from airflow_provider_alloincognito.api.rows import RowBatch, RowReader


def read(array: bytes, chunk: int = 1 << 18, window: int = 1 << 20) -> tuple[list[RowBatch], bytes | None]:
    """``array``: what follows the opening bracket."""
    reader = RowReader(window)
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
        b'{"a":NaN}]',
        b'{"a":"\n"}]',
        b'{"a":"\\x"}]',
        b"{'a':1}]",
        b'{"a":1,}]',
        b'{"a" 1}]',
        b'{"a":[1}]}]',
        b'{"a":"\\ud800"}]',
        b'{"a":/**/1}]',
        b'{"a":"\xff"}]',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
    ],
)
@pytest.mark.parametrize("window", [1, 3, 1 << 20])
def test_what_is_no_array_of_objects(array: bytes, window: int) -> None:
    for after in [b"", b', "code": {"a": {}}}}']:
        try:
            _, rest = read(array + after, chunk=max(1, len(array) // 50), window=window)
        except AlloincognitoResponseError:
            continue
        assert rest is None  # no end was found: the envelope's reader says so


@given(st.text('{}[]",: \\1', max_size=12), st.integers(1, 5), st.integers(1, 12))
def test_brackets_and_quotes_anyhow(array: str, chunk: int, window: int) -> None:
    try:
        batches, rest = read(array.encode(), chunk, window)
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
def test_huge_and_crooked_rows_take_linear_time(row: bytes) -> None:
    count = max(2, 4_000_000 // len(row))
    start = time.monotonic()
    batches, rest = read(b",".join([row] * count) + b"]}", chunk=1 << 14)
    assert time.monotonic() - start < 20  # about 1 s; quadratic: minutes
    assert sum(map(len, batches)) == count
    assert rest == b"]}"
    assert all(bytes(raw) == row for batch in batches for raw in batch.rows)


def test_a_window_gives_what_is_complete_in_it() -> None:
    reader = RowReader(window=10)
    assert reader.feed(b'{"a":1}') == []
    [batch] = reader.feed(b', {"a":2},{"a"')
    assert batch.decode() == [{"a": 1}, {"a": 2}]
    [batch] = reader.feed(b':{"b":3}} ] , "x"')
    assert batch.decode() == [{"a": {"b": 3}}]
    assert reader.rest == b'] , "x"'


def batch_of(*rows: bytes) -> RowBatch:
    return RowBatch([msgspec.Raw(row) for row in rows])


def test_rows_on_one_line_are_left_as_they_are() -> None:
    rows = [b'{"a": 1.0, "b":"\\n\\u00e9"}', '{ "a":"é\u2028" }'.encode()]
    assert batch_of(*rows).json_lines() == b"\n".join(rows) + b"\n"
    assert batch_of().json_lines() == b""


def test_rows_over_several_lines_are_compacted_and_no_value_changes() -> None:
    numbers = b"1.0,1.10,1e400,-0,-0.0,1E+5,123456789012345678901234567890,0.1234567890123456789"
    batch = batch_of(b'{\r\n "a": 1 }', b'{"n":\n[' + numbers + b'], "t":"\\/\\u00e9\\n \xd1\x8f"}', b"{}")
    expected = b'{"a":1}\n{"n":[' + numbers + b'],"t":"\\/\\u00e9\\n \xd1\x8f"}\n{}\n'
    assert batch.json_lines() == expected


@pytest.mark.parametrize("breaks", [b"\r", b"\n"])
def test_a_single_line_break_is_enough(breaks: bytes) -> None:
    assert batch_of(b'{"a":%b1}' % breaks).json_lines() == b'{"a":1}\n'


def test_decoding_keeps_large_integers_and_refuses_what_is_no_float() -> None:
    assert batch_of(b'{"a":123456789012345678901234567890}').decode() == [{"a": 123456789012345678901234567890}]
    with pytest.raises(AlloincognitoResponseError, match="out of range"):
        batch_of(b'{"a":1e400}').decode()
