"""Entries of a shared store: their keys give nothing away, and neither do their values."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from airflow_provider_alloincognito.api.errors import AlloincognitoShadowedStoreError

PURPOSE = b"airflow-provider-alloincognito token store 1"


class Seal:
    """
    Encrypts with a key derived from the authorization token, so that whoever lacks it reads nothing, whatever
    Airflow's Fernet key is.

    :param stand: the canonical stand.
    :param authorization_token: stripped.
    """

    def __init__(self, stand: str, authorization_token: str) -> None:
        derived = HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(authorization_token.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))
        self.digest = hashlib.sha256(f"{stand}\0{authorization_token}".encode()).hexdigest()[:32]

    def close(self, content: bytes) -> str:
        """Encrypt."""
        return self._fernet.encrypt(content).decode()

    def open(self, sealed: str, key: str) -> bytes:
        """
        Decrypt the value of the entry ``key``.

        :raises AlloincognitoShadowedStoreError: if it is not one of ours.
        """
        try:
            return self._fernet.decrypt(sealed.encode())
        except InvalidToken:
            raise AlloincognitoShadowedStoreError(
                f"The entry {key!r} of the token store holds something that this provider did not write there. Remove "
                "it; if it comes back, an environment variable or a secrets backend provides it."
            ) from None
