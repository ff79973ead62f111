"""The key of a row: the same row, the same key, whatever it looks like; code: landing/rewriting/row_key.py."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from landing_samples import batches_of, raw_batches

from airflow_provider_alloincognito.api.answer.rows import RowBatch, RowReader
from airflow_provider_alloincognito.errors import AlloincognitoFieldError, AlloincognitoResponseError
from airflow_provider_alloincognito.landing.rewriting.row_key import add_keys

Row = dict[str, Any]


def rows_of(batches: Iterable[RowBatch]) -> list[Row]:
    return [json.loads(line) for batch in batches for line in batch.json_lines().splitlines()]


def keys_of(texts: list[bytes], *identity: str, size: int = 3) -> list[str]:
    return [row["key"] for row in rows_of(add_keys(raw_batches(texts, size), "key", identity))]


def key_of(text: str, *identity: str) -> str:
    (key,) = keys_of([text.encode()], *identity)
    return key


def documented(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def test_a_key_is_what_the_documentation_says() -> None:
    row = '{"startTime": "2026-03-01 10:00:00", "caller": "79161234567", "called": null, "seconds": 35.0}'
    text = '{"caller":"79161234567","seconds":35,"startTime":"2026-03-01 10:00:00"}'
    assert key_of(row) == documented(text) == "a98c037a82b61da0d57fc8ffaa4b7f25"


def test_rows_land_with_the_key_first_and_otherwise_as_they_came() -> None:
    texts = [b'{"a": 1.50, "b" : "\\u0031"}', b"{}", b'{\n"a": 1}']
    (batch,) = add_keys(raw_batches(texts), 'ke"y', ())
    first, second, third = map(bytes, batch.rows)
    assert first == b'{"ke\\"y":"%b","a": 1.50, "b" : "\\u0031"}' % documented('{"a":1.5,"b":"1"}').encode()
    assert second == b'{"ke\\"y":"%b"}' % documented("{}").encode()
    assert json.loads(third) == {'ke"y': documented('{"a":1}'), "a": 1}
    assert batch.json_lines().count(b"\n") == 3


@pytest.mark.parametrize(
    "same",
    [
        ['{"a":1,"b":"x"}', '{"b":"x","a":1}', ' { "a" : 1 ,\n"b":"x" } '.strip(), '{"a":1,"b":"x","c":null}'],
        ['{"a":"/é😀"}', '{"a":"\\/\\u00e9\\ud83d\\ude00"}', '{"\\u0061":"/é😀"}'],
        ['{"a":35}', '{"a":35.0}', '{"a":3.5e1}', '{"a":350E-1}'],
        ['{"a":0}', '{"a":-0}', '{"a":-0.0}', '{"a":0e9}'],
        ['{"a":1.5}', '{"a":1.50}', '{"a":15e-1}'],
        ['{"a":1e30}', '{"a":1000000000000000000000000000000}'],
        ['{"a":{"x":1,"y":[1.0,null]}}', '{"a":{"y":[1,null],"z":null,"x":1}}'],
        ['{"a":1,"a":2}', '{"a":2}'],
    ],
)
def test_forms_of_one_row_have_one_key(same: list[str]) -> None:
    assert len(set(map(key_of, same))) == 1


def test_different_rows_have_different_keys() -> None:
    numbers = "1 1.1 9007199254740993 9007199254740992 123456789012345678901234567890 123456789012345678901234567891"
    numbers += " 0.1000000000000000055511151231257827 0.1 1e999 1e998 1e99999999999999999999"
    others = ['"1"', '""', '" 1"', '"a\\nb"', '"a b"', "true", "[1]", "[1,null]", "{}"]
    texts = ["{}", '{"b":1}', *(f'{{"a":{value}}}' for value in [*numbers.split(), *others])]
    assert len(set(map(key_of, texts))) == len(texts)


def test_equal_rows_are_numbered() -> None:
    texts = [b'{"a":1}', b'{"a":2}', b'{"a":1.0}', b'{"a":1,"b":null}', b'{"a":2}']
    one, two = '{"a":1}', '{"a":2}'
    expected = [documented(text) for text in (one, two, f"{one}\n1", f"{one}\n2", f"{two}\n1")]
    assert keys_of(texts) == expected


def test_many_equal_rows_are_numbered_one_after_the_other() -> None:
    assert keys_of([b"{}"] * 300) == [documented("{}"), *(documented(f"{{}}\n{number}") for number in range(1, 300))]


def test_fields_that_identify_a_row() -> None:
    """What is different in other fields does not count: a corrected row has its key again."""
    texts = [b'{"a":1,"b":2,"c":3}', b'{"a":1,"b":2,"c":4}', b'{"b":3}']
    expected = [documented(text) for text in ('{"a":1,"b":2}', '{"a":1,"b":2}\n1', '{"b":3}')]
    assert keys_of(texts, "b", "a") == keys_of(texts, "a", "b") == expected


def test_a_row_that_has_the_field_already() -> None:
    with pytest.raises(AlloincognitoFieldError, match="have a field 'key' already"):
        keys_of([b"{}", b'{"key":null}'])


def test_a_number_that_python_cannot_read() -> None:
    with pytest.raises(AlloincognitoResponseError, match="leave row_key out"):
        keys_of([b'{"a":%b}' % (b"1" * 5000)])


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.decimals(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3))
)
samples = st.dictionaries(st.text().filter(lambda name: name != "key"), values, max_size=5)


def written(value: Any, rnd: random.Random) -> str:
    """Write JSON in one of many ways."""
    space = rnd.choice(["", " ", "\n"])
    if isinstance(value, dict):
        pairs = [f"{written(name, rnd)}{space}:{written(one, rnd)}" for name, one in value.items()]
        pairs += [f'"null {number}":null' for number in range(rnd.randrange(2))]
        rnd.shuffle(pairs)
        return f"{{{space}{f',{space}'.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{space}{','.join(written(one, rnd) for one in value)}]"
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=rnd.choice([True, False]))
    number = f"{Decimal(value):f}" if rnd.choice([True, False]) else str(value).replace("E+", rnd.choice(["e", "E+"]))
    return number + "0" * rnd.randrange(2) if "." in number and "e" not in number.lower() else number


@given(st.lists(samples, min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_neither_form_nor_batches_change_keys(rows: list[Row], rnd: random.Random) -> None:
    texts = [[written(row, rnd).encode() for row in rows] for _ in range(2)]
    keys = keys_of(texts[0], size=rnd.randint(1, 4))
    assert keys_of(texts[1], size=rnd.randint(1, 4)) == keys
    assert len(set(keys)) == len(rows)


@given(st.lists(st.sampled_from([b'{"a":1}', b'{"a": 2}', b'{"a":{"b":[]}}']), min_size=1), st.integers(1, 9))
@settings(max_examples=40)
def test_a_response_cut_anywhere(rows: list[bytes], chunk: int) -> None:
    array = b",".join(rows) + b"]"
    reader = RowReader(block=16)
    pieces = [array[at : at + chunk] for at in range(0, len(array), chunk)]
    batches = [batch for piece in pieces for batch in reader.feed(piece, last=piece is pieces[-1])]
    assert [row["key"] for row in rows_of(add_keys(batches, "key"))] == keys_of(rows, size=100)


def test_keys_begin_anew_with_each_file() -> None:
    assert rows_of(add_keys(batches_of([{"a": 1}]), "key")) == rows_of(add_keys(batches_of([{"a": 1}]), "key"))


def test_a_row_takes_few_bytes() -> None:
    """A set of keys would take 100 bytes a row."""
    import tracemalloc

    rows = [msgspec.Raw(b'{"a":%d}' % number) for number in range(20_000)]
    keyed = add_keys((RowBatch(rows[at : at + 1000]) for at in range(0, len(rows), 1000)), "key")
    next(iter(keyed))
    tracemalloc.start()
    for _ in keyed:
        pass
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / len(rows) < 40  # mostly what each bucket takes at first
