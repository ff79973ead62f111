"""A pair that a command makes is where tasks and other commands find it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from canary import assert_no_leak
from task_runs import in_task

from airflow_provider_alloincognito.hooks.variable_store import VariableTokenStore
from airflow_provider_alloincognito.sandbox import Sandbox

DAY = ("--period-start", "2025-06-02", "--period-end", "2025-06-03")


@pytest.mark.usefixtures("airflow_database")
def test_a_pair_is_made_where_tasks_find_it(
    cli: Callable[..., Any], sandbox: Sandbox, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_alloincognito.cli.pairs.COMMAND_SECONDS", 0.3)
    connect(sandbox, pair_store="variable", pair_store_seconds=0.3, pair_request_seconds=1.0)
    without = cli("calls", *DAY, "-o", "json")
    assert without.code == 1
    assert sandbox.rotations == []
    ran = cli("check", "--make-pair", "-o", "json", "-v")
    assert ran.code == 0
    assert "made and stored a token pair" in ran.finding("Token pair")
    kept = in_task(VariableTokenStore(sandbox.url, sandbox.authorization_token).load)
    assert kept.access_token in sandbox.tokens_ever_issued
    again = cli("calls", *DAY, "-o", "json")
    assert again.code == 0
    assert [one.by for one in sandbox.rotations] == ["create"]
    outputs = [text for one in (without, ran, again) for text in (one.out, one.err)]
    assert_no_leak(sandbox, "2025-06-02", "2025-06-03", *outputs)
