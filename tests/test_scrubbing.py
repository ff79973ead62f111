"""What is removed from texts of the server: ``scrubbing.py``."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_alloincognito.scrubbing import LONGEST_MESSAGE, scrub

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJwX3Rva2VuX2lkIjoiNzYifQ.sYkMTWqxC2o_nZ1v-7w"
NUMBERS = [
    "79161234567",
    "+79161234567",
    "89161234567",
    "+7 (916) 123-45-67",
    "8 916 123 45 67",
    "+7-916-123-4567",
    "+7.916.123.45.67",
    "8(916)123‑45‑67",
    "+7 (916) 123–45–67",
    "8 (916) 123—45—67",
    "4951-23-45-67",
    "7916-12-34-567",
    "4951234567",
    "1234567",
]
words = st.text(st.characters(whitelist_categories=["Ll", "Lu"]), max_size=20)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("frame", ["{}", "абонент {} не найден", "[{}]", "2025-06-02 {}", "tel:{};", "a{}b", '"{}"'])
def test_a_phone_number_is_removed_however_it_is_written(number: str, frame: str) -> None:
    scrubbed = scrub(frame.format(number))
    assert "<number>" in scrubbed
    assert not set(re.findall(r"\d{2,}", number)) & set(re.findall(r"\d{2,}", scrubbed.replace("2025-06-02", "")))


@given(
    st.text("0123456789", min_size=7, max_size=15),
    st.lists(st.sampled_from(["", "", " ", "-", " (", ") ", ".", "\u2011", "\u00a0", " - "]), min_size=14, max_size=14),
    st.sampled_from(["", "+"]),
    words,
    words,
)
def test_digits_in_any_groups_are_removed(digits: str, gaps: list[str], plus: str, before: str, after: str) -> None:
    number = plus + "".join(digit + gap for digit, gap in zip(digits, gaps, strict=False)).rstrip(" -(.)\u2011\u00a0")
    if re.match(r"(19|20)\d\d-\d\d-\d\d", number):
        return  # has the form of a date
    scrubbed = scrub(f"{before}: {number} ,{after}")
    assert "<number>" in scrubbed
    assert not re.search(r"\d", scrubbed.replace("<number>", "").replace(before, "").replace(after, ""))


@given(words, words)
def test_a_token_is_removed_wherever_it_is(before: str, after: str) -> None:
    scrubbed = scrub(f"{before} {JWT} {after}")
    assert "eyJ" not in scrubbed
    assert "sYkMTWqxC2o" not in scrubbed
    assert "<token>" in scrubbed


def test_the_tokens_in_use_are_removed_whatever_they_look_like() -> None:
    scrubbed = scrub("token plain-secret was refused, Bearer other-one too", ["plain-secret", ""])
    assert scrubbed == "token <token> was refused, Bearer <token> too"


def test_a_date_is_kept() -> None:
    assert scrub("nothing on 2025-06-02 at 10:20:30") == "nothing on 2025-06-02 at 10:20:30"


def test_short_numbers_are_kept() -> None:
    assert scrub("errorCode 1500, page 20 of 300") == "errorCode 1500, page 20 of 300"


@given(st.text(max_size=3000))
def test_a_message_is_one_line_of_limited_length(text: str) -> None:
    scrubbed = scrub(text)
    assert len(scrubbed) <= LONGEST_MESSAGE + 3
    assert "\n" not in scrubbed
    assert "\r" not in scrubbed
