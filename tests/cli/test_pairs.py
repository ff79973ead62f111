"""What Airflow's own command line stores is where tasks look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from task_runs import in_task

from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.cli.pairs import CommandVariableTokenStore
from airflow_provider_alloincognito.compat import TASKS_ALONE_SET_VARIABLES, outside_a_task
from airflow_provider_alloincognito.hooks.variable_store import VariableTokenStore


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.skipif(not TASKS_ALONE_SET_VARIABLES, reason="Airflow 2 sets Variables anywhere")
def test_what_airflows_command_line_stores_is_found_by_tasks() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    pair = TokenPair("an-access-token", now + timedelta(days=1), "a-refresh-token", now + timedelta(days=1), now)
    CommandVariableTokenStore("http://server:1", "token").save(pair)
    assert in_task(VariableTokenStore("http://server:1", "token").load) == pair
    with outside_a_task():
        assert VariableTokenStore("http://server:1", "token").load() == pair
