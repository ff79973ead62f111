"""Keep the token pair in Airflow Variables: all workers and the triggerer have them, without any installation."""

from __future__ import annotations

import os

from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.compat import Variable, variable_or_none
from airflow_provider_alloincognito.errors import AlloincognitoShadowedTokenStoreError, AlloincognitoTokenStoreError
from airflow_provider_alloincognito.hooks.encryption import Seal

# No word that has Airflow mask the values: they are encrypted, and the API server would never forget one of them.
PREFIX = "alloincognito"
DESCRIPTION = "Kept by airflow-provider-alloincognito; encrypted. Safe to delete: costs one new token pair."


class VariableTokenStore:
    """
    A :class:`ClaimingTokenStore`, since Airflow has no lock and no compare-and-swap.

    :param server: scheme, lower-case host and port, as in :class:`Settings`.
    :param authorization_token: without spaces around it.
    :param masks: see :class:`Seal`.
    """

    def __init__(self, server: str, authorization_token: str, *, masks: bool = True) -> None:
        self._seal = Seal(server, authorization_token, masks=masks)
        self._pair_key = f"{PREFIX}_pair_{self._seal.digest}"

    def load(self) -> TokenPair | None:
        """Return the stored pair, or None. In Airflow 3, None may also mean that it could not be read."""
        sealed = self._read(self._pair_key)
        return self._seal.decrypt_pair(sealed, self._pair_key) if sealed is not None else None

    def save(self, pair: TokenPair) -> None:
        """Store ``pair`` in place of the one before."""
        self._write(self._pair_key, self._seal.encrypt_pair(pair))

    def read_claim(self, pair_id: str) -> str | None:
        """Return the nonce of the claim on replacing the pair ``pair_id``, or None."""
        key = self._claim_key(pair_id)
        sealed = self._read(key)
        return self._seal.decrypt(sealed, key).decode() if sealed is not None else None

    def write_claim(self, pair_id: str, nonce: str) -> None:
        """Claim the right to replace the pair ``pair_id``."""
        self._write(self._claim_key(pair_id), self._seal.encrypt(nonce.encode()))

    def drop_claim(self, pair_id: str) -> None:
        """Remove the claim on a pair that has been replaced."""
        try:
            Variable.delete(self._claim_key(pair_id))
        except Exception as error:  # noqa: BLE001 - Airflow has no common base for what a Variable may raise
            raise _store_error("removed", error) from None

    def _claim_key(self, pair_id: str) -> str:
        return f"{PREFIX}_claim_{self._seal.digest}_{pair_id}"

    def _read(self, key: str) -> str | None:
        shadow = f"AIRFLOW_VAR_{key.upper()}"
        if shadow in os.environ:
            raise AlloincognitoShadowedTokenStoreError(
                f"The environment variable {shadow} hides the Airflow Variable that keeps the token pair, so tasks "
                "could not read a new pair. Remove it from the environment of the workers and the triggerer."
            )
        try:
            return variable_or_none(key)
        except Exception as error:  # noqa: BLE001 - Airflow has no common base for what a Variable may raise
            raise _store_error("read", error) from None

    def _write(self, key: str, sealed: str) -> None:
        try:
            Variable.set(key, sealed, description=DESCRIPTION)
        except Exception as error:  # noqa: BLE001 - as above; on 2.11 two writers at once collide
            raise _store_error("written", error) from None


def _store_error(done: str, error: Exception) -> AlloincognitoTokenStoreError:
    return AlloincognitoTokenStoreError(
        f"The Airflow Variable that keeps the token pair could not be {done} ({type(error).__name__}). Check whether "
        "Airflow's API server or database can be reached from here; if the database is new, run 'airflow db migrate' "
        "once. In Airflow 3, only tasks and triggers can use Variables."
    )
