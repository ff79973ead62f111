"""
The table of commands, and how one is run.

Airflow builds its parser, with these commands in it, whenever it starts: a command's module imports what it needs in
its functions.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output

GROUP = "alloincognito"
PROGRAM = "python -m airflow_provider_alloincognito"
DESCRIPTION = "Check, explore and query AlloIncognito's integration API"
CLI = "airflow_provider_alloincognito.cli"
NAMES = ("check", "discover", "sample", "calls", "recording", "result", "days")
COMMANDS = {name: f"{CLI}.{name}" for name in NAMES}
"""The module of each command."""


class Command(Protocol):
    """What the module of a command has."""

    HELP: str
    """One line, without a full stop."""
    EXAMPLES: str
    """Lines that begin with ``airflow alloincognito``, indented by two spaces."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments, :func:`~airflow_provider_alloincognito.cli.output.add_arguments` included."""

    def run(self, options: argparse.Namespace, output: Output) -> int:
        """Run the command, and return one of the ``exit_codes``."""


def load(name: str) -> Command:
    """Return the module of a command."""
    return cast("Command", importlib.import_module(COMMANDS[name]))


def run(name: str, options: argparse.Namespace) -> int:
    """
    Run a command, and return its exit code.

    :param name: a key of ``COMMANDS``.
    :param options: its arguments, parsed.
    """
    from airflow_provider_alloincognito.cli.output import opened_output

    with opened_output(options) as output:

        def work() -> int:
            # Airflow's import may print, and takes seconds, in which somebody may press Ctrl-C.
            from airflow_provider_alloincognito.compat import outside_a_task, without_log_of_airflow

            with outside_a_task(), nullcontext() if options.verbose else without_log_of_airflow():
                return load(name).run(options, output)

        return output.explaining_errors(work)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run ``python -m airflow_provider_alloincognito``, and return its exit code.

    :param arguments: the command line; None: the process's own.
    """
    options = build_parser().parse_args(arguments)
    return run(options.command, options)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m airflow_provider_alloincognito``."""
    from airflow_provider_alloincognito.cli.output import redact_usage_errors

    parser = argparse.ArgumentParser(prog=PROGRAM, description=f"{DESCRIPTION}.")
    redact_usage_errors(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = load(name)
        examples = module.EXAMPLES.replace(f"airflow {GROUP}", PROGRAM)
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            epilog=f"Examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
    return parser
