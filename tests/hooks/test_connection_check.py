"""The connection test makes no pair, whatever it finds."""

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


def asked_only_once(sandbox: Sandbox) -> None:
    assert (sandbox.count("create"), sandbox.count("refresh")) == (0, 0)
    assert [one.by for one in sandbox.rotations] in ([], ["create"], ["create", "stranger"])


def with_pair(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    hook.get_call_list("2025-06-02", "2025-06-03").__exit__(None, None, None)
    sandbox.clear_log()


def test_no_pair_is_stored(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    good, said = hook.test_connection()
    assert good
    assert "No token pair is stored yet" in said
    assert "not tried" in said
    asked_only_once(sandbox)


def test_a_living_pair_is_accepted(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    with_pair(hook, sandbox)
    good, said = hook.test_connection()
    assert good
    assert "is stored and is accepted" in said
    asked_only_once(sandbox)


@pytest.mark.parametrize("rejection", [401, 403, 200])
@pytest.mark.parametrize("death", ["expire_access", "expire_pair", "kill_pair"])
def test_a_dead_pair_is_told_and_left_alone(
    death: str, rejection: int, hook: AlloincognitoHook, sandbox: Sandbox
) -> None:
    sandbox.configure(auth_rejection=rejection)
    with_pair(hook, sandbox)
    getattr(sandbox, death)()
    good, said = hook.test_connection()
    assert good
    assert "not accepted any more" in said
    asked_only_once(sandbox)


def test_an_authorization_token_that_has_ended_is_told_without_asking(sandbox: Sandbox, connect: Connect) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) - 60}).encode()).decode().rstrip("=")
    good, said = connect(sandbox, connection={"password": f"eyJhbGciOiJIUzI1NiJ9.{claims}.c2ln"}).test_connection()
    assert not good
    assert "ended on" in said
    assert sandbox.requests == []


def test_a_password_that_is_no_jwt_is_not_judged(sandbox: Sandbox, connect: Connect) -> None:
    good, said = connect(sandbox, connection={"password": "opaque"}).test_connection()
    assert good
    assert "may be one" in said


def test_an_unreachable_stand_is_told(connect: Connect) -> None:
    with Sandbox(calls_per_day=1) as gone:
        hook = connect(gone)
    good, said = hook.test_connection()
    assert not good
    assert "does not answer" in said


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
def test_a_broken_connection_is_told_and_not_raised(sandbox: Sandbox, connect: Connect, broken: dict[str, Any]) -> None:
    good, said = connect(sandbox, **broken).test_connection()
    assert not good
    assert said
    assert sandbox.count("create") == 0


@pytest.mark.usefixtures("airflow_database")
def test_a_store_that_cannot_be_seen_from_here_is_no_fault(sandbox: Sandbox, connect: Connect) -> None:
    """The button runs in the API server, outside of any task."""
    good, said = connect(sandbox, token_store="variable").test_connection()
    assert good
    assert "seen from here" in said or "read from here" in said
    asked_only_once(sandbox)


def test_no_token_is_told(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    with_pair(hook, sandbox)
    _, said = hook.test_connection()
    assert not [token for token in sandbox.tokens_ever_issued if token in said]
