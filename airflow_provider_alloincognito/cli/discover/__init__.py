"""
The command ``discover``: find the server's API document, read it, and propose what to set.

``documents.py`` finds it, ``openapi.py`` reads it, ``methods.py`` finds the API's methods in it, ``proposing.py`` says
what to set, and ``report.py`` prints that. To add a place where servers keep their document: ``documents.py``; a page
that shows documents: ``pages.py``; a word that tells what something is: ``words.py``.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_provider_alloincognito.cli import access, output as output_module, writing

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output

HELP = "Read the server's API document, and propose the Connection's settings and the DAG's mapping"
EXAMPLES = """\
  airflow alloincognito discover
  airflow alloincognito discover --write
  airflow alloincognito discover --docs-url /help --docs-login basic --docs-user reader
  airflow alloincognito discover --file swagger.json --write --dag dags/calls.py
  airflow alloincognito discover --choose getcalllist="POST /api/v1/calls" --field record_file_id=audioId
  airflow alloincognito discover --host https://test-webapi.alloincognito.ru:4431 --output json"""
METHODS = ("create", "refresh", "getcalllist", "getcallrecordfile", "getrequestresultbyhash")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    access.add_arguments(parser)
    group = parser.add_argument_group(
        "Document", "Looked for on the Connection's server only, starting at its page /docs."
    )
    group.add_argument("--file", metavar="FILE", help="a document, or a page that holds it, saved from a browser")
    group.add_argument(
        "--docs-url", default="/docs", metavar="URL", help="the page, or the document (default: %(default)s)"
    )
    group.add_argument(
        "--docs-login",
        choices=("auto", "none", "basic", "bearer"),
        default="auto",
        help="how to log in for it. auto (default): as the server asks, if it does. none: not at all. basic: with user "
        "and password. bearer: with the authorization token",
    )
    group.add_argument(
        "--docs-user",
        metavar="NAME",
        help="user for a basic login (default: the environment variable ALLOINCOGNITO_DOCS_USER, or a prompt)",
    )
    group.add_argument(
        "--docs-password-file",
        metavar="FILE",
        help="file with the password (default: the environment variable ALLOINCOGNITO_DOCS_PASSWORD, or a prompt)",
    )
    group.add_argument(
        "--choose",
        action="append",
        default=[],
        type=_choice,
        metavar="METHOD=OPERATION",
        help="which operation of the document is a method, where several match; may be repeated. METHOD is one of "
        f"{', '.join(METHODS)}",
    )
    writing.add_arguments(parser)
    output_module.add_arguments(parser)


def _choice(text: str) -> tuple[str, str]:
    method, equals, operation = (part.strip() for part in text.partition("="))
    if not equals or method not in METHODS or not operation:
        raise argparse.ArgumentTypeError(
            f'it must be METHOD=OPERATION, such as getcalllist="POST /calls", and METHOD one of {", ".join(METHODS)}'
        )
    return method, operation


def run(options: argparse.Namespace, output: Output) -> int:
    """Find, read, propose, and write if told to; incomplete if something that the DAG needs stays unknown."""
    from airflow_provider_alloincognito.cli.discover.look import look
    from airflow_provider_alloincognito.cli.discover.report import report, report_nothing

    seen = look(options, output)
    return report(options, output, seen) if seen.outcome is not None else report_nothing(output, seen)
