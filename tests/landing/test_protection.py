"""Numbers that are replaced before they land, fields that are dropped; code: landing/rewriting/."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given, settings, strategies as st
from landing_samples import batches_of, raw_batches

from airflow_provider_alloincognito.errors import (
    AlloincognitoFieldError,
    AlloincognitoQueryError,
    AlloincognitoSchemaError,
    AlloincognitoUnknownFieldError,
)
from airflow_provider_alloincognito.landing.calls import LandedCalls, land_calls
from airflow_provider_alloincognito.landing.rewriting import Rewriting
from airflow_provider_alloincognito.landing.rewriting.phone_numbers import digest, mask
from airflow_provider_alloincognito.landing.rewriting.protection import protect_fields

Row = dict[str, Any]
KEY = b"sixteen or more."
NUMBER = "79161234567"
DIGEST = digest(NUMBER, KEY)
BOTH = {"caller": "digest", "called": "mask"}
ROWS: list[Row] = [
    {"caller": "+7 916 123-45-67", "called": "84951234567", "seconds": 35, "comment": "x"},
    {"caller": 79161234567, "called": None, "seconds": None},
    {"caller": "89161234567", "called": "", "seconds": 7, "row": {"a": 1}},
    {"caller": "+7 916 123-45-67", "called": "84951234567", "seconds": 35, "comment": "x"},
]


def rewriting(**changes: Any) -> Rewriting:
    return Rewriting.checked(**{"row_key": "row_key", "protect": BOTH, "digest_key": KEY, **changes})


def protected(text: str, how: Any = "digest") -> Any:
    (batch,) = protect_fields(raw_batches([f'{{"a":{text},"b":1.50}}'.encode()]), {"a": how}, KEY)
    (row,) = batch.rows
    assert bytes(row).endswith(b',"b":1.50}')
    return json.loads(bytes(row))["a"]


@pytest.mark.parametrize(
    "text",
    [
        f'"{NUMBER}"',
        NUMBER,
        "7.9161234567e10",
        "79161234567.0",
        '"\\u0037916\\u0031234567"',
        f'"{NUMBER}.0"',
        '"sip:79161234567@pbx"',
    ],
)
def test_every_form_in_json_is_one_number(text: str) -> None:
    assert protected(text) == DIGEST
    assert protected(text, "mask") == "7916*****67"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("null", None),
        ('""', ""),
        ('" "', " "),
        ("true", digest("true", KEY)),
        ("101", digest("101", KEY)),
        ('["+79161234567", 89161234567, null, ["9161234567"]]', [DIGEST, DIGEST, None, [DIGEST]]),
        ('{"from": "+79161234567", "to": {"n": null}}', {"from": DIGEST, "to": {"n": None}}),
        ("1" * 5000, digest("1" * 5000, KEY)),
    ],
)
def test_other_values(text: str, result: Any) -> None:
    assert protected(text) == result


def test_a_name_that_a_row_has_twice_is_protected_too() -> None:
    (batch,) = protect_fields(raw_batches([b'{"a":"79161234567","a":"79161234568"}']), {"a": "digest"}, KEY)
    assert b"7916" not in batch.json_lines()


def land(path: Path, rows: list[Row] = ROWS, size: int = 3, **options: Any) -> LandedCalls:
    return land_calls(batches_of(rows, size), path, **{"rewriting": rewriting(), **options})


def read(path: Path) -> list[Row]:
    if path.suffix == ".parquet":
        return list(pyarrow.parquet.read_table(path).to_pylist())
    if path.suffix == ".csv":
        return list(csv.DictReader(path.read_text().splitlines()))
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("schema", [None, {"caller": "int64", "called": "json", "seconds": "int64"}])
def test_all_formats_have_the_same_keys_and_digests(tmp_path: Path, schema: Any) -> None:
    landed = {suffix: land(tmp_path / f"c.{suffix}", schema=schema) for suffix in ("parquet", "csv", "jsonl")}
    rows = {suffix: read(tmp_path / f"c.{suffix}") for suffix in landed}
    for column in ("row_key", "caller"):
        values = [row[column] for row in rows["jsonl"]]
        assert [row[column] for row in rows["parquet"]] == [row[column] for row in rows["csv"]] == values
    assert len({row["row_key"] for row in rows["parquet"]}) == len(ROWS)
    assert {row["caller"] for row in rows["parquet"]} == {DIGEST}
    assert [row["called"] for row in rows["parquet"]] == ["7495*****67", None, "", "7495*****67"]
    for suffix in ("parquet", "csv"):
        columns = landed[suffix].columns
        assert next(iter(columns)) == "row_key"
        assert {columns[name] for name in ("row_key", "caller", "called")} == {"string"}


def test_a_correction_of_another_field_keeps_the_key(tmp_path: Path) -> None:
    options = {"rewriting": rewriting(row_key_fields=["caller"])}
    land(tmp_path / "a.jsonl", ROWS[:1], **options)
    land(tmp_path / "b.jsonl", [ROWS[0] | {"seconds": 36}], **options)
    (one,), (other,) = read(tmp_path / "a.jsonl"), read(tmp_path / "b.jsonl")
    assert one["row_key"] == other["row_key"]
    assert one != other


def test_the_key_is_of_the_values_that_land(tmp_path: Path) -> None:
    """Otherwise whoever tries all numbers would find the one behind a key."""
    land(
        tmp_path / "a.jsonl",
        [{"caller": NUMBER}, {"caller": f"+{NUMBER}"}],
        rewriting=rewriting(protect={"caller": "mask"}),
    )
    land(tmp_path / "b.jsonl", [{"caller": mask(NUMBER)}] * 2, rewriting=rewriting(protect={}))
    assert read(tmp_path / "a.jsonl") == read(tmp_path / "b.jsonl")


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_unknown_fields_are_dropped_before_the_key_is_made(tmp_path: Path, suffix: str) -> None:
    schema, path = {"caller": "string", "seconds": "int64"}, tmp_path / f"c.{suffix}"
    rows = [row | {"row_key": "the server's", "comment": NUMBER} for row in ROWS]
    land(path, rows, schema=schema, unknown_fields="drop", rewriting=rewriting(protect=BOTH))
    assert {tuple(row) for row in read(path)} == {("row_key", "caller", "seconds")}
    keys = [row["row_key"] for row in read(path)]
    bare = [{"caller": DIGEST, "seconds": row["seconds"]} for row in ROWS]
    land(path, bare, schema=schema, rewriting=rewriting(protect={}))
    assert [row["row_key"] for row in read(path)] == keys


def test_unknown_fields_are_dropped_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    land_calls(raw_batches([b'{"a": 1.50, "b":2}']), path, schema={"a": "float64"}, unknown_fields="drop")
    assert path.read_bytes() == b'{"a":1.50}\n'
    with pytest.raises(AlloincognitoSchemaError, match="there is none, so everything would land"):
        land_calls(batches_of(ROWS), path, unknown_fields="drop")


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_the_key_is_not_an_unknown_field(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c.{suffix}"
    land(
        path,
        [{"caller": NUMBER, "called": NUMBER}],
        schema={"caller": "string", "called": "string"},
        unknown_fields="refuse",
    )
    assert list(read(path)[0]) == ["row_key", "caller", "called"]
    with pytest.raises(AlloincognitoUnknownFieldError):
        land(path, schema={"caller": "string", "called": "string"}, unknown_fields="refuse")


def test_a_schema_may_name_the_key_itself(tmp_path: Path) -> None:
    landed = land(
        tmp_path / "c.parquet", schema={"caller": "string", "row_key": "int64"}, rewriting=rewriting(protect={})
    )
    assert list(landed.columns)[:2] == ["row_key", "caller"]
    assert landed.columns["row_key"] == "string"


def test_a_period_without_calls(tmp_path: Path) -> None:
    landed = land(
        tmp_path / "c.parquet", [], schema={"caller": "int64"}, rewriting=rewriting(row_key_fields=["caller"])
    )
    assert (landed.rows, landed.columns) == (0, {"row_key": "string", "caller": "string"})


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"protect": {"caler": "mask", "caller": "mask"}}, "protect"),
        ({"row_key_fields": ["caller", "caler"]}, "row_key_fields"),
    ],
)
def test_nothing_lands_with_a_misspelt_field(tmp_path: Path, changes: Any, argument: str) -> None:
    with pytest.raises(AlloincognitoFieldError, match=rf"the fields \['caler'\] of {argument}; the rows have"):
        land(tmp_path / "c.jsonl", rewriting=rewriting(**changes))
    assert list(tmp_path.iterdir()) == []


def test_a_field_that_later_rows_have_is_no_mistake(tmp_path: Path) -> None:
    land(tmp_path / "c.jsonl", [{"a": 1}] * 9 + ROWS)


def test_required_fields_are_those_of_the_server(tmp_path: Path) -> None:
    options: Row = {"required_fields": ["comment"], "schema": {"caller": "string"}, "unknown_fields": "drop"}
    land(tmp_path / "c.jsonl", **options)
    with pytest.raises(AlloincognitoFieldError, match="of required_fields"):
        land(tmp_path / "c.jsonl", **{**options, "required_fields": ["row_key"]})


def test_nothing_is_rewritten_unless_something_is_asked_for() -> None:
    batches = batches_of(ROWS)
    assert Rewriting.checked().rewrite(batches) is batches


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"row_key": ""}, "row_key is '', which is invalid. It must be the name of a column."),
        ({"row_key": 5}, "row_key is 5"),
        (
            {"row_key_fields": ["a"], "row_key": None},
            "row_key_fields says what the key of a row is made of, but row_key",
        ),
        ({"row_key_fields": ["a", None]}, "row_key_fields is ['a', None]"),
        ({"row_key_fields": "row_key"}, "row_key_fields is ['row_key']"),
        ({"protect": ["a"]}, "protect is 'list', which is invalid. It must be a mapping"),
        ({"protect": {"a": "hash"}}, "protect['a'] is 'hash', which is invalid. It must be 'digest' or 'mask'."),
        ({"protect": {"": "mask"}}, "protect['']"),
        ({"digest_key": None}, "protect asks for digests, which need a secret key, but digest_key is missing."),
    ],
    ids=str,
)
def test_invalid_arguments(arguments: Any, said: str) -> None:
    with pytest.raises(AlloincognitoQueryError) as caught:
        rewriting(**arguments)
    assert str(caught.value).startswith(said)


def test_the_key_of_digests_is_never_shown() -> None:
    assert KEY.decode() not in repr(rewriting())


json_texts = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.just("n"), inner)),
).map(json.dumps)


@given(st.lists(json_texts, min_size=1, max_size=4), st.sampled_from(["digest", "mask"]))
@settings(max_examples=60)
def test_nothing_is_left_of_a_protected_value(texts: list[str], how: Any) -> None:
    rows = [f'{{"a":{text}}}'.encode() for text in texts]
    for batch in protect_fields(raw_batches(rows, 2), {"a": how}, KEY):
        for row in batch.rows:
            for leaf in leaves(json.loads(bytes(row))["a"]):
                assert leaf is None or not leaf.strip() or is_protected(leaf, how), leaf


def leaves(value: Any) -> list[Any]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for one in inner for leaf in leaves(one)]


def is_protected(text: str, how: str) -> bool:
    if how == "digest":
        return len(text) == 32 and set(text) <= set("0123456789abcdef")
    return not text.strip("*") or "*****" in text
