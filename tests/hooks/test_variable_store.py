"""The token pair in Airflow's Variables: what is stored, what can hide it, and how often pairs are made."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from masking import forget_secrets, masked
from task_runs import in_task

from airflow_provider_alloincognito.api.tokens.stores import ClaimingTokenStore, LockingTokenStore
from airflow_provider_alloincognito.errors import (
    AlloincognitoAuthError,
    AlloincognitoShadowedTokenStoreError,
    AlloincognitoTokenStoreError,
)
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.encryption import Seal
from airflow_provider_alloincognito.hooks.variable_store import PREFIX, VariableTokenStore
from airflow_provider_alloincognito.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("airflow_database", "no_variables")

Connect = Callable[..., AlloincognitoHook]
START, END = "2025-06-02", "2025-06-03"


@pytest.fixture
def no_variables(airflow_database: None) -> Iterator[None]:
    yield
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(Variable).delete()


def stored_variables() -> dict[str, tuple[str, str]]:
    """Return all Variables: key to (what the database holds, what Airflow decrypts)."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        return {one.key: (one._val, one.val) for one in session.query(Variable)}


def rows(hook: AlloincognitoHook) -> list[dict[str, Any]]:
    with hook.get_call_list(START, END) as calls:
        return [row for batch in calls for row in batch]


def token_calls(sandbox: Sandbox) -> tuple[int, int]:
    counted = sandbox.count("create"), sandbox.count("refresh")
    sandbox.clear_log()
    return counted


def hook_of(sandbox: Sandbox, connect: Connect, **extra: Any) -> AlloincognitoHook:
    return connect(sandbox, pair_store="variable", **extra)


def test_the_store_has_claims_and_no_lock() -> None:
    store = VariableTokenStore("https://server.example:4431", "header.claims.authorization-signature")
    assert isinstance(store, ClaimingTokenStore)
    assert not isinstance(store, LockingTokenStore)


def test_the_first_run_makes_a_pair_and_later_runs_use_it(
    sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]
) -> None:
    for create in (1, 0, 0):
        new_process()
        assert in_task(lambda: rows(hook_of(sandbox, connect))) == sandbox.truth(START, END)
        assert token_calls(sandbox) == (create, 0)


def test_variables_hold_no_readable_token(sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]) -> None:
    in_task(lambda: rows(hook_of(sandbox, connect)))
    sandbox.expire_access()
    new_process()
    in_task(lambda: rows(hook_of(sandbox, connect)))
    assert token_calls(sandbox) == (1, 1)
    variables = stored_variables()
    (key,) = [key for key in variables if "_pair_" in key]
    digits = re.fullmatch(r"alloincognito_pair_([0-9a-f]{32})", key)
    assert digits
    assert not [text for values in variables.values() for text in values if masked(text) != text], (
        "Airflow never forgets what it masks"
    )
    secrets = [part for token in sandbox.tokens_ever_issued for part in (token, *token.split("."))]
    assert len(sandbox.tokens_ever_issued) == 5
    for name, values in variables.items():
        for text in (name, *values):
            assert not [secret for secret in secrets if secret in text]
            assert "127.0.0.1" not in text
            assert "access_token" not in text


def test_only_the_same_server_and_authorization_token_find_the_pair(
    sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]
) -> None:
    in_task(lambda: rows(hook_of(sandbox, connect)))
    server, token = sandbox.url, sandbox.authorization_token
    pair = in_task(VariableTokenStore(server, token).load)
    assert {pair.access_token, pair.refresh_token} <= set(sandbox.tokens_ever_issued)
    assert in_task(VariableTokenStore(server, token + "x").load) is None
    assert in_task(VariableTokenStore("http://elsewhere:80", token).load) is None


def test_claims_are_removed_after_the_replacement(sandbox: Sandbox, connect: Connect) -> None:
    def send_two_requests() -> None:
        hook = hook_of(sandbox, connect)
        rows(hook)
        rows(hook)

    in_task(send_two_requests)
    assert len(stored_variables()) == 1


def test_a_pair_near_its_end_costs_one_refresh(
    sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]
) -> None:
    in_task(lambda: rows(hook_of(sandbox, connect)))
    new_process()
    in_task(lambda: [rows(hook) for hook in [hook_of(sandbox, connect, refresh_before_expiry=86_400)] for _ in "123"])
    assert token_calls(sandbox) == (1, 1)


def test_if_early_refresh_is_refused_the_pair_is_refreshed_once_after_its_end(
    start_sandbox: Callable[..., Sandbox], connect: Connect, new_process: Callable[[], None]
) -> None:
    sandbox = start_sandbox(early_refresh="refused")
    in_task(lambda: rows(hook_of(sandbox, connect)))
    new_process()
    assert in_task(lambda: rows(hook_of(sandbox, connect, refresh_before_expiry=86_400)))
    sandbox.expire_access()
    assert in_task(lambda: rows(hook_of(sandbox, connect, refresh_before_expiry=86_400)))
    assert [one.by for one in sandbox.rotations] == ["create", "refresh"]


