"""The pair in Airflow's Variables: what is stored, what stands in the way, and how often pairs are made."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from masking import forget_secrets, masked
from task_runs import in_task

from airflow_provider_alloincognito.errors import (
    AlloincognitoAuthError,
    AlloincognitoShadowedTokenStoreError,
    AlloincognitoTokenStoreError,
)
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.variable_store import VariableTokenStore
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


def stored() -> dict[str, tuple[str, str]]:
    """All Variables: key to (what the database holds, what Airflow decrypts of it)."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        return {one.key: (one._val, one.val) for one in session.query(Variable)}


def rows(hook: AlloincognitoHook) -> list[dict[str, Any]]:
    with hook.get_call_list(START, END) as calls:
        return [row for batch in calls for row in batch]


def tokens(sandbox: Sandbox) -> tuple[int, int]:
    counted = sandbox.count("create"), sandbox.count("refresh")
    sandbox.clear_log()
    return counted


def hook_of(sandbox: Sandbox, connect: Connect, **extra: Any) -> AlloincognitoHook:
    return connect(sandbox, token_store="variable", **extra)


def test_the_first_run_ever_makes_one_pair_and_later_ones_none(
    sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]
) -> None:
    for create in (1, 0, 0):
        new_process()
        assert in_task(lambda: rows(hook_of(sandbox, connect))) == sandbox.truth(START, END)
        assert tokens(sandbox) == (create, 0)


def test_what_is_stored_gives_nothing_away(sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]) -> None:
    in_task(lambda: rows(hook_of(sandbox, connect)))
    sandbox.expire_access()
    new_process()
    in_task(lambda: rows(hook_of(sandbox, connect)))
    assert tokens(sandbox) == (1, 1)
    variables = stored()
    (key,) = [key for key in variables if "_pair_" in key]
    assert "token" in key
    digits = re.fullmatch(r"alloincognito_token_pair_([0-9a-f]{32})", key)
    assert digits
    secrets = [part for token in sandbox.tokens_ever_issued for part in (token, *token.split("."))]
    assert len(sandbox.tokens_ever_issued) == 5
    for name, values in variables.items():
        for text in (name, *values):
            assert not [secret for secret in secrets if secret in text]
            assert "127.0.0.1" not in text
            assert "access_token" not in text


def test_the_pair_is_read_back_by_whoever_has_the_authorization_token(
    sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]
) -> None:
    in_task(lambda: rows(hook_of(sandbox, connect)))
    stand, token = sandbox.url, sandbox.authorization_token
    pair = in_task(VariableTokenStore(stand, token).load)
    assert {pair.access_token, pair.refresh_token} <= set(sandbox.tokens_ever_issued)
    assert in_task(VariableTokenStore(stand, token + "x").load) is None
    assert in_task(VariableTokenStore("http://elsewhere:80", token).load) is None


def test_claims_are_gone_when_all_is_done(sandbox: Sandbox, connect: Connect) -> None:
    def ask_twice() -> None:
        hook = hook_of(sandbox, connect)
        rows(hook)
        rows(hook)

    in_task(ask_twice)
    assert len(stored()) == 1


def test_an_ageing_pair_costs_one_refresh(sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]) -> None:
    in_task(lambda: rows(hook_of(sandbox, connect)))
    new_process()
    in_task(lambda: [rows(hook) for hook in [hook_of(sandbox, connect, refresh_before_expiry=86_400)] for _ in "123"])
    assert tokens(sandbox) == (1, 1)


def test_a_stand_that_refuses_early_costs_one_good_refresh_after_the_end(
    start_sandbox: Callable[..., Sandbox], connect: Connect, new_process: Callable[[], None]
) -> None:
    sandbox = start_sandbox(early_refresh="refused")
    in_task(lambda: rows(hook_of(sandbox, connect)))
    new_process()
    assert in_task(lambda: rows(hook_of(sandbox, connect, refresh_before_expiry=86_400)))
    sandbox.expire_access()
    assert in_task(lambda: rows(hook_of(sandbox, connect, refresh_before_expiry=86_400)))
    assert [one.by for one in sandbox.rotations] == ["create", "refresh"]


