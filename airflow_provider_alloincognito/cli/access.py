"""
The Connection that a command uses: one of Airflow's by its id, or a host and a token.

No token is ever an argument: every user of a machine can read the arguments of its processes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.errors import (
    AlloincognitoQueryError,
    AlloincognitoSecretsBackendError,
    AlloincognitoSettingsError,
)
from airflow_provider_alloincognito.scrubbing import without_locals

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.compat import Connection
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
    from airflow_provider_alloincognito.hooks.connection import Access

DEFAULT_CONN_ID = "alloincognito_default"
TOKEN_VARIABLE = "ALLOINCOGNITO_TOKEN"


class _RefuseToken(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        parser.error(
            "a token must not be an argument, since every user of this machine can read the arguments of its "
            f"processes. Use --token-file, the environment variable {TOKEN_VARIABLE}, or wait for the prompt"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which Connection to use."""
    group = parser.add_argument_group(
        "Connection", "One of Airflow's, or a host with a token. Every setting can be overridden."
    )
    which = group.add_mutually_exclusive_group()
    which.add_argument(
        "--conn-id", default=DEFAULT_CONN_ID, metavar="ID", help="Airflow Connection (default: %(default)s)"
    )
    which.add_argument(
        "--host", type=_host, metavar="URL", help="server, such as https://test-webapi.alloincognito.ru:4431"
    )
    group.add_argument(
        "--token-file",
        metavar="FILE",
        help="with --host: a file with the authorization token, - for stdin; without it the environment variable "
        f"{TOKEN_VARIABLE}, or a prompt",
    )
    group.add_argument("--token", "--password", action=_RefuseToken, nargs="?", help=argparse.SUPPRESS)
    group.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="a setting of the Connection; may be repeated: --set verify=ca.pem --set timeout=20",
    )


def add_pair_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--make-pair``."""
    parser.add_argument(
        "--make-pair",
        action="store_true",
        help="if the server accepts no stored token pair, make one and store it for tasks; any other becomes invalid",
    )


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("it must be NAME=VALUE")
    try:
        # Texts stay texts: settings are read from the form's texts as well.
        return name.strip(), json.loads(value) if value.lstrip().startswith(("{", "[")) else value
    except ValueError:
        raise argparse.ArgumentTypeError(f"the value of {name} is not valid JSON") from None


@without_locals()
def read_access(options: argparse.Namespace, output: Output) -> Access:
    """
    Return the settings and the authorization token that a command uses; its output hides the token from then on.

    :param options: the command's arguments.
    :param output: where it prints.
    :raises AlloincognitoQueryError: if there is no token to use with ``--host``.
    :raises AlloincognitoSettingsError: if there is no such Connection, or a setting is invalid.
    :raises AlloincognitoAuthError: if its password is missing or cannot be a token.
    """
    from airflow_provider_alloincognito.hooks.connection import naming_the_connection, read_connection

    changes = dict(options.set)
    if options.host is not None:
        connection = _of_arguments(options.host, _token(options.token_file, output))
        output.hide(*(connection.password or "").split())
        return read_connection(connection, changes)
    with naming_the_connection(options.conn_id):
        connection = _of_airflow(options.conn_id)
        output.hide(*(connection.password or "").split())
        return read_connection(connection, changes)


def open_hook(
    options: argparse.Namespace,
    output: Output,
    *,
    start_time_field: str | None = None,
    ready_check: str | None = None,
) -> AlloincognitoHook:
    """
    Return a hook that uses the stored token pair, or makes one if ``--make-pair`` says so.

    :param options: the command's arguments, with those of :func:`add_pair_argument`.
    :param output: where it prints.
    :param start_time_field: see the hook.
    :param ready_check: likewise.
    :raises AlloincognitoError: as :func:`read_access`.
    """
    from airflow_provider_alloincognito.cli.pairs import use_pair
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

    access = use_pair(read_access(options, output), output, makes_pair=options.make_pair)
    name = options.conn_id if options.host is None else "--host"  # for errors
    hook = AlloincognitoHook(name, start_time_field=start_time_field, ready_check=ready_check)
    hook.access = access
    return hook


def _host(text: str) -> str:
    if not text.strip():  # of a shell's variable that is not set; in a Connection it would mean the PROD environment
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _of_airflow(conn_id: str) -> Connection:
    from airflow_provider_alloincognito.cli.airflow_command import database_problem
    from airflow_provider_alloincognito.compat import DATABASE_IS_FOR_TASKS_ALONE
    from airflow_provider_alloincognito.hooks.connection import find_connection

    try:
        return find_connection(conn_id)
    except AlloincognitoSecretsBackendError:
        raise
    except AlloincognitoSettingsError:  # Airflow says "not found" also where it could not ask
        hint = database_problem() or "Create it, of the type AlloIncognito, or name another one with --conn-id."
        if DATABASE_IS_FOR_TASKS_ALONE:
            hint = f"This Airflow finds only those of the environment here: set AIRFLOW_CONN_{conn_id.upper()}."
        raise AlloincognitoSettingsError(f"There is no Connection with this id. {hint.rstrip('.')}.") from None


def _of_arguments(host: str, token: str) -> Connection:
    from airflow_provider_alloincognito.compat import Connection

    return Connection(conn_id=DEFAULT_CONN_ID, conn_type="alloincognito", host=host, password=token)


def _token(file: str | None, output: Output) -> str:
    if file == "-":
        return sys.stdin.read()
    if file is not None:
        try:
            with open(file, encoding="utf-8-sig") as opened:
                return opened.read()
        except (OSError, UnicodeDecodeError) as error:
            raise AlloincognitoQueryError(
                f"The file of --token-file cannot be read ({type(error).__name__}). Name a text file that holds "
                "nothing but the authorization token."
            ) from None
    if token := os.environ.get(TOKEN_VARIABLE):
        return token
    if not sys.stdin.isatty():
        raise AlloincognitoQueryError(
            f"There is no token. Name a file with it (--token-file), or put it into the environment variable "
            f"{TOKEN_VARIABLE}."
        )
    return output.ask("Authorization token (it is not shown): ", is_secret=True)
