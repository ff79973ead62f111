"""Read the secret key of digests, from an Airflow Variable or a Connection."""

from __future__ import annotations

from airflow_provider_alloincognito.compat import AirflowNotFoundException, BaseHook, mask_secret, variable_or_none
from airflow_provider_alloincognito.errors import (
    AlloincognitoQueryError,
    AlloincognitoSecretsBackendError,
    AlloincognitoSettingsError,
)
from airflow_provider_alloincognito.hooks.connection import has_secrets_backend
from airflow_provider_alloincognito.scrubbing import scrub, without_locals

SHORTEST_KEY = 16
COMMAND = "`airflow variables set alloincognito_digest_secret $(openssl rand -hex 32)`"


@without_locals()
def read_digest_key(reference: str) -> bytes:
    """
    Return a key, as the UTF-8 bytes of its text without spaces around it. Airflow masks it in logs from then on.

    :param reference: ``variable://<name of a Variable>``, or ``connection://<id of a Connection>`` for its password.
        Airflow's UI shows Variables in clear unless their names have a word for secrets in them: ``secret`` is one,
        ``key`` alone is not.
    :raises AlloincognitoQueryError: if it is not such a reference.
    :raises AlloincognitoSettingsError: if there is no key, or it is shorter than 16 characters.
    :raises AlloincognitoSecretsBackendError: if there is none, but Airflow may not have been able to ask for it.
    """
    kind, separator, name = reference.partition("://") if isinstance(reference, str) else ("", "", "")
    if kind not in ("variable", "connection") or not separator or not name:
        raise AlloincognitoQueryError(
            "digest_key does not say where the key is. It must be variable://<name of a Variable>, or "
            "connection://<id of a Connection> for its password, and never the key itself, which Airflow would show. "
            f"(Therefore the value is not shown here.) To make and keep one: {COMMAND}."
        )
    found = variable_or_none(name) if kind == "variable" else _password(name)
    place = f"Variable {scrub(name)!r}" if kind == "variable" else f"password of the Connection {scrub(name)!r}"
    key = (found or "").strip()
    if key:
        mask_secret(key)
    if found is None and has_secrets_backend():
        raise AlloincognitoSecretsBackendError(
            f"The key of digests was not found in the {place}, or Airflow's secrets backend cannot be reached: Airflow "
            f"does not say which. Retry later, or correct digest_key. To make and keep one: {COMMAND}."
        )
    if len(key) < SHORTEST_KEY:
        what = f"has only {len(key)} characters" if key else "is empty" if found is not None else "is missing"
        raise AlloincognitoSettingsError(
            f"The key of digests, the {place}, {what}; it needs at least {SHORTEST_KEY}, since whoever guesses it can "
            f"tell every number. To make and keep one: {COMMAND}. With another key each number has another digest."
        )
    return key.encode()


def _password(conn_id: str) -> str | None:
    try:
        return BaseHook.get_connection(conn_id).password or ""
    except AirflowNotFoundException:
        return None
