"""
The token pair that a command uses: the stored one, which tasks use as well.

A command makes or renews no pair, which would invalidate the one of running tasks, unless it is told to
(``--make-pair``). Then it does so as a task does, and stores the pair where tasks find it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.stored_pair import StoredPairKeeper
from airflow_provider_alloincognito.api.tokens.stores import LockingTokenStore
from airflow_provider_alloincognito.cli.airflow_command import database_problem, run_airflow
from airflow_provider_alloincognito.compat import TASKS_ALONE_SET_VARIABLES
from airflow_provider_alloincognito.errors import AlloincognitoTokenStoreError
from airflow_provider_alloincognito.hooks.shared import share_pair, token_store_for
from airflow_provider_alloincognito.hooks.variable_store import DESCRIPTION, VariableTokenStore

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.hooks.connection import Access

COMMAND_SECONDS = 3.0
"""What Airflow's command line may take to set a Variable; the setting ``pair_store_seconds`` while it is used."""


def use_pair(access: Access, output: Output, *, makes_pair: bool) -> Access:
    """
    Have the hooks and the checks of this process use the stored pair, and a command's output hide its tokens.

    Return what they need instead of ``access``: a store may be slower from here than from a task.

    :param access: the Connection's.
    :param output: the command's.
    :param makes_pair: whether a pair may be made, and replaced, where the stored one is not accepted.
    """
    settings, token = access.settings, access.authorization_token
    store = token_store_for(settings.pair_store, settings.server, token)
    if isinstance(store, VariableTokenStore) and TASKS_ALONE_SET_VARIABLES:
        store = CommandVariableTokenStore(settings.server, token)
        settings = settings.replace(pair_store_seconds=max(settings.pair_store_seconds, COMMAND_SECONDS))
    kind = PairKeeper if makes_pair else StoredPairKeeper
    keeper = kind(settings, token, locking=isinstance(store, LockingTokenStore))
    output.hide_all_of(lambda: keeper.secrets)
    share_pair(settings, token, store, keeper)
    return replace(access, settings=settings)


class CommandVariableTokenStore(VariableTokenStore):
    """
    Sets Variables by Airflow's own command line, for programs outside a task of Airflow 3.

    The values, which are encrypted, pass through a file that only its owner can read.
    """

    def drop_claim(self, pair_id: str) -> None:
        """Remove the claim on a pair that has been replaced."""
        _run("variables", "delete", self._claim_key(pair_id))

    def _write(self, key: str, sealed: str) -> None:
        with NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({key: {"value": sealed, "description": DESCRIPTION}}, file)
            file.flush()
            _run("variables", "import", file.name)


def _run(*arguments: str) -> None:
    outcome = run_airflow(*arguments)
    if outcome.returncode != 0 or "failed" in outcome.stdout:  # an import that fails ends with 0
        why = database_problem() or f"'airflow {arguments[0]} {arguments[1]}' failed."
        raise AlloincognitoTokenStoreError(
            f"The Airflow Variable that keeps the token pair could not be set. {why} Try again with -v, or keep the "
            "pair in Redis (pair_store)."
        )
