"""What errors say of operators and Connections, in the words of who runs a command: its options."""

from __future__ import annotations

import argparse
import re

from airflow_provider_alloincognito.get_provider_info import CONNECTION_FIELDS

ARGUMENT = re.compile(
    r"""(?<!setting\ )(?<![\w./'"-])(?P<name>[a-z]+(?:_[a-z]+)+)(?:=(?:True|'(?P<value>\w+)'))?(?![\w/=]|\.\w)""",
    re.VERBOSE,
)
# These are settings far more often than arguments.
SETTINGS = CONNECTION_FIELDS.keys() - {"period_end"}
WITH_HOST = {
    r"^Connection '--host': ": "",
    r"The Connection has no password\. Set it to": "The token is empty. It must be",
    r"put it into the Connection's password": "put it into the file or variable that the token is read from",
    r"The Connection's password|The password": "The token",
    r"The Connection's host": "The host of --host",
    r"the Connection's host and port are": "host and port of --host are",
    r"the Connection's host|the host of the Connection": "--host",
    r"the Connection: its host": "--host: it",
    r" \('[^']*' in the Connection's form\)": " (--set)",
    r"the Connection's (setting )?(?=[a-z_]+)": "the setting ",
    r" (?:in|of) the Connection\b": " (--set)",
}
"""What a user who gave a host and a token has not got, as patterns."""


def in_words_of(options: argparse.Namespace, text: str) -> str:
    """
    Return an error's or a finding's text with options in place of an operator's arguments, and, with ``--host``, of the
    Connection.

    :param options: the command's arguments.
    :param text: as it is for tasks.
    """

    def option(found: re.Match[str]) -> str:
        name = found["name"]
        if name in SETTINGS or not hasattr(options, name):
            return found[0]
        return f"--{name.replace('_', '-')}" + (f" {found['value']}" if found["value"] else "")

    if getattr(options, "host", None) is not None:
        for pattern, ours in WITH_HOST.items():
            text = re.sub(pattern, ours, text)
    return ARGUMENT.sub(option, text)
