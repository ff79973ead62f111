"""The command ``check``: is the Connection right, and does everything between here and the API work?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_provider_alloincognito.cli import access, output as output_module
from airflow_provider_alloincognito.cli.exit_codes import FAILED, OK

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.hooks.connection import Access

HELP = "Check the Connection, the way to the server and the tokens, and say what to fix"
EXAMPLES = """\
  airflow alloincognito check
  airflow alloincognito check --conn-id alloincognito_test --output json
  airflow alloincognito check --host https://test-webapi.alloincognito.ru:4431 --token-file token.txt"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    access.add_arguments(parser)
    access.add_pair_argument(parser)
    output_module.add_arguments(parser)


def run(options: argparse.Namespace, output: Output) -> int:
    """Run all checks; fail if one of them does."""
    from airflow_provider_alloincognito.hooks.connection_check import run_checks
    from airflow_provider_alloincognito.hooks.findings import Outcome

    def read() -> Access:
        from airflow_provider_alloincognito.cli.pairs import use_pair

        return use_pair(access.read_access(options, output), output, makes_pair=options.make_pair)

    with output.progress("Checking"):
        findings = run_checks(read, makes_pair=options.make_pair, tries_to_write=True)
    findings = output.findings(findings)
    is_good = all(finding.outcome is not Outcome.FAILED for finding in findings)
    output.result(
        {
            "ok": is_good,
            "findings": [
                {"check": one.subject, "outcome": one.outcome.name.lower(), "text": one.text, "fix": one.fix}
                for one in findings
            ],
        }
    )
    return OK if is_good else FAILED
