"""The token pair of commands: the stored one; or one that is made, where tasks find it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from canary import assert_no_leak
from task_runs import in_task

from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.cli.pairs import CommandVariableTokenStore
from airflow_provider_alloincognito.compat import TASKS_ALONE_SET_VARIABLES, outside_a_task
from airflow_provider_alloincognito.hooks.variable_store import VariableTokenStore
from airflow_provider_alloincognito.sandbox import Sandbox

Cli = Callable[..., Any]
DAY = ("--period-start", "2025-06-02", "--period-end", "2025-06-03")


@pytest.fixture(autouse=True)
def no_fernet_key(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give processes that are started the Fernet key of this one, which has no airflow.cfg."""
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "")


@pytest.mark.skipif(not TASKS_ALONE_SET_VARIABLES, reason="Airflow 2 sets Variables anywhere")
def test_what_airflows_command_line_stores_is_found_by_tasks() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    pair = TokenPair("an-access-token", now + timedelta(days=1), "a-refresh-token", now + timedelta(days=1), now)
    CommandVariableTokenStore("http://server:1", "token").save(pair)
    assert in_task(VariableTokenStore("http://server:1", "token").load) == pair
    with outside_a_task():
        assert VariableTokenStore("http://server:1", "token").load() == pair


@pytest.mark.long
@pytest.mark.cli
def test_a_pair_is_made_where_tasks_find_it_and_used_by_the_next_command(
    cli: Cli, sandbox: Sandbox, connect: Callable[..., None]
) -> None:
    connect(sandbox, pair_store="variable")
    ran = cli("check", "--make-pair", "-o", "json")
    assert ran.code == 0
    assert "made and stored a token pair" in ran.finding("Token pair")
    kept = in_task(VariableTokenStore(sandbox.url, sandbox.authorization_token).load)
    assert kept.access_token in sandbox.tokens_ever_issued
    assert [one.by for one in sandbox.rotations] == ["create"]
    calls = cli("calls", *DAY, "-o", "json")
    assert calls.document["ok"]
    assert [one.by for one in sandbox.rotations] == ["create"]
    assert_no_leak(sandbox, "2025-06-02", "2025-06-03", ran.out, ran.err, calls.out, calls.err)
