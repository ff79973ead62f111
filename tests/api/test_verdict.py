from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.envelope import Envelope
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import AlloincognitoApiError, AlloincognitoResponseError


@dataclass
class Answered:
    """What the judgement looks at."""

    status: int = 200
    envelope: Envelope | None = None
    body: bytes = b""
    server_time: datetime | None = None


def said(status: int = 200, **envelope: Any) -> Answered:
    return Answered(status, Envelope(**{"has_result": True, "rowset": "array", **envelope}))


@pytest.mark.parametrize(
    ("answer", "rejected"),
    [
        (said(), False),
        (said(401), True),
        (said(403), True),
        (Answered(401), True),
        (Answered(500), False),
        (said(error_code=401), True),
        (said(error_code="403"), True),
        (said(error_code=1000), False),
        (said(error_code=0), False),
        (said(error_code=None), False),
    ],
)
def test_which_answers_reject_the_token(answer: Answered, rejected: bool) -> None:
    assert verdict.token_is_rejected(answer, Settings()) is rejected


def test_rejecting_codes_are_the_users() -> None:
    settings = Settings(auth_error_codes=("E1",))
    assert verdict.token_is_rejected(said(error_code="E1"), settings)
    assert not verdict.token_is_rejected(said(error_code=401), settings)


@pytest.mark.parametrize(
    ("answer", "pending"),
    [
        (said(), False),
        (said(202), True),
        (Answered(202), True),
        (said(rowset="absent"), True),
        (said(rowset="absent", file_content="null"), True),
        (said(rowset="absent", file_content="string"), False),
        (said(rowset="null"), False),
        (said(has_result=False, rowset="absent"), False),
        (said(rowset="absent", error_code=5), False),
        (said(rowset="absent", error_message="no"), False),
        (Answered(), False),
    ],
)
def test_which_answers_are_not_ready(answer: Answered, pending: bool) -> None:
    assert verdict.is_pending(answer, Settings()) is pending


def test_a_null_rowset_is_not_ready_by_a_setting() -> None:
    assert verdict.is_pending(said(rowset="null"), Settings(null_rowset="pending"))


def test_pending_codes_are_the_users() -> None:
    settings = Settings(pending_error_codes=("1100",))
    answer = said(error_code=1100, error_message="wait", rowset="absent")
    assert verdict.is_pending(answer, settings)
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
        ({"error_code": 0, "error_message": "no"}, True),
        ({"error_message": "no"}, True),
        ({"error_code": 5}, True),
        ({"error_code": "E"}, True),
        ({"error_code": -1}, True),
    ],
)
def test_what_is_an_error(envelope: dict[str, Any], is_error: bool) -> None:
    answer = said(**envelope)
    assert answer.envelope is not None
    assert verdict.has_error(answer.envelope) is is_error
    if is_error:
        with pytest.raises(AlloincognitoApiError):
            verdict.raise_for_error("m", answer, Settings())
    else:
        verdict.raise_for_error("m", answer, Settings())


def test_an_error_tells_code_message_method_and_hash() -> None:
    answer = said(error_code=5, error_message="абонент 79161234567, my-token", request_hash="h==")
    with pytest.raises(AlloincognitoApiError) as caught:
        verdict.raise_for_error("getcalllist", answer, Settings(), ["my-token"])
    error = caught.value
    assert (error.method, error.code, error.message, error.request_hash) == (
        "getcalllist",
        5,
        "абонент <number>, <token>",
        "h==",
    )


def test_a_code_in_words_is_scrubbed_as_well() -> None:
    with pytest.raises(AlloincognitoApiError) as caught:
        verdict.raise_for_error("m", said(error_code="79161234567 my-token"), Settings(), ["my-token"])
    assert caught.value.code == "<number> <token>"


@pytest.mark.parametrize("status", [301, 400, 404, 500])
def test_a_status_that_is_no_success_is_an_error(status: int) -> None:
    for answer in (Answered(status), said(status)):
        with pytest.raises(AlloincognitoApiError) as caught:
            verdict.raise_for_error("m", answer, Settings())
        assert caught.value.code == status


@pytest.mark.parametrize("answer", [Answered(), said(has_result=False), said(201, has_result=False)])
def test_neither_error_nor_result_is_not_what_is_promised(answer: Answered) -> None:
    with pytest.raises(AlloincognitoResponseError, match="path"):
        verdict.raise_for_error("m", answer, Settings())
