"""What is shown of values: their form, and nobody's number, name or comment."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from airflow_provider_alloincognito.cli.masking import is_enumeration, mask
from airflow_provider_alloincognito.cli.sample.profile import profile, row_fields
from airflow_provider_alloincognito.cli.sample.shape import shape_of

PUNCTUATION = st.sampled_from(["", " ", "-", "(", ")", ".", "+", "_", "/", "\u00a0"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=60)
PHONES = st.lists(st.tuples(PUNCTUATION, st.sampled_from(string.digits)), min_size=7, max_size=15).map(
    lambda parts: "".join(mark + digit for mark, digit in parts)
)
IDS = st.uuids().map(str) | st.text("0123456789abcdef", min_size=16, max_size=64) | st.integers(10**6).map(str)
VALUES = SCALARS | PHONES | PHONES.map(lambda text: f"call {text} now") | IDS
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d\d\.\d\d\.\d{4} \d\d:\d\d")


def digit_runs(text: str) -> list[str]:
    """The runs of digits in a text, whatever is between them but letters and asterisks; times are none."""
    return [re.sub(r"\D", "", run) for run in re.findall(r"\d(?:[^\w*]*\d)*", TIME.sub("", text))]


@given(VALUES)
def test_no_number_is_shown_whole(value: Any) -> None:
    shown = mask(value)
    assert len(shown) <= 60
    assert shown.isprintable()
    # A text's digits are all shown as 0.
    assert not [run for run in digit_runs(shown) if len(run) > 6 and set(run) != {"0"}], shown


@example({"": [1000.0, 12345.678]})
@given(st.dictionaries(st.text(max_size=10), st.lists(VALUES, min_size=1, max_size=30), min_size=1, max_size=4))
def test_no_number_is_in_a_profile(columns: dict[str, list[Any]]) -> None:
    count = max(map(len, columns.values()))
    rows = [{name: values[index] for name, values in columns.items() if index < len(values)} for index in range(count)]
    for one in map(profile, row_fields(rows)):
        assert 0 <= one.nulls <= count
        for shown in one.examples:
            assert not [run for run in digit_runs(shown) if len(run) > 6 and set(run) != {"0"}]


@given(st.text(max_size=80))
def test_no_letter_of_a_text_is_shown(text: str) -> None:
    shown = mask(text)
    if any(one.isalpha() for one in text) and not re.fullmatch(r"[\da-fA-FTZ:.+ -]*", text):
        assert set(filter(str.isalpha, shown)) <= {"x", "X"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("79161234567", "7916*****67"),
        (79161234567, "7916*****67"),
        ("+7 (916) 123-45-67", "+7 (916) ***-**-67"),
        ("4951234", "*****34"),
        ("101", "101"),
        (35, "35"),
        (0.123456789, "0.123"),
        (86400, "86400"),
        (858714, "*****4"),
        (1234567.25, "12*****.25"),
        (1000.0, "1000"),
        (123.456, "123.456"),
        (12345.678, "1****.*78"),
        (1772442000, "177*****00"),
        ("Иванова Анна", "Xxxxxxx Xxxx"),
        ("a1b2c3d4-0000-4000-8000-1234567890ef", "a1b2****-****-****-****-**********ef"),
        ("2026-03-03 10:00:00", "2026-03-03 10:00:00"),
        ("03.03.2026 10:00:00", "03.03.2026 10:00:00"),
        ("00:01:05", "00:01:05"),
        ({"a": 1}, "{1 fields}"),
        ([1, 2], "[2 values]"),
        (None, "null"),
        (True, "true"),
        ("", ""),
    ],
)
def test_the_form_is_shown(value: Any, shown: str) -> None:
    assert mask(value) == shown


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("direction", ["in", "out"], True),
        ("Направление", ["Входящий", "Исходящий"], True),
        ("disposition", ["ANSWERED", "NO ANSWER", "BUSY"], True),
        ("call_status", ["SUBSCRIBER_BUSY"] * 3 + ["NOT_REACHED"] * 3, True),
        ("call_status", ["SUBSCRIBER_BUSY", "NOT_REACHED"], False),
        ("operator", ["ivanov"] * 20, False),
        ("result_of_agent", ["ivanov"] * 20, False),
        ("Сотрудник", ["Иванова"] * 20 + ["Петров"] * 20, False),
        ("comment", ["client is angry"] * 20, False),
        ("phone", ["79161234567"] * 20, False),
        ("direction", ["79161234567", "in"], False),
        ("status", [str(number) for number in range(100)], False),
    ],
)
def test_only_words_of_an_enumeration_are_shown(name: str, values: list[str], expected: bool) -> None:
    assert is_enumeration(name, values) is expected


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_body_has_a_shape(body: bytes) -> None:
    shape = shape_of(body)
    assert all(one.isprintable() for one in shape.lines())


def test_a_shape_is_names_and_kinds() -> None:
    body = b'{"data": {"list": [{"start_time": "a", "duration": 5, "phone": "1"}, {"record_id": null}], "total": 7'
    shape = shape_of(body)
    assert not shape.is_whole
    assert shape.rows_paths() == [("data", "list")]
    assert shape.lines() == [
        "object",
        "  data: object",
        "    list: array of 2",
        "      start_time: text",
        "      duration: number",
        "      phone: text",
        "      record_id: null",
        "    total: number",
    ]