def test_a_dead_pair_costs_one_create(sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]) -> None:
    in_task(lambda: rows(hook_of(sandbox, connect)))
    sandbox.expire_pair()
    new_process()
    assert in_task(lambda: rows(hook_of(sandbox, connect))) == sandbox.truth(START, END)
    assert [one.by for one in sandbox.rotations] == ["create", "create"]


def test_a_pair_that_somebody_else_stored_is_taken(
    sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]
) -> None:
    def two_processes() -> None:
        ours = hook_of(sandbox, connect)
        rows(ours)
        sandbox.expire_access()
        new_process()
        rows(hook_of(sandbox, connect))  # another worker's: it refreshes
        assert tokens(sandbox) == (1, 1)
        rows(ours)

    in_task(two_processes)
    assert tokens(sandbox) == (0, 0)


def test_a_rejected_authorization_token_is_one_attempt_and_names_the_connection(
    start_sandbox: Callable[..., Sandbox], connect: Connect
) -> None:
    sandbox = start_sandbox()
    connect(sandbox, "my_stand", token_store="variable", connection={"password": "a.wrong.token"})
    with pytest.raises(AlloincognitoAuthError, match=r"'my_stand'.*personal account"):
        in_task(lambda: rows(AlloincognitoHook("my_stand")))
    assert tokens(sandbox) == (1, 0)
    assert sandbox.rotations == []


# What stands in the way


def pair_key(sandbox: Sandbox) -> str:
    return VariableTokenStore(sandbox.url, sandbox.authorization_token)._pair_key


def test_an_environment_variable_in_the_way_is_named_before_anything_is_made(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow = f"AIRFLOW_VAR_{pair_key(sandbox).upper()}"
    monkeypatch.setenv(shadow, "anything")
    with pytest.raises(AlloincognitoShadowedTokenStoreError, match=shadow):
        in_task(lambda: rows(hook_of(sandbox, connect)))
    assert sandbox.requests == []


def test_an_entry_that_cannot_be_deciphered_is_named_before_anything_is_made(
    sandbox: Sandbox, connect: Connect
) -> None:
    from airflow.providers.common.compat.sdk import Variable

    key = pair_key(sandbox)
    in_task(lambda: Variable.set(key, "somebody's own text"))
    with pytest.raises(AlloincognitoShadowedTokenStoreError, match=key) as caught:
        in_task(lambda: rows(hook_of(sandbox, connect)))
    assert "somebody" not in str(caught.value)
    assert sandbox.requests == []
    in_task(lambda: Variable.delete(key))
    assert in_task(lambda: rows(hook_of(sandbox, connect)))


def test_where_variables_cannot_be_saved_no_pair_is_made(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if not AIRFLOW_V_3_0_PLUS:
        pytest.skip("2.11 saves Variables anywhere")
    monkeypatch.setattr("airflow_provider_alloincognito.api.tokens.steps.LONGEST_WAIT", 1.0)
    with pytest.raises(AlloincognitoTokenStoreError, match="tasks and triggers"):
        rows(hook_of(sandbox, connect))
    assert sandbox.requests == []


def test_the_memory_store_warns(sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert rows(connect(sandbox, token_store="memory")) == sandbox.truth(START, END)
        rows(connect(sandbox, token_store="memory"))
    assert caplog.text.count("shares its pair with nobody") == 1
    assert stored() == {}


# Masking


@pytest.mark.parametrize("store", ["variable", "memory"])
def test_every_token_is_masked_in_logs(
    store: str, sandbox: Sandbox, connect: Connect, new_process: Callable[[], None]
) -> None:
    canary = "eyJhbGciOiJIUzI1NiJ9.bm90IGEgdG9rZW4.bm90IGEgdG9rZW4"
    in_task(lambda: rows(connect(sandbox, token_store=store)))
    sandbox.expire_access()
    in_task(lambda: rows(connect(sandbox, token_store=store)))
    assert len(sandbox.tokens_ever_issued) == 5
    for token in sandbox.tokens_ever_issued:
        assert masked(f"a token: {token}!") == "a token: ***!"
    assert canary in masked(canary), "the masker does not mask everything"


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


def test_an_authorization_token_is_masked_without_the_word_before_it_too(sandbox: Sandbox, connect: Connect) -> None:
    forget_secrets()
    password = f"Bearer {sandbox.authorization_token}"
    assert rows(connect(sandbox, connection={"password": password}))
    assert masked(sandbox.authorization_token) == "***"
