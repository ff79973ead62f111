"""Entries of a shared store: their keys give nothing away, and neither do their values, nor the logs."""

from __future__ import annotations

import base64
import hashlib

from airflow.providers.common.compat.sdk import mask_secret
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.errors import AlloincognitoShadowedTokenStoreError

PURPOSE = b"airflow-provider-alloincognito token store 1"


class Seal:
    """
    Encrypts with a key derived from the authorization token, so that whoever lacks it reads nothing, whatever
    Airflow's Fernet key is.

    :param server: the canonical server.
    :param authorization_token: stripped.
    """

    def __init__(self, server: str, authorization_token: str) -> None:
        derived = HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(authorization_token.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))
        self.digest = hashlib.sha256(f"{server}\0{authorization_token}".encode()).hexdigest()[:32]

    def close(self, content: bytes) -> str:
        """Encrypt."""
        return self._fernet.encrypt(content).decode()

    def open(self, sealed: str, key: str) -> bytes:
        """
        Decrypt the value of the entry ``key``.

        :raises AlloincognitoShadowedTokenStoreError: if it is not one of ours.
        """
        try:
            return self._fernet.decrypt(sealed.encode())
        except InvalidToken:
            raise AlloincognitoShadowedTokenStoreError(
                f"The entry {key!r} of the token store holds something that this provider did not write there. Remove "
                "it; if it comes back, an environment variable or a secrets backend provides it."
            ) from None

    def close_pair(self, pair: TokenPair) -> str:
        """Encrypt a pair, and have its tokens masked in logs from now on."""
        mask_pair(pair)
        return self.close(pair.to_json())

    def open_pair(self, sealed: str, key: str) -> TokenPair:
        """Decrypt the pair in the entry ``key``, and have its tokens masked in logs from now on."""
        pair = TokenPair.from_json(self.open(sealed, key))
        mask_pair(pair)
        return pair


def mask_pair(pair: TokenPair) -> None:
    """Have Airflow mask a pair's tokens, wherever they should appear."""
    mask_secret(pair.access_token)
    mask_secret(pair.refresh_token)
