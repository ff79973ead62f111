"""Read settings and authorization token from a Connection of the type ``alloincognito``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api.settings import Settings, read_settings, server_url
from airflow_provider_alloincognito.api.tokens.pair import can_be_token
from airflow_provider_alloincognito.compat import AirflowNotFoundException, BaseHook, conf, mask_secret
from airflow_provider_alloincognito.errors import (
    AlloincognitoAuthError,
    AlloincognitoSecretsBackendError,
    AlloincognitoSettingsError,
)

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Connection

# The word before the token in the HTTP header, which users copy along with it.
BEARER = re.compile(r"^bearer(?:\s+|$)", re.IGNORECASE)
# Airflow 2.11's test button sends each field of the form twice, once with this before its name.
FORM_PREFIX = "extra__alloincognito__"


@dataclass(frozen=True)
class Access:
    """
    What a client needs to use the API.

    :param settings: the Connection's.
    :param authorization_token: without spaces around it.
    """

    settings: Settings
    authorization_token: str = field(repr=False)


def find_connection(conn_id: str) -> Connection:
    """
    Return a Connection by its id.

    :raises AlloincognitoSettingsError: if there is none.
    :raises AlloincognitoSecretsBackendError: if there is none, but Airflow may not have been able to ask for it.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        if has_secrets_backend():
            raise AlloincognitoSecretsBackendError(
                "There is no Connection with this id, or Airflow's secrets backend cannot be reached: Airflow does not "
                "say which. Retry later, or correct the operator's alloincognito_conn_id."
            ) from None
        raise AlloincognitoSettingsError(
            "There is no Connection with this id. Create it with the type AlloIncognito (Admin, Connections), or "
            "correct the operator's alloincognito_conn_id."
        ) from None


def has_secrets_backend() -> bool:
    """Return whether Airflow asks a secrets backend, so that "not found" may mean that it could not be reached."""
    return bool(conf.get("secrets", "backend", fallback=None) or conf.get("workers", "secrets_backend", fallback=None))


def read_connection(connection: Connection, changes: Mapping[str, Any] = MappingProxyType({})) -> Access:
    """
    Read a Connection. Callers use ``without_locals``: a Connection's ``repr`` shows its password.

    Errors do not name the Connection, whose id means nothing in Airflow's connection test: see
    :func:`naming_the_connection`.

    :param connection: of the type ``alloincognito``.
    :param changes: extras in place of its own.
    :raises AlloincognitoSettingsError: if its host or an extra is invalid.
    :raises AlloincognitoAuthError: if its password is missing or cannot be a token.
    """
    server = server_url(connection.host, connection.port, connection.schema)
    settings = read_settings(server, {**_extra(connection), **changes})
    token = BEARER.sub("", (connection.password or "").strip())
    mask_secret(token)  # Airflow masks only the whole password, with "Bearer" and spaces
    if not token:
        raise AlloincognitoAuthError(
            "The Connection has no password. Set it to the authorization token, which is made in the personal account "
            "(menu 'Виртуальная АТС', section 'Интеграционные API', button 'получить authorization token')."
        )
    if not can_be_token(token):
        raise AlloincognitoAuthError(
            "The Connection's password contains a space, a line break or a character that no token has, so it is not "
            "just the authorization token. Copy the token again."
        )
    return Access(settings, token)


@contextmanager
def naming_the_connection(conn_id: str) -> Iterator[None]:
    """
    Begin an error about a Connection with its id, once.

    :param conn_id: the Connection's id.
    """
    name = f"Connection {conn_id!r}: "
    try:
        yield
    except (AlloincognitoAuthError, AlloincognitoSettingsError) as error:
        if str(error).startswith(name):
            raise
        raise type(error)(f"{name}{error}") from None


def _extra(connection: Connection) -> Mapping[str, Any]:
    extra: Any = connection.extra_dejson
    if not isinstance(extra, Mapping):
        raise AlloincognitoSettingsError(
            'The Connection\'s extra is not a JSON object, such as {"timezone": "Europe/Moscow"}.'
        )
    return {name: value for name, value in extra.items() if not name.startswith(FORM_PREFIX)}
