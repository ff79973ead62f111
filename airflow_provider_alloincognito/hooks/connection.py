"""A Connection of the type ``alloincognito`` becomes settings and an authorization token."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_alloincognito.api.settings import Settings, read_settings, server_url
from airflow_provider_alloincognito.errors import AlloincognitoAuthError, AlloincognitoSettingsError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

# As in the header that the token is sent with; people copy it along.
BEARER = re.compile(r"^bearer(?:\s+|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Access:
    """
    What a client needs.

    :param settings: the server's.
    :param authorization_token: stripped.
    """

    settings: Settings
    authorization_token: str = field(repr=False)


def read_connection(connection: Connection, extra: Mapping[str, Any] | None = None) -> Access:
    """
    Read a Connection.

    :param connection: of the type ``alloincognito``.
    :param extra: its extras, where they had to be read in another way (triggers).
    :raises AlloincognitoSettingsError: if its host or an extra cannot be used.
    :raises AlloincognitoAuthError: if it has no password.
    """
    server = server_url(connection.host, connection.port, connection.schema)
    settings = read_settings(server, connection.extra_dejson if extra is None else extra)
    if isinstance(settings.verify, str) and not os.path.exists(settings.verify):
        raise AlloincognitoSettingsError(
            f"Setting verify names a CA bundle that is not there on this machine: {settings.verify!r}."
        )
    token = BEARER.sub("", (connection.password or "").strip())
    mask_secret(token)  # Airflow knows the password as it stands in the Connection
    if not token:
        raise AlloincognitoAuthError(
            f"The Connection {connection.conn_id!r} has no password. Its password is the authorization token, made in "
            "the personal account (menu 'Виртуальная АТС', section 'Интеграционные API', button 'получить "
            "authorization token')."
        )
    if not all("!" <= character <= "~" for character in token):
        raise AlloincognitoAuthError(
            f"The password of the Connection {connection.conn_id!r} holds a blank, a line break or a letter that no "
            "token has, so it is not the authorization token alone. Copy the token again."
        )
    return Access(settings, token)