def test_an_expired_pair_costs_one_create(sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]) -> None:
    in_task(lambda: rows(hook_of(sandbox, connect)))
    sandbox.expire_pair()
    new_process()
    assert in_task(lambda: rows(hook_of(sandbox, connect))) == sandbox.truth(START, END)
    assert [one.by for one in sandbox.rotations] == ["create", "create"]


def test_a_pair_that_another_process_stored_is_used(
    sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]
) -> None:
    def two_processes() -> None:
        ours = hook_of(sandbox, connect)
        rows(ours)
        sandbox.expire_access()
        new_process()
        rows(hook_of(sandbox, connect))  # as another worker, which refreshes
        assert token_calls(sandbox) == (1, 1)
        rows(ours)

    in_task(two_processes)
    assert token_calls(sandbox) == (0, 0)


def test_a_rejected_authorization_token_is_not_retried_and_the_error_names_the_connection(
    start_sandbox: Callable[..., Sandbox], connect: Connect
) -> None:
    sandbox = start_sandbox()
    connect(sandbox, "my_connection", pair_store="variable", connection={"password": "a.wrong.token"})
    with pytest.raises(AlloincognitoAuthError, match=r"'my_connection'.*personal account"):
        in_task(lambda: rows(AlloincognitoHook("my_connection")))
    assert token_calls(sandbox) == (1, 0)
    assert sandbox.rotations == []


# What can hide the pair


def pair_key(sandbox: Sandbox) -> str:
    return f"{PREFIX}_pair_{Seal(sandbox.url, sandbox.authorization_token).digest}"


def test_an_environment_variable_that_hides_the_pair_is_named_before_any_request(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow = f"AIRFLOW_VAR_{pair_key(sandbox).upper()}"
    monkeypatch.setenv(shadow, "anything")
    with pytest.raises(AlloincognitoShadowedTokenStoreError, match=shadow):
        in_task(lambda: rows(hook_of(sandbox, connect)))
    assert sandbox.requests == []


def test_a_foreign_value_is_named_before_any_request(sandbox: Sandbox, connect: Connect) -> None:
    from airflow_provider_alloincognito.compat import Variable

    key = pair_key(sandbox)
    in_task(lambda: Variable.set(key, "somebody's own text"))
    with pytest.raises(AlloincognitoShadowedTokenStoreError, match=key) as caught:
        in_task(lambda: rows(hook_of(sandbox, connect)))
    assert "somebody" not in str(caught.value)
    assert sandbox.requests == []
    in_task(lambda: Variable.delete(key))
    assert in_task(lambda: rows(hook_of(sandbox, connect)))


def test_no_pair_is_made_where_variables_cannot_be_saved(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_alloincognito.compat import AIRFLOW_VERSION

    if AIRFLOW_VERSION < (3, 0):
        pytest.skip("2.11 can save Variables anywhere")
    monkeypatch.setattr("airflow_provider_alloincognito.api.tokens.state.LONGEST_WAIT", 1.0)
    with pytest.raises(AlloincognitoTokenStoreError, match="tasks and triggers"):
        rows(hook_of(sandbox, connect))
    assert sandbox.requests == []


def test_the_memory_store_warns(sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert rows(connect(sandbox, pair_store="memory")) == sandbox.truth(START, END)
        rows(connect(sandbox, pair_store="memory"))
    assert caplog.text.count("does not share its pair") == 1
    assert stored_variables() == {}


# Masking


@pytest.mark.parametrize("store", ["variable", "memory"])
def test_every_token_is_masked_in_logs(
    store: str, sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]
) -> None:
    canary = "eyJhbGciOiJIUzI1NiJ9.bm90IGEgdG9rZW4.bm90IGEgdG9rZW4"
    in_task(lambda: rows(connect(sandbox, pair_store=store)))
    sandbox.expire_access()
    in_task(lambda: rows(connect(sandbox, pair_store=store)))
    assert len(sandbox.tokens_ever_issued) == 5
    for token in sandbox.tokens_ever_issued:
        assert masked(f"a token: {token}!") == "a token: ***!"
    assert canary in masked(canary), "not everything is masked"


def test_a_token_that_was_read_from_the_store_is_masked(
    sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]
) -> None:
    in_task(lambda: rows(hook_of(sandbox, connect)))
    forget_secrets()
    token = sandbox.tokens_ever_issued[-1]
    assert token in masked(token)
    new_process()
    in_task(lambda: rows(hook_of(sandbox, connect)))
    assert [one for one in sandbox.tokens_ever_issued if one in masked(one)] == []


def test_an_authorization_token_is_masked_without_bearer_too(sandbox: Sandbox, connect: Connect) -> None:
    forget_secrets()
    password = f"Bearer {sandbox.authorization_token}"
    assert rows(connect(sandbox, connection={"password": password}))
    assert masked(sandbox.authorization_token) == "***"
