"""
The command ``sample``: one small question, the form of its answer, and what to set.

It serves where the server has no document of its API that ``discover`` could read.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_provider_alloincognito.cli import access, output as output_module, writing

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output

HELP = "Ask for a few calls, show the shape of the answer without personal data, and propose what to set"
EXAMPLES = """\
  airflow alloincognito sample
  airflow alloincognito sample --period-start "2026-03-02 10:00:00" --period-end "2026-03-02 12:00:00"
  airflow alloincognito sample --set call_list_path=/api/v1/request/calls --write
  airflow alloincognito sample --field record_file_id=zapis --write --dag dags/calls.py
  airflow alloincognito sample --host https://test-webapi.alloincognito.ru:4431 --make-pair --output json"""
MOST_ROWS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    access.add_arguments(parser)
    access.add_pair_argument(parser)
    group = parser.add_argument_group(
        "Question", "By default the last hour is asked for, and longer periods as long as there are few calls."
    )
    group.add_argument(
        "--period-start", metavar="TIME", help="first moment of the period, such as '2026-03-02 10:00:00'"
    )
    group.add_argument(
        "--period-end",
        metavar="TIME",
        help="first moment after the period; without a zone it is in the API's (setting timezone)",
    )
    group.add_argument(
        "--rows",
        type=_positive,
        default=MOST_ROWS,
        metavar="N",
        help="read at most so many rows (default: %(default)s)",
    )
    writing.add_arguments(parser)
    output_module.add_arguments(parser)


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError("it must be a whole number above 0")
    return int(text)


def run(options: argparse.Namespace, output: Output) -> int:
    """Ask, show, propose, and write if told to; incomplete if something that the DAG needs stays unknown."""
    from airflow_provider_alloincognito.cli.sample.look import look
    from airflow_provider_alloincognito.cli.sample.report import report

    return report(options, output, look(options, output, access.open_hook(options, output)))
