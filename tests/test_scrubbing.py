"""What is removed from texts of the server: ``scrubbing.py``."""

from __future__ import annotations

import re
import traceback
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.scrubbing import LONGEST_MESSAGE, redact, scrub, scrub_hash, without_locals

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
    "7/916/123/45/67",
    "7_916_123_45_67",
    "7:916:123:45:67",
    "7, 916, 123, 45, 67",
    "7 | 916 * 123 # 45 ~ 67",
    "7\u200b916\u00ad1234567",
    "%2B7%20%28916%29%20123-45-67",
    "%252B7%2520916%25201234567",
    "%37%39%31%36%31%32%33%34%35%36%37",
    "7&nbsp;916&nbsp;123&#45;45&#x2d;67",
    "7\x1b[31m916\x1b[0m1234567",
    r"7\xa0916\u00a01234567",
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
    if re.match(r"(19|20)\d\d-\d\d?-\d\d?", number):
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


@pytest.mark.parametrize(
    "text",
    [
        "nothing on 2025-06-02 at 10:20:30",
        "Period 2026-03-01 00:00:00 is closed, see 12/34",
        "from 2026-03-01T00:00:00+03:00 to 02.03.2026 00:00",
        "2026-03-01, 2026-03-02",
        "took 00:00:01.123456",
        "'2026-13-45', '2026-3-45 25:61:00'",
    ],
)
def test_dates_and_times_are_kept(text: str) -> None:
    assert scrub(text) == text


def test_a_number_after_a_date_is_removed() -> None:
    assert scrub("2026-03-01 79161234567") == "2026-03-01 <number>"
    assert "1234567" not in scrub("2026-03-01-79161234567")


@pytest.mark.parametrize("text", ["a" * 50_000, "7 " * 50_000, f"{'long ' * 5000}secret", f"{'%25' * 9000} 12345678"])
def test_a_long_text_is_shortened_before_it_is_searched(text: str) -> None:
    assert len(scrub(text, ["secret"])) <= LONGEST_MESSAGE + 3


def test_a_hash_is_shown_whole_but_without_numbers_and_on_one_line() -> None:
    usual = "twbfdoEhUI6kPSgOpPXT7Q==QUY5" + "abcdefgh" * 10 + "ODU="
    assert scrub_hash(usual) == usual
    assert scrub_hash("79161234567==") == "<number>=="
    assert scrub_hash("\x1b[31maGFz\naA==\x1b[0m") == "aGFz aA=="
    assert len(scrub_hash("x" * 10_000)) < 200
    assert scrub_hash(None) == "None"


def test_a_traceback_holds_no_local_variables_of_finished_frames() -> None:
    def fail(token: str) -> None:
        try:
            int(token)
        except ValueError:
            raise KeyError("no number")  # noqa: B904 - the context is printed as well

    @without_locals()
    def call() -> None:
        fail("a-" + "secret")

    with pytest.raises(KeyError) as caught:
        call()
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "a-secret" not in str([frame.locals for frame in told.stack])
    assert told.__context__ is not None
    assert "a-secret" not in str([frame.locals for frame in told.__context__.stack])


def test_short_numbers_are_kept() -> None:
    assert scrub("errorCode 1500, page 20 of 300") == "errorCode 1500, page 20 of 300"


@given(st.text(max_size=3000))
def test_a_message_is_one_line_of_limited_length(text: str) -> None:
    scrubbed = scrub(text)
    assert len(scrubbed) <= LONGEST_MESSAGE + 3
    assert "\n" not in scrubbed
    assert "\r" not in scrubbed


# What a command prints


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:43329 answers",
        "2001:db8::7 and 203.0.113.77",
        "valid until 2027-01-15 12:00 UTC",
        "2025-06-02 00:00:00",
        "2026-13-45 00:00:00",
        "2025-06-02T00:00:00.123456+03:00",
        "6d621781-95c4-4cae-8a1c-ac4757ad8540",
        "12345678-1234-1234-1234-123456789012",
        "file:///data/calls/date=2026-11-25/calls.parquet",
        "s3://conn_id@bucket.example/calls.csv",
        "alloincognito://:AUTHORIZATION_TOKEN@test-webapi.alloincognito.ru:4431",
        "http://USER:PASSWORD@proxy.example:3128",
        "valid until 3000-01-01 00:00 UTC",
        "of 192.168.100.200, in 12.3456789012 s",
        "Wrote 1,234,567,890 rows",
        "1aebfdcc66107005abd2b118827014c7e5139f86578ebdbaf2084c202f781828",
        "twbfdoEhUI6kPSgOpPXT7Q==QUY5ODU=",
        "first line\nsecond line",
        "7916*****67",
    ],
)
def test_what_is_no_phone_number_is_printed(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "number",
    [
        *("79161234567", "+79161234567", "8 (916) 123-45-67", "+7 916 123 45 67", "8-916-123-45-67", "9161234567"),
        *("8.916.123.45.67", "8\u2013916\u2013123\u201345\u201367", "+7\t916\u2009123-45-67"),
    ],
)
def test_a_phone_number_is_not_printed(number: str) -> None:
    texts = number, f"a call of {number}.", f"calls_{number}.csv", f"'{number}'", f"тел{number}", f"tel{number}"
    for text in (*texts, f"calls.{number}.csv", f"%2B{number}", f"d{number}.example", f"{number}x"):
        assert "<number>" in redact(text)
        assert number not in redact(text)


def test_tokens_and_addresses_are_not_printed() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl"
    assert redact(f"{token} of ivan.petrov@mail.example") == "<token> of <email>"
    assert redact("opaque-word and opaque", ["opaque", "opaque-word"]) == "<token> and <token>"
    assert redact("ivan%40mail.example and /ivan@mail.example") == "<email> and /<email>"
    assert redact("\x1b[31mred\x1b[0m \x07") == "red  "


def test_numbers_side_by_side_are_not_printed() -> None:
    assert redact("7 916 123 45 67 8 916 123 45 68") == "<number>"


@pytest.mark.parametrize("login", ["user:pass", "user:pa!s.w", ":pass", "user:p%40ss", "user:p@ss"])
def test_the_login_in_a_url_is_not_printed(login: str) -> None:
    url = f"http://{login}@proxy:3128"
    assert redact(f"{url}, {url}") == "http://<login>@proxy:3128, http://<login>@proxy:3128"
    assert "<login>" in (shown := redact(f"?proxies={quote(url, safe='')}&timeout=5"))
    assert shown.endswith("%40proxy%3A3128&timeout=5")
    assert not {"user", "pass"} & set(re.findall("[a-z]+", shown))


@given(st.text())
def test_whatever_is_printed_keeps_its_lines(text: str) -> None:
    assert redact(text).count("\n") == text.count("\n")
