"""
The Connection with the proposed settings: shown, written to a file, or saved by Airflow's own command line.

What is shown has a placeholder for the authorization token. The token is only in files that their owner alone can read,
and never in the arguments of a process, which every user of a machine can see.
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api.settings import server_url
from airflow_provider_alloincognito.cli.airflow_command import database_problem, run_airflow
from airflow_provider_alloincognito.cli.writing.files import SECRET, write_whole
from airflow_provider_alloincognito.errors import AlloincognitoSettingsError, AlloincognitoSetupError
from airflow_provider_alloincognito.get_provider_info import CONNECTION_SECTIONS
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Connection

CONN_TYPE = "alloincognito"
OF_THE_API = {name for section in ("Calls", "Paths", "Responses") for name in CONNECTION_SECTIONS[section]}
"""The settings that describe a server's API."""
PLACEHOLDER = "AUTHORIZATION_TOKEN"
"""Stands for the token in what is shown."""
TOKEN_VARIABLE = "ALLOINCOGNITO_TOKEN"
"""The environment variable with the token, for the line that adds the Connection."""


@dataclass(frozen=True)
class ConnectionDraft:
    """
    A Connection as it is to be.

    :param conn_id: its id.
    :param host: the server.
    :param port: its port, unless the host contains it.
    :param schema: ``http`` or ``https``, unless the host contains it.
    :param login: as the Connection had it; not used.
    :param password: the authorization token.
    :param description: as the Connection had it.
    :param extra: its settings.
    :param dropped: the names of those that it had for another server.
    """

    conn_id: str
    host: str | None = None
    port: int | None = None
    schema: str | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    description: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, connection: Connection) -> ConnectionDraft:
        """Return a Connection of Airflow as it is."""
        return cls(
            conn_id=connection.conn_id,
            host=connection.host,
            port=connection.port,
            schema=connection.schema,
            login=connection.login,
            password=connection.password,
            description=connection.description,
            extra=connection.extra_dejson,
        )

    def with_settings(self, extra: Mapping[str, Any]) -> ConnectionDraft:
        """
        Return it with other settings; those that are not named stay.

        :param extra: names and values; None removes a setting.
        """
        merged = {**self.extra, **extra}
        return replace(self, extra={name: _as_extra(value) for name, value in merged.items() if value is not None})

    def has_setting(self, name: str, value: Any) -> bool:
        """Return whether a setting has this value, be it an object or its JSON; None: whether it is not there."""
        return bool(_from_extra(self.extra.get(name)) == _from_extra(value))

    def moved_to(self, host: str, password: str) -> ConnectionDraft:
        """
        Return the Connection to a host. Settings that describe the API of another server are dropped.

        :param host: the new one.
        :param password: its authorization token.
        """
        dropped = () if self._is_at(host) else tuple(name for name in self.extra if name in OF_THE_API)
        extra = {name: value for name, value in self.extra.items() if name not in dropped}
        return replace(self, host=host, port=None, schema=None, password=password, extra=extra, dropped=dropped)

    def _is_at(self, host: str) -> bool:
        try:
            return server_url(self.host, self.port, self.schema) == server_url(host)
        except AlloincognitoSettingsError:
            return False

    @property
    def _shown(self) -> ConnectionDraft:
        return replace(self, password=PLACEHOLDER)

    def _values(self) -> dict[str, Any]:
        """Return what is not empty, as ``airflow connections import`` takes it."""
        values = {
            "conn_type": CONN_TYPE,
            "description": self.description,
            "host": self.host,
            "port": self.port,
            "schema": self.schema,
            "login": self.login,
            "password": self.password,
            "extra": dict(self.extra),
        }
        return {name: value for name, value in values.items() if value not in (None, "", {})}

    def as_json(self) -> str:
        """Return a JSON document for ``airflow connections import``, with a placeholder for the token."""
        return json.dumps({self.conn_id: self._shown._values()}, ensure_ascii=False, indent=2)

    def as_uri(self) -> str:
        """Return the URI, as ``AIRFLOW_CONN_...`` takes it, with a placeholder for the token."""
        from airflow_provider_alloincognito.compat import Connection

        values = {**self._shown._values(), "extra": json.dumps(dict(self.extra)) if self.extra else None}
        values.pop("description", None)
        return str(Connection(conn_id=self.conn_id, **values).get_uri())

    def as_add_command(self) -> str:
        """Return a line for a shell that adds the Connection, with the token from an environment variable."""
        values = self._values()
        options = {
            "--conn-type": CONN_TYPE,
            "--conn-description": values.get("description"),
            "--conn-host": values.get("host"),
            "--conn-port": values.get("port"),
            "--conn-schema": values.get("schema"),
            "--conn-login": values.get("login"),
            "--conn-extra": json.dumps(values["extra"], ensure_ascii=False) if "extra" in values else None,
        }
        words = ["airflow", "connections", "add", self.conn_id]
        for option, value in options.items():
            words += [option, str(value)] if value is not None else []
        return f'{shlex.join(words)} --conn-password "${TOKEN_VARIABLE}"'

    def write(self, path: Path) -> None:
        """
        Write it with its token to a JSON file for ``airflow connections import``, which its owner alone can read.

        :param path: the file; other Connections in it stay.
        :raises AlloincognitoSetupError: if it cannot be written, or holds something else.
        """
        write_whole(path, _document({**_connections_in(path), self.conn_id: self._values()}), SECRET)

    def save(self) -> None:
        """
        Save it in Airflow's database, with ``airflow connections import``.

        :raises AlloincognitoSetupError: if Airflow does not save it, or would not use what is saved.
        """
        variable = f"AIRFLOW_CONN_{self.conn_id.upper()}"
        if variable in os.environ:
            raise AlloincognitoSetupError(
                f"The Connection {self.conn_id!r} comes from the environment variable {variable}, which hides what is "
                "saved in Airflow's database. Set the variable to what --connection uri prints, with the token in "
                f"place of {PLACEHOLDER}, everywhere that Airflow runs; or remove it, and write again."
            )
        with tempfile.TemporaryDirectory(prefix="alloincognito-") as folder:
            file = Path(folder, "connection.json")
            write_whole(file, _document({self.conn_id: self._values()}), SECRET)
            said = _import(file)
        if f"Imported connection {self.conn_id}" not in said:
            *_, last = ("", *said.strip().splitlines())
            why = database_problem() or f"It says: {scrub(last, [self.password or '']) or 'nothing'}."
            raise AlloincognitoSetupError(
                f"Airflow did not save the Connection. {why} Or write the Connection to a file with --connection FILE, "
                "and import it where Airflow runs: airflow connections import FILE --overwrite."
            )


def _as_extra(value: Any) -> Any:
    """
    Return a setting as it is saved: an object as JSON.

    In an object, Airflow would take what is under names such as ``accessToken`` for secrets.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, dict) else value


def _from_extra(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _import(file: Path) -> str:
    """Return what Airflow's command line says, errors last."""
    outcome = run_airflow("connections", "import", str(file), "--overwrite")
    return f"{outcome.stdout}\n{outcome.stderr}" if outcome.returncode else outcome.stdout


def _connections_in(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.expanduser().read_bytes() or b"{}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise AlloincognitoSetupError(
            f"{path} is there already and is not a JSON file of Connections, so it was not overwritten. Name another "
            "file, or remove it."
        )
    return found


def _document(connections: Mapping[str, Any]) -> bytes:
    return json.dumps(connections, ensure_ascii=False, indent=2).encode() + b"\n"
