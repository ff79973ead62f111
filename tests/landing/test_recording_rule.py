"""Which recordings a rule keeps, the same in every format; code: landing/recording_rule.py."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from landing_samples import batches_of

from airflow_provider_alloincognito.errors import AlloincognitoFormatError, AlloincognitoQueryError
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.recording_rule import (
    AmongNumbers,
    Between,
    Condition,
    NotAmongNumbers,
    OneOf,
    RecordingRule,
)
from airflow_provider_alloincognito.landing.tables.schema import Schema

SCHEMA: Schema = {
    "id": "string",
    "seconds": "int64",
    "price": "float64",
    "way": "string",
    "new": "bool",
    "to": "string",
}
ROWS: list[dict[str, Any]] = [
    {"id": "a", "seconds": 29, "price": 1.5, "way": "in", "new": True, "to": "+7 (912) 000-00-01"},
    {"id": "b", "seconds": 30, "price": 2.0, "way": "out", "new": False, "to": "89120000001"},
    {"id": "c", "seconds": 600, "price": None, "way": "in", "new": None, "to": "79120000002"},
    {"id": "d", "seconds": 601, "price": 2.5, "way": "007", "new": True, "to": None},
    {"id": "e", "seconds": None, "price": 0.0, "way": "", "new": False, "to": ""},
    {"id": None, "seconds": 100, "price": 2.0, "way": "in", "new": True, "to": "79120000001"},
]
ONE = frozenset({"79120000001"})


def ids(path: Path, conditions: Mapping[str, Condition], rows: list[dict[str, Any]] = ROWS) -> str:
    if not path.exists():
        land_calls(batches_of(rows), path, schema=SCHEMA)
    chosen = RecordingRule(conditions).choose(path, "id")
    assert chosen.of == len({row["id"] for row in rows} - {None})
    return "".join(chosen.ids)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "csv.gz"])
def test_a_condition_keeps_the_same_recordings_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"calls.{suffix}"
    wanted: dict[str, tuple[str, Condition]] = {
        "bc": ("seconds", Between(Decimal(30), Decimal(600))),
        "bcd": ("seconds", Between(Decimal(30), None)),
        "ab": ("seconds", Between(None, Decimal(30))),
        "b": ("price", OneOf([2])),
        "be": ("price", OneOf([0.0, "2"])),
        "c": ("price", OneOf([None])),
        "ac": ("way", OneOf(["in"])),
        "d": ("way", OneOf([7])),
        "e": ("way", OneOf([None])),
        "ad": ("new", OneOf([True])),
        "": ("way", OneOf(["7"])),
    }
    for kept, (field, condition) in wanted.items():
        assert ids(path, {field: condition}) == kept, (field, condition)
    assert ids(path, {"way": OneOf(["in"]), "seconds": Between(Decimal(30), None)}) == "c", "all conditions hold"
    assert ids(path, {}) == "abcde"


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_numbers_compare_whatever_form_they_have(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"calls.{suffix}"
    assert ids(path, {"to": AmongNumbers(ONE)}) == "ab"
    assert ids(path, {"to": NotAmongNumbers(ONE)}) == "cde"


def test_one_row_of_a_recording_is_enough_but_none_of_them_may_have_an_excluded_number(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "seconds": 10}, {**ROWS[0], "seconds": 40, "to": "79120000002"}, ROWS[2]]
    assert ids(tmp_path / "calls.parquet", {"seconds": Between(Decimal(40), None)}, rows) == "ac"
    assert ids(tmp_path / "calls.parquet", {"to": NotAmongNumbers(ONE)}, rows) == "c"


def test_digests_compare_with_digests_alone(tmp_path: Path) -> None:
    digest = "0123456789abcdef" * 2
    rows = [{**ROWS[0], "to": digest}, ROWS[3]]
    known = frozenset({digest})
    assert ids(tmp_path / "digests.csv", {"to": AmongNumbers(known, are_digests=True)}, rows) == "a"
    assert ids(tmp_path / "digests.csv", {"to": NotAmongNumbers(known, are_digests=True)}, rows) == "d"
    with pytest.raises(AlloincognitoQueryError, match=r"'to': its value in row 1 is a digest\. Set digest_key"):
        ids(tmp_path / "digests.csv", {"to": NotAmongNumbers(ONE)}, rows)
    with pytest.raises(AlloincognitoQueryError, match="row 1 is not a digest, but digest_key is set") as error:
        ids(tmp_path / "numbers.csv", {"to": NotAmongNumbers(known, are_digests=True)})
    assert "912" not in str(error.value)
    with pytest.raises(AlloincognitoQueryError, match="row 1 is masked"):
        ids(tmp_path / "masks.csv", {"to": NotAmongNumbers(ONE)}, [{**ROWS[0], "to": "7912*****01"}])


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_what_cannot_be_decided_is_an_error_and_keeps_nothing(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(AlloincognitoQueryError, match="'way': its value in row 1 is not a number"):
        ids(tmp_path / f"calls.{suffix}", {"way": Between(Decimal(1), None)})
    with pytest.raises(AlloincognitoFormatError, match="no column 'length', but id, seconds"):
        ids(tmp_path / f"calls.{suffix}", {"length": Between(Decimal(1), None)})


def test_a_share_is_the_same_recordings_whatever_else_there_is() -> None:
    everything = [f"id-{number}" for number in range(4000)]
    tenth = RecordingRule({}, 0.1).share_of(everything)
    assert tenth.of == 4000
    assert 320 < len(tenth.ids) < 480
    assert RecordingRule({}, 0.1).share_of(reversed(everything)).ids == tenth.ids[::-1]
    assert RecordingRule({}, 0.1).share_of(everything[:1000]).ids == [
        one for one in tenth.ids if one in everything[:1000]
    ]
    assert set(tenth.ids) < set(RecordingRule({}, 0.2).share_of(everything).ids), "a larger share has the smaller one"
    assert RecordingRule({}, 1.0).share_of(["a", "b", "a"]).ids == ["a", "b"]
    assert RecordingRule({}, 0.0).share_of(everything).ids == []
