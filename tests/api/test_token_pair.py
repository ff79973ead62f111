"""Token pairs read from responses, and kept by a store."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.tokens.pair import (
    ACCESS_LIFETIME,
    REFRESH_LIFETIME,
    TokenPair,
    jwt_expiry,
    read_pair,
)
from airflow_provider_alloincognito.errors import AlloincognitoResponseError

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2025, 6, 2, 12, tzinfo=UTC)
EXPIRY = datetime(2025, 6, 3, 9, 30, tzinfo=UTC)


def jwt(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl"


def response(**fields: Any) -> bytes:
    return json.dumps({"accessToken": "a-token", "refreshToken": "r-token", **fields}).encode()


@pytest.mark.parametrize(
    "text",
    [
        "2025-06-03T09:30:00Z",
        "2025-06-03T12:30:00+03:00",
        "2025-06-03 12:30:00",
        str(int(EXPIRY.timestamp())),
        str(int(EXPIRY.timestamp() * 1000)),
        int(EXPIRY.timestamp()),
    ],
)
def test_an_expiry_is_read_in_every_format(text: Any) -> None:
    pair = read_pair(response(accessTokenExpiredIn=text, refreshTokenExpiredIn=text), MOSCOW, NOW)
    assert (pair.access_token, pair.refresh_token) == ("a-token", "r-token")
    assert pair.access_expires_at == pair.refresh_expires_at == EXPIRY
    assert pair.obtained_at == NOW


@pytest.mark.parametrize("text", ["in a day", None, "", [], 0, "86400", 86_400_000, "2025-06-02 14:59:59"])
@pytest.mark.parametrize("exp", [int(EXPIRY.timestamp()), str(int(EXPIRY.timestamp()))])
def test_without_a_readable_expiry_the_one_in_the_token_is_used(text: Any, exp: Any) -> None:
    body = response(accessToken=jwt({"exp": exp}), accessTokenExpiredIn=text)
    assert read_pair(body, MOSCOW, NOW).access_expires_at == EXPIRY
    # An end that has passed was misread. Believed, it would have every process renew the pair at once.
    body = response(accessToken=jwt({"exp": 1}), accessTokenExpiredIn=text)
    assert read_pair(body, MOSCOW, NOW).access_expires_at == NOW + ACCESS_LIFETIME


def test_without_any_expiry_the_lifetimes_of_the_description_are_used() -> None:
    pair = read_pair(response(), MOSCOW, NOW)
    assert pair.access_expires_at == NOW + timedelta(hours=24)
    assert pair.refresh_expires_at == NOW + timedelta(hours=25)


def test_a_pair_may_be_under_result() -> None:
    body = json.dumps({"error": None, "result": json.loads(response())}).encode()
    assert read_pair(body, MOSCOW, NOW) == read_pair(response(), MOSCOW, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"result": null}',
        b'{"result": []}',
        response(accessToken=None),
        response(refreshToken=" "),
        response(accessToken=5),
        b'{"accessToken": "a-token"}',
        b'{"error": {"errorCode": 5}, "result": null}',
    ],
)
def test_a_response_without_a_pair_is_an_error_that_does_not_show_the_body(body: bytes) -> None:
    with pytest.raises(AlloincognitoResponseError, match="create_path") as caught:
        read_pair(body, MOSCOW, NOW)
    assert 'token"' not in str(caught.value)
    assert "a-token" not in str(caught.value)


@pytest.mark.parametrize("field", ["accessToken", "refreshToken"])
@pytest.mark.parametrize("token", ["SEC\nRET", "SEC\rRET", "SEC RET", "SECТRET", "SECéRET", "SEC\x00RET"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(field: str, token: str) -> None:
    with pytest.raises(AlloincognitoResponseError, match="character that no token has") as caught:
        read_pair(response(**{field: token}), MOSCOW, NOW)
    assert "SEC" not in str(caught.value)


@given(
    st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_any_other_body_is_an_error(body: bytes) -> None:
    with pytest.raises(AlloincognitoResponseError):
        read_pair(body, MOSCOW, NOW)


@given(st.text() | st.builds(jwt, st.dictionaries(st.sampled_from(["exp", "x"]), st.none() | st.text() | st.floats())))
def test_any_token_has_an_expiry_or_none(token: str) -> None:
    expiry = jwt_expiry(token)
    assert expiry is None or expiry.tzinfo is UTC


def test_texts_show_no_token() -> None:
    pair = read_pair(response(), MOSCOW, NOW)
    assert "-token" not in repr(pair)
    assert "-token" not in str(pair)
    assert "-token" not in pair.id


def test_two_pairs_have_two_ids() -> None:
    assert read_pair(response(), MOSCOW, NOW).id != read_pair(response(accessToken="b-token"), MOSCOW, NOW).id


aware = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
pairs = st.builds(
    TokenPair, st.text(min_size=1), aware, st.text(min_size=1), aware, aware, st.tuples(st.floats(0, 2e9))
)


@given(pairs)
def test_a_stored_pair_is_read_back_unchanged(pair: TokenPair) -> None:
    kept = pair.to_json()
    assert TokenPair.from_json(kept) == pair
    assert {"access_token", "refresh_token"} <= set(json.loads(kept)), "Airflow masks values by these names"


@given(pairs)
def test_an_impossible_lifetime_is_replaced_by_the_descriptions(pair: TokenPair) -> None:
    assert timedelta() < pair.lifetime <= ACCESS_LIFETIME < REFRESH_LIFETIME
