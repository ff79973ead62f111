"""One number, one form, one digest, one mask; code: landing/rewriting/phone_numbers.py."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.landing.rewriting.phone_numbers import digest, mask, normalize

KEY = b"a key for tests, 32 bytes of it."
FORMS = [
    "+79161234567",
    "79161234567",
    "89161234567",
    "9161234567",
    " +7 (916) 123-45-67 ",
    "8-916-123-45-67",
    "8 (916) 123.45.67",
    "007 916 123 45 67",
    "81079161234567",
    "sip:79161234567@pbx.example.ru",
    "SIPS:+79161234567@10.0.0.1:5061;transport=tls",
    '"Иван 2" <sip:89161234567@pbx>',
    "tel:+7-916-123-45-67;ext=12",
    "79161234567@pbx",
    "+79161234567,123",
    "8 (916) 123-45-67 доб. 12",
    "8 916 123 45 67 ext.101",
    "89161234567#12",
    "8-916-123-45-67/101",
    "79161234567.0",
    "7.9161234567e10",
    "7.9161234567E+10",
    "тел. 8 916 123-45-67",
    "+7\u00a0916\u00a0123\u201345\u201367",
    "\uff0b\uff17\uff19\uff11\uff16\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
    "\u0667\u0669\u0661\u0666\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
]


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_a_number_are_one(form: str) -> None:
    assert normalize(form) == "79161234567"
    assert digest(form, KEY) == digest("79161234567", KEY)
    assert mask(form) == "7916*****67"


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("101", "101"),
        ("112", "112"),
        ("sip:101@pbx", "101"),
        ("8800", "8800"),
        ("123-45", "12345"),
        ("1234567", "1234567"),
        ("+4930123456", "+4930123456"),  # ten digits would be a Russian number
        ("+4915112345678", "4915112345678"),
        ("004915112345678", "4915112345678"),
        ("8104915112345678", "4915112345678"),
        ("+81312345678", "+81312345678"),  # eleven that begin with 8 would, too
        ("+1 212 555 01 23", "12125550123"),
        ("79161234567,79161234568", "7916123456779161234568"),
        ("anonymous", "anonymous"),
        (" Скрыт ", "скрыт"),
        ("sip:Anonymous@anonymous.invalid", "anonymous"),
        ("manager2", "manager2"),
        ("sip:Manager3@pbx", "manager3"),
        ("12.5", "125"),
        ("", ""),
        ("@;", "@;"),
    ],
)
def test_other_texts(text: str, one: str) -> None:
    assert normalize(text) == one


def test_the_digest_is_what_the_documentation_says() -> None:
    expected = hmac.new(KEY, b"79161234567", hashlib.sha256).hexdigest()[:32]
    assert digest("8 (916) 123-45-67", KEY) == expected == "6c92081d259635ccd833386220e82eed"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+4915112345678", "4915*******78"),
        ("+81312345678", "8131*****78"),
        ("1234567", "*******"),
        ("101", "***"),
        ("Иван", "****"),
        ("+4930123456", "**********"),
    ],
)
def test_masks(text: str, masked: str) -> None:
    assert mask(text) == masked


numbers = st.from_regex(r"[ +(]{0,2}[0-9]{1,20}([-. )]{0,2}[0-9]{1,4}){0,5}", fullmatch=True)
texts = st.one_of(st.text(), numbers, st.from_regex(r"(sip|tel|x|:){0,3}[0-9a-z@;. +]*", fullmatch=True))


@given(texts)
def test_the_one_form_stays(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once
    assert digest(once, KEY) == digest(text, KEY)
    assert mask(once) == mask(text)


@given(st.from_regex(r"[3489][0-9]{9}", fullmatch=True), st.sampled_from(["+7", "7", "8", "", "+7 ", "8 ("]))
def test_prefixes_of_russian_numbers(number: str, prefix: str) -> None:
    assert normalize(f"{prefix}{number[:3]}) {number[3:6]}-{number[6:]}") == f"7{number}"


@given(texts)
def test_a_mask_keeps_six_digits_of_eleven_and_nothing_else(text: str) -> None:
    shown = mask(text)
    assert re.fullmatch(r"\**|\d{4}\*{5,}\d\d", shown)


@given(texts, texts)
def test_different_numbers_have_different_digests(one: str, other: str) -> None:
    assert (digest(one, KEY) == digest(other, KEY)) == (normalize(one) == normalize(other))
    assert digest(one, KEY) != digest(one, KEY[::-1])
    assert re.fullmatch(r"[0-9a-f]{32}", digest(one, KEY))
