"""The connection test tells what works, the bad news first, and makes a token pair only where it can be stored."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from task_runs import in_task

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.variable_store import VariableTokenStore
from airflow_provider_alloincognito.sandbox import Sandbox
from services.redis_server import RedisServer

Connect = Callable[..., AlloincognitoHook]
MAY = {"test_makes_pair": True}


@pytest.fixture
def hook(sandbox: Sandbox, connect: Connect) -> AlloincognitoHook:
    return connect(sandbox)


def assert_no_pair_was_made(sandbox: Sandbox) -> None:
    assert (sandbox.count("create"), sandbox.count("refresh")) == (0, 0)
    assert [one.by for one in sandbox.rotations] in ([], ["create"], ["create", "stranger"])


def make_pair(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    hook.get_call_list("2025-06-02", "2025-06-03").__exit__(None, None, None)
    sandbox.clear_log()


def expired_token() -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) - 60}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{claims}.c2ln"


def test_a_missing_pair_is_reported(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    is_good, text = hook.test_connection()
    assert is_good
    assert "Warning: The authorization token was not tried" in text
    assert "see test_makes_pair" in text
    assert_no_pair_was_made(sandbox)


def test_a_valid_stored_pair_is_reported(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    make_pair(hook, sandbox)
    is_good, text = hook.test_connection()
    assert is_good
    assert "OK: The server accepts the stored token pair" in text
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
    assert "Warning: The server no longer accepts the stored token pair" in text
    assert_no_pair_was_made(sandbox)


def test_an_expired_authorization_token_is_reported_and_not_sent(sandbox: Sandbox, connect: Connect) -> None:
    is_good, text = connect(sandbox, connection={"password": expired_token()}, **MAY).test_connection()
    assert not is_good
    assert text.startswith("Failed: The authorization token expired on")
    assert_no_pair_was_made(sandbox)


def test_a_password_that_is_not_a_jwt_is_not_an_error(sandbox: Sandbox, connect: Connect) -> None:
    is_good, text = connect(sandbox, connection={"password": "opaque"}).test_connection()
    assert is_good
    assert text.startswith("Warning: The password is not a JWT")


def test_a_token_that_airflow_2_did_not_pass_on_is_asked_for(sandbox: Sandbox, connect: Connect) -> None:
    is_good, text = connect(sandbox, connection={"password": ""}).test_connection()
    assert not is_good
    assert ("put it in again" in text) == (AIRFLOW_VERSION < (3, 0))


def test_an_unreachable_server_is_reported(connect: Connect) -> None:
    with Sandbox(calls_per_day=1) as gone:
        hook = connect(gone)
    is_good, text = hook.test_connection()
    assert not is_good
    assert "connection refused" in text


def test_another_server_is_reported(sandbox: Sandbox, connect: Connect) -> None:
    is_good, text = connect(sandbox, connection={"host": f"{sandbox.url}/elsewhere"}).test_connection()
    assert is_good
    assert "Warning: The server" in text
    assert "HTTP status 404" in text


def test_bad_news_comes_first_and_the_log_says_the_same(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """``airflow connections test`` prints no more than "Connection success!", and its log with --verbose."""
    with Sandbox(calls_per_day=1) as gone:
        hook = connect(gone)
    with caplog.at_level(logging.INFO, logger="airflow_provider_alloincognito.hooks.connection_check"):
        _, text = hook.test_connection()
    lines = text.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Failed", "Warning", *["OK"] * 3]
    logged = [one for one in caplog.records if one.name.endswith("connection_check")]
    assert [one.getMessage() for one in logged] == [f"Connection test: {line}" for line in lines]
    assert [one.levelname for one in logged] == ["ERROR", "WARNING", *["INFO"] * 3]


@pytest.mark.parametrize(
    "broken",
    [
        {"connection": {"password": ""}},
        {"connection": {"password": "two words"}},
        {"connection": {"host": "ftp://x"}},
        {"timeout": "soon"},
        {"pair_store": "nowhere"},
        {"pair_store": "redis://missing"},
        {"verify": "/nowhere/ca.pem"},
    ],
)
def test_an_invalid_connection_is_reported_without_its_id(
    sandbox: Sandbox, connect: Connect, broken: dict[str, Any]
) -> None:
    """The UI tests a copy of the Connection, with a random id that the user has never seen."""
    is_good, text = connect(sandbox, "qwzkxv", **broken).test_connection()
    assert not is_good
    assert text.startswith("Failed: ")
    assert "qwzkxv" not in text.lower()
    assert sandbox.count("create") == 0


def test_the_text_shows_no_token(hook: AlloincognitoHook, sandbox: Sandbox) -> None:
    make_pair(hook, sandbox)
    _, text = hook.test_connection()
    assert not [token for token in sandbox.tokens_ever_issued if token in text]


# With a pair of its own


@pytest.mark.usefixtures("airflow_database")
def test_a_pair_is_not_made_where_it_could_not_be_stored(sandbox: Sandbox, connect: Connect) -> None:
    """The button runs in the API server, outside of any task."""
    is_good, text = connect(sandbox, pair_store="variable", **MAY).test_connection()
    assert is_good
    if AIRFLOW_VERSION < (3, 0):  # where Variables can be saved anywhere
        assert [one.by for one in sandbox.rotations] == ["create"]
        return
    assert text.startswith("Warning: The authorization token was not tried: a new token pair could not be stored")
    assert "only tasks and triggers" in text
    assert_no_pair_was_made(sandbox)


def test_a_pair_is_not_made_for_one_process(sandbox: Sandbox, connect: Connect) -> None:
    is_good, text = connect(sandbox, pair_store="memory", **MAY).test_connection()
    assert is_good
    assert "could not be stored from here. Only this process would have it" in text
    assert_no_pair_was_made(sandbox)


@pytest.mark.usefixtures("airflow_database")
def test_a_pair_is_made_and_stored_once(sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]) -> None:
    for found in ("The test has made and stored a token pair", "The server accepts the stored token pair"):
        new_process()
        hook = connect(sandbox, pair_store="variable", **MAY)
        is_good, text = in_task(hook.test_connection)
        assert is_good
        assert f"OK: {found}" in text
        assert [one.by for one in sandbox.rotations] == ["create"]
    kept = in_task(VariableTokenStore(sandbox.url, sandbox.authorization_token).load)
    assert kept.access_token in sandbox.tokens_ever_issued


@pytest.mark.usefixtures("airflow_database")
def test_a_dead_pair_is_replaced(sandbox: Sandbox, connect: Connect) -> None:
    hook = connect(sandbox, pair_store="variable", **MAY)
    in_task(hook.test_connection)
    sandbox.expire_pair()
    assert "OK: The test has made and stored a token pair" in in_task(hook.test_connection)[1]
    assert [one.by for one in sandbox.rotations] == ["create", "create"]


def test_a_pair_is_made_and_stored_in_redis(
    sandbox: Sandbox, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RedisServer(tmp_path) as server:
        monkeypatch.setenv("AIRFLOW_CONN_PAIRS", server.url)
        is_good, text = connect(sandbox, pair_store="redis://pairs", **MAY).test_connection()
    assert is_good
    assert "OK: The test has made and stored a token pair" in text
    assert [one.by for one in sandbox.rotations] == ["create"]


@pytest.mark.usefixtures("airflow_database")
def test_a_wrong_token_is_reported(sandbox: Sandbox, connect: Connect) -> None:
    hook = connect(sandbox, pair_store="variable", connection={"password": "a.wrong.token"}, **MAY)
    is_good, text = in_task(hook.test_connection)
    assert not is_good
    assert text.startswith("Failed: AlloIncognito does not accept the authorization token.")
    assert "alloincognito_default" not in text
    assert sandbox.rotations == []
