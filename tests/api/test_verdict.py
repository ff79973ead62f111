"""What a response means: ``api/answer/verdict.py``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.envelope import Envelope
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoResponseError,
    AlloincognitoSettingsError,
)


@dataclass
class FakeAnswer:
    """The part of a response that is judged."""

    status: int = 200
    envelope: Envelope | None = None
    body: bytes = b""
    server_time: datetime | None = None
    allow: str | None = None


def answer_with(status: int = 200, **envelope: Any) -> FakeAnswer:
    return FakeAnswer(status, Envelope(**{"has_result": True, "rowset": "array", **envelope}))


@pytest.mark.parametrize(
    ("answer", "rejected"),
    [
        (answer_with(), False),
        (answer_with(401), True),
        (answer_with(403), True),
        (FakeAnswer(401), True),
        (FakeAnswer(500), False),
        (answer_with(error_code=401), True),
        (answer_with(error_code="403"), True),
        (answer_with(error_code=1000), False),
        (answer_with(error_code=0), False),
        (answer_with(error_code=None), False),
    ],
)
def test_which_responses_reject_the_token(answer: FakeAnswer, rejected: bool) -> None:
    assert verdict.token_is_rejected(answer, Settings()) is rejected


def test_the_codes_that_reject_a_token_are_a_setting() -> None:
    settings = Settings(auth_error_codes=("E1",))
    assert verdict.token_is_rejected(answer_with(error_code="E1"), settings)
    assert not verdict.token_is_rejected(answer_with(error_code=401), settings)


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (answer_with(), True),
        (answer_with(202), False),
        (FakeAnswer(202), False),
        (answer_with(rowset="absent"), False),
        (answer_with(rowset="absent", file_content="null"), False),
        (answer_with(rowset="absent", file_content="string"), True),
        (answer_with(rowset="null"), True),
        (answer_with(has_result=False, rowset="absent"), True),
        (answer_with(rowset="absent", error_code=5), True),
        (answer_with(rowset="absent", error_message="no"), True),
        (FakeAnswer(), True),
    ],
)
def test_which_responses_are_ready(answer: FakeAnswer, ready: bool) -> None:
    assert verdict.is_ready(answer, Settings()) is ready


def test_whether_a_null_rowset_is_ready_is_a_setting() -> None:
    assert not verdict.is_ready(answer_with(rowset="null"), Settings(null_rowset="pending"))


def test_the_codes_for_not_ready_are_a_setting() -> None:
    settings = Settings(pending_error_codes=("1100",))
    answer = answer_with(error_code=1100, error_message="wait", rowset="absent")
    assert not verdict.is_ready(answer, settings)
    verdict.raise_for_error("m", answer, settings)
    with pytest.raises(AlloincognitoApiError):
        verdict.raise_for_error("m", answer, Settings())


@pytest.mark.parametrize(
    ("envelope", "is_error"),
    [
        ({}, False),
        ({"error_code": 0}, False),
        ({"error_code": "0"}, False),
        ({"error_code": ""}, False),
        ({"error_code": 0, "error_message": ""}, False),
        ({"error_code": 0.0, "error_message": ""}, False),
        ({"error_code": -0.0, "error_message": ""}, False),
        ({"error_code": "00"}, False),
        ({"error_code": False}, False),
        ({"error_code": " ", "error_message": " "}, False),
        ({"error_code": 0, "error_message": "OK"}, False),
        ({"error_code": "OK", "error_message": "Success."}, False),
        ({"error_code": 0, "error_message": "Успешно"}, False),
        ({"error_code": 200, "error_message": "OK"}, True),
        ({"error_code": True}, True),
        ({"error_code": 0, "error_message": "no"}, True),
        ({"error_message": "no"}, True),
        ({"error_code": 5}, True),
        ({"error_code": "E"}, True),
        ({"error_code": -1}, True),
    ],
)
def test_which_envelopes_are_errors(envelope: dict[str, Any], is_error: bool) -> None:
    answer = answer_with(**envelope)
    assert answer.envelope is not None
    assert verdict.has_error(answer.envelope, Settings()) is is_error
    if is_error:
        with pytest.raises(AlloincognitoApiError):
            verdict.raise_for_error("m", answer, Settings())
    else:
        verdict.raise_for_error("m", answer, Settings())


def test_the_codes_that_mean_success_are_a_setting() -> None:
    settings = Settings(success_codes=("200",))
    assert not verdict.has_error(Envelope(error_code=200.0, error_message="2 calls"), settings)
    assert not verdict.has_error(Envelope(error_code=0), settings)
    assert verdict.has_error(Envelope(error_code=5, error_message="OK"), settings)


@pytest.mark.parametrize("code", [79161234567, "79161234567", "17\nINJECTED", "\x1b[31m17", 10**400, "9" * 10_000])
def test_a_code_is_shown_on_one_line_without_numbers(code: Any) -> None:
    with pytest.raises(AlloincognitoApiError) as caught:
        verdict.raise_for_error("getcalllist", answer_with(error_code=code, error_message="no"), Settings())
    error = caught.value
    assert "9161234567" not in f"{error} {error.code}"
    assert str(error).isprintable()
    assert len(str(error)) < 200


def test_an_error_has_code_message_method_and_hash() -> None:
    answer = answer_with(error_code=5, error_message="абонент 79161234567, my-token", request_hash="h==")
    with pytest.raises(AlloincognitoApiError) as caught:
        verdict.raise_for_error("getcalllist", answer, Settings(), ["my-token"])
    error = caught.value
    assert (error.method, error.code, error.message, error.request_hash) == (
        "getcalllist",
        5,
        "абонент <number>, <token>",
        "h==",
    )


def test_a_code_that_is_a_text_is_scrubbed() -> None:
    with pytest.raises(AlloincognitoApiError) as caught:
        verdict.raise_for_error("m", answer_with(error_code="79161234567 my-token"), Settings(), ["my-token"])
    assert caught.value.code == "<number> <token>"


@pytest.mark.parametrize("status", [301, 400, 404, 500])
def test_a_status_other_than_success_is_an_error(status: int) -> None:
    for answer in (FakeAnswer(status), answer_with(status)):
        with pytest.raises(AlloincognitoApiError) as caught:
            verdict.raise_for_error("m", answer, Settings())
        assert caught.value.code == status


@pytest.mark.parametrize("answer", [FakeAnswer(), answer_with(has_result=False), answer_with(201, has_result=False)])
def test_neither_error_nor_result_is_an_error(answer: FakeAnswer) -> None:
    with pytest.raises(AlloincognitoResponseError, match="path"):
        verdict.raise_for_error("m", answer, Settings())


def test_a_ready_check_decides_instead_of_the_settings() -> None:
    check = f"{__name__}.has_a_code"
    assert verdict.is_ready(answer_with(202, code=1), Settings(), check)
    assert not verdict.is_ready(answer_with(code=None), Settings(), check)
    assert not verdict.is_ready(FakeAnswer(202), Settings(), check), "without an envelope the status decides"


def has_a_code(envelope: Envelope) -> bool:
    return envelope.code is not None


@pytest.mark.parametrize("path", ["nowhere.to_be_found", "math.nothing", "math.pi", ""])
def test_a_ready_check_that_is_not_a_function_is_an_error_that_names_it(path: str) -> None:
    with pytest.raises(AlloincognitoSettingsError, match=f"ready_check is '{path}'"):
        verdict.is_ready(answer_with(), Settings(), path)


def quotes_the_response(envelope: Envelope) -> bool:
    raise KeyError(envelope.file_name)


def test_a_ready_check_that_fails_is_an_error_without_what_it_quotes() -> None:
    with pytest.raises(AlloincognitoSettingsError, match=r"raised KeyError \(test_verdict.py, line \d+\)") as caught:
        verdict.is_ready(answer_with(file_name="79161234567.mp3"), Settings(), f"{__name__}.quotes_the_response")
    assert "79161234567" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


NOON = datetime(2026, 3, 3, 9, tzinfo=UTC)
"""Moscow's, by the server's header ``Date``."""


@pytest.mark.parametrize(
    ("call_time", "zone"),
    [
        ("2026-03-03 12:00:00", None),
        ("2026-03-03 11:58:00", None),
        ("2026-03-03T19:00:00+10:00", None),
        ("2026-03-03 09:00:00", "UTC"),
        ("2026-03-03 19:00:31", "UTC+10:00"),
        ("2026-03-03 14:29:00", "UTC+05:30"),
        ("2026-03-02 20:00:00", None),  # no zone is so far: the time of another request
        ("2026-03-03 14:10:00", None),
        ("2021-03-03 14:00:00", None),
        ("never", None),
        (None, None),
    ],
)
def test_the_time_of_the_call_tells_the_zone(
    call_time: str | None, zone: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    answer = answer_with(call_time=call_time)
    answer.server_time = NOON
    verdict.warn_of_another_zone(answer, Settings())
    assert caplog.messages == [] if zone is None else f"shows {zone}," in caplog.text


@pytest.mark.parametrize(
    ("method", "status", "names"),
    [
        ("getcalllist", 404, "call_list_path"),
        ("getcallrecordfile", 405, "record_file_path"),
        ("getcalllist", 200, "auth_error_codes or pending_error_codes"),
        ("getcalllist", 400, "numbers_field"),
        ("a method of the user's", 404, "the path"),
    ],
)
def test_an_error_names_the_settings_that_may_be_wrong(method: str, status: int, names: str) -> None:
    with pytest.raises(AlloincognitoApiError, match=names):
        verdict.raise_for_error(method, answer_with(status, error_code=1), Settings())
