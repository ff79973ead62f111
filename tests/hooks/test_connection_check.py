"""The connection test tells what works, and never makes a token pair."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.sandbox import Sandbox

Connect = Callable[..., AlloincognitoHook]


@pytest.fixture
def hook(sandbox: Sandbox, connect: Connect) -> AlloincognitoHook:
    return connect(sandbox)


def assert_no_pair_was_made(sandbox: Sandbox) -> None:
    assert (sandbox.count("create"), sandbox.count("refresh")) == (0, 0)
    assert [one.by for one in sandbox.rotations] in ([], ["create"], ["create", "stranger"])


def make_pair(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    hook.get_call_list("2025-06-02", "2025-06-03").__exit__(None, None, None)
    sandbox.clear_log()


def test_a_missing_pair_is_reported(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    is_good, text = hook.test_connection()
    assert is_good
    assert "No token pair is stored yet" in text
    assert "not checked" in text
    assert_no_pair_was_made(sandbox)


def test_a_valid_stored_pair_is_reported(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    make_pair(hook, sandbox)
    is_good, text = hook.test_connection()
    assert is_good
    assert "is stored, and the server accepts it" in text
    assert_no_pair_was_made(sandbox)


@pytest.mark.parametrize("rejection", [401, 403, 200])
@pytest.mark.parametrize("end", ["expire_access", "expire_pair", "kill_pair"])
def test_an_invalid_stored_pair_is_reported_and_not_replaced(
    end: str, rejection: int, hook: AlloincognitoHook, sandbox: Sandbox
) -> None:
    sandbox.configure(auth_rejection=rejection)
    make_pair(hook, sandbox)
    getattr(sandbox, end)()
    is_good, text = hook.test_connection()
    assert is_good
    assert "no longer accepts it" in text
    assert_no_pair_was_made(sandbox)


def test_an_expired_authorization_token_is_reported_without_a_request(sandbox: Sandbox, connect: Connect) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) - 60}).encode()).decode().rstrip("=")
    is_good, text = connect(sandbox, connection={"password": f"eyJhbGciOiJIUzI1NiJ9.{claims}.c2ln"}).test_connection()
    assert not is_good
    assert "expired on" in text
    assert sandbox.requests == []


def test_a_password_that_is_not_a_jwt_is_not_an_error(sandbox: Sandbox, connect: Connect) -> None:
    is_good, text = connect(sandbox, connection={"password": "opaque"}).test_connection()
    assert is_good
    assert "probably not the authorization token" in text


def test_an_unreachable_server_is_reported(connect: Connect) -> None:
    with Sandbox(calls_per_day=1) as gone:
        hook = connect(gone)
    is_good, text = hook.test_connection()
    assert not is_good
    assert "connection refused" in text


@pytest.mark.parametrize(
    "broken",
    [
        {"connection": {"password": ""}},
        {"connection": {"host": "ftp://x"}},
        {"timeout": "soon"},
        {"token_store": "nowhere"},
        {"verify": "/nowhere/ca.pem"},
    ],
)
def test_an_invalid_connection_is_reported_not_raised(
    sandbox: Sandbox, connect: Connect, broken: dict[str, Any]
) -> None:
    is_good, text = connect(sandbox, **broken).test_connection()
    assert not is_good
    assert text
    assert sandbox.count("create") == 0


@pytest.mark.usefixtures("airflow_database")
def test_a_store_that_cannot_be_read_from_here_is_not_an_error(sandbox: Sandbox, connect: Connect) -> None:
    """The button runs in the API server, outside of any task."""
    is_good, text = connect(sandbox, token_store="variable").test_connection()
    assert is_good
    assert "read from here" in text
    assert_no_pair_was_made(sandbox)


def test_the_text_shows_no_token(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    make_pair(hook, sandbox)
    _, text = hook.test_connection()
    assert not [token for token in sandbox.tokens_ever_issued if token in text]
