"""The command line: what Airflow is given for ``airflow alloincognito``. Airflow imports this whenever it starts."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.cli.commands import COMMANDS, DESCRIPTION, GROUP, load, run

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand


def get_cli_commands() -> list[CLICommand]:
    """Return the group ``alloincognito`` with all commands, for Airflow 3.2 and newer."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    class AllArguments(Arg):
        """All arguments of a command, which adds them itself: so they are the same for both parsers."""

        def __init__(self, name: str) -> None:
            self.flags = ("--all",)  # Airflow sorts by it
            self.name = name

        def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
            load(self.name).add_arguments(parser)

    def action(name: str) -> Any:
        def command(options: argparse.Namespace) -> None:
            sys.exit(run(name, options))

        module = load(name)
        return ActionCommand(name, module.HELP, command, (AllArguments(name),), epilog=f"Examples:\n{module.EXAMPLES}")

    return [GroupCommand(GROUP, DESCRIPTION, tuple(map(action, COMMANDS)))]
