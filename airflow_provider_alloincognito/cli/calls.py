"""The command ``calls``: the calls of a period, in a file or on the screen."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.cli import access, arguments
from airflow_provider_alloincognito.cli.exit_codes import OK

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.answer.rows import RowBatch
    from airflow_provider_alloincognito.api.query import CallListQuery
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

HELP = "Fetch the calls of a period into a file, or show the first of them"
EXAMPLES = """\
  airflow alloincognito calls --period-start 2026-03-01 --period-end 2026-03-02
  airflow alloincognito calls --period-start 2026-03-01 --period-end 2026-03-02 --output-path calls.parquet
  airflow alloincognito calls --period-start '2026-03-01 09:00:00' --period-end '2026-03-01 18:00:00' \\
      --numbers-file numbers.txt --direction incoming --is-call-record --output-path calls.csv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.add_period(parser, required=True)
    parser.add_argument("--allow-incomplete", action="store_true", help="accept a period that has not ended yet")
    parser.add_argument(
        "--window", type=float, metavar="S", help="longest period of one request, in seconds (default: no limit)"
    )
    which = parser.add_argument_group("Which calls").add_mutually_exclusive_group()
    which.add_argument(
        "--numbers-file", metavar="FILE", help="only the calls of the numbers in this file, one per line"
    )
    which.add_argument(
        "--numbers", metavar="LIST", help="the same, separated by commas; every user of this machine can see them"
    )
    group = parser.add_argument_group("Filters")
    group.add_argument("--direction", help="all (default), outgoing, incoming, or the API's 0, 1, 2")
    group.add_argument("--duration-from", metavar="S", help="shortest call, in seconds")
    group.add_argument("--duration-to", metavar="S", help="longest call, in seconds")
    group.add_argument("--is-call-record", action="store_true", help="only calls that have a recording")
    group.add_argument("--is-read", metavar="0|1", help="the API's voicemail flag")
    arguments.add_file_of_calls(parser)
    parser.add_argument(
        "--required-fields", nargs="+", metavar="FIELD", help="fail if one of these fields is in no row"
    )
    arguments.add_waiting(parser)
    arguments.add_common(parser)


def run(options: argparse.Namespace, output: Output) -> int:
    """Fetch the calls."""
    from airflow_provider_alloincognito.cli.querying import write_or_show
    from airflow_provider_alloincognito.operators.base import file_metadata

    hook = access.open_hook(options, output, start_time_field=options.start_time_field, ready_check=options.ready_check)
    query = _query(options, hook)
    period = dict(zip(("period_start", "period_end"), query.sent_period(hook.settings), strict=True))
    hashes: list[str | None] = []
    document = write_or_show(
        _batches(hook, query, options, output, hashes),
        options,
        output,
        timezone=hook.settings.timezone,
        metadata=lambda: file_metadata(hashes, **period),
    )
    output.result({"ok": True, **document, "request_hashes": hashes, **period, "timezone": hook.settings.timezone})
    return OK


def _query(options: argparse.Namespace, hook: AlloincognitoHook) -> CallListQuery:
    from airflow_provider_alloincognito.api.query import CallListQuery
    from airflow_provider_alloincognito.operators.numbers import read_numbers

    start, end = arguments.resolved_period(options, hook)
    numbers: Any = options.numbers
    if options.numbers_file is not None:
        numbers = read_numbers(arguments.storage_path("numbers_file", options.numbers_file))
    return CallListQuery.checked(
        period_start=start,
        period_end=end,
        numbers=numbers,
        direction=options.direction,
        duration_from=options.duration_from,
        duration_to=options.duration_to,
        is_call_record=options.is_call_record or None,
        is_read=options.is_read,
    )


def _batches(
    hook: AlloincognitoHook,
    query: CallListQuery,
    options: argparse.Namespace,
    output: Output,
    hashes: list[str | None],
) -> Iterator[RowBatch]:
    """Rows of one window after the other; their hashes are added to ``hashes``."""
    from airflow_provider_alloincognito.api.results import CallList
    from airflow_provider_alloincognito.cli.querying import when_ready
    from airflow_provider_alloincognito.errors import AlloincognitoResponseError

    window = timedelta(seconds=options.window) if options.window is not None else None
    for part in query.split(window, hook.settings.zone):
        with when_ready(hook, hook.list_calls(part), options, output, part) as calls:
            if not isinstance(calls, CallList):
                raise AlloincognitoResponseError("Unexpected response: a recording, not a call list.")
            try:
                yield from calls.batches()
            finally:
                hashes.append(calls.request_hash)
