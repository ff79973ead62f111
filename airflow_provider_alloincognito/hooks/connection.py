"""A Connection of the type ``alloincognito``: what it says, and the form that asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api.errors import AlloincognitoAuthError
from airflow_provider_alloincognito.api.settings import Settings, canonical_stand, read_settings

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection


@dataclass(frozen=True)
class Access:
    """
    What a client needs.

    :param settings: the stand's.
    :param authorization_token: stripped.
    """

    settings: Settings
    authorization_token: str = field(repr=False)


def read_connection(connection: Connection) -> Access:
    """
    Read a Connection.

    :raises AlloincognitoSettingsError: if its host or an extra cannot be used.
    :raises AlloincognitoAuthError: if it has no password.
    """
    extra: dict[str, Any] = dict(connection.extra_dejson)
    stand = canonical_stand(connection.host, connection.port, connection.schema)
    settings = read_settings(stand, extra)
    token = (connection.password or "").strip()
    token = token.removeprefix("Bearer ").strip()
    if not token:
        raise AlloincognitoAuthError(
            f"The Connection {connection.conn_id!r} has no password. Its password is the authorization token, made in "
            "the personal account (menu 'Виртуальная АТС', section 'Интеграционные API', button 'получить "
            "authorization token')."
        )
    return Access(settings, token)
