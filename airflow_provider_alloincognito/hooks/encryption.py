"""Encrypt what a shared token store holds, and keep tokens out of the logs."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.compat import mask_secret
from airflow_provider_alloincognito.errors import AlloincognitoShadowedTokenStoreError

PURPOSE = b"airflow-provider-alloincognito token store 1"


class Seal:
    """
    Encrypts with a key derived from the authorization token, whatever Airflow's Fernet key is.

    Without that token nobody can read the entries, and ``digest``, which goes into their keys, tells nothing of it.

    :param server: scheme, lower-case host and port, as in :class:`Settings`.
    :param authorization_token: without spaces around it.
    :param masks: whether to have Airflow mask the tokens of all pairs, see :func:`mask_pair`.
    """

    def __init__(self, server: str, authorization_token: str, *, masks: bool = True) -> None:
        self._masks = masks
        derived = HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(authorization_token.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))
        self.digest = hashlib.sha256(f"{server}\0{authorization_token}".encode()).hexdigest()[:32]

    def encrypt(self, content: bytes) -> str:
        """Return ``content`` encrypted."""
        return self._fernet.encrypt(content).decode()

    def decrypt(self, sealed: str, key: str) -> bytes:
        """
        Return the value of the entry ``key`` decrypted.

        :raises AlloincognitoShadowedTokenStoreError: if this provider did not write it.
        """
        try:
            return self._fernet.decrypt(sealed.encode())
        except InvalidToken:
            raise AlloincognitoShadowedTokenStoreError(
                f"The entry {key!r} of the token store has a value that this provider did not write, so the token pair "
                "cannot be read. Remove it; if it comes back, an environment variable or a secrets backend provides it."
            ) from None

    def encrypt_pair(self, pair: TokenPair) -> str:
        """Return a pair encrypted."""
        if self._masks:
            mask_pair(pair)
        return self.encrypt(pair.to_json())

    def decrypt_pair(self, sealed: str, key: str) -> TokenPair:
        """Return the pair in the entry ``key`` decrypted."""
        pair = TokenPair.from_json(self.decrypt(sealed, key))
        if self._masks:
            mask_pair(pair)
        return pair


def mask_pair(pair: TokenPair) -> None:
    """
    Have Airflow mask a pair's tokens in its logs from now on. For processes that end with their task.

    Airflow forgets no secret, and makes one regular expression of them all with each new one: in a triggerer, a hundred
    pairs take hundreds of megabytes.
    """
    mask_secret(pair.access_token)
    mask_secret(pair.refresh_token)
