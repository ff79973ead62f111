"""Where the token pair is kept for a whole deployment, by the Connection's setting ``token_store``."""

from __future__ import annotations

import logging

from airflow_provider_alloincognito.api.settings import AlloincognitoSettingsError
from airflow_provider_alloincognito.api.token_pair import TokenPair
from airflow_provider_alloincognito.api.token_store import MemoryTokenStore, TokenStore
from airflow_provider_alloincognito.hooks.token_store.sealing import mask_pair

log = logging.getLogger(__name__)

REDIS = "redis://"


class MaskedMemoryTokenStore(MemoryTokenStore):
    """Shares nothing beyond the process; has Airflow mask what it keeps."""

    def save(self, pair: TokenPair) -> None:
        """Keep ``pair`` as long as the process lives."""
        mask_pair(pair)
        super().save(pair)


def token_store_for(name: str, stand: str, authorization_token: str) -> TokenStore:
    """
    Open the store that a setting names.

    :param name: ``variable``, ``redis://<conn id>`` or ``memory``.
    :param stand: the canonical stand; with the authorization token, the key of the pair.
    :param authorization_token: also what the entries are encrypted with.
    :raises AlloincognitoSettingsError: if there is no such store.
    """
    if name == "variable":
        from airflow_provider_alloincognito.hooks.token_store.variable import VariableTokenStore

        return VariableTokenStore(stand, authorization_token)
    if name.startswith(REDIS) and name != REDIS:
        from airflow_provider_alloincognito.hooks.token_store.redis import RedisTokenStore

        return RedisTokenStore(name.removeprefix(REDIS).rstrip("/"), stand, authorization_token)
    if name == "memory":
        log.warning(
            "The token store 'memory' shares its pair with nobody: each process that uses it cuts off all others with "
            "the same authorization token. It is for scripts and tests"
        )
        return MaskedMemoryTokenStore()
    raise AlloincognitoSettingsError(
        f"Setting token_store is {name!r}; allowed are 'variable', 'redis://<connection id>' and 'memory'."
    )
