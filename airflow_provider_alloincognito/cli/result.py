"""The command ``result``: the result of an earlier request, by its hash."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.cli import access, arguments
from airflow_provider_alloincognito.cli.exit_codes import OK
from airflow_provider_alloincognito.errors import AlloincognitoQueryError

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.query import CallListQuery
    from airflow_provider_alloincognito.api.results import RecordFile
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

HELP = "Fetch the result of an earlier request into a file, or show its first calls"
EXAMPLES = """\
  airflow alloincognito result 'twbfdoEhUI6kPSgOpPXT7Q==QUY5ODU='
  airflow alloincognito result 'twbfdoEhUI6kPSgOpPXT7Q==QUY5ODU=' --output-path calls.parquet"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("request_hash", metavar="HASH", help="the requestHash of an earlier response, unchanged")
    arguments.add_period(parser, required=False)
    arguments.add_file_of_calls(parser)
    arguments.add_waiting(parser)
    arguments.add_common(parser)


def run(options: argparse.Namespace, output: Output) -> int:
    """Fetch the result, whichever the request was."""
    from airflow_provider_alloincognito.api.results import RecordFile
    from airflow_provider_alloincognito.cli.querying import when_ready, write_or_show
    from airflow_provider_alloincognito.operators.base import file_metadata

    hook = access.open_hook(options, output, start_time_field=options.start_time_field, ready_check=options.ready_check)
    query = _query(options, hook)
    first = hook.get_request_result(options.request_hash, query)
    with when_ready(hook, first, options, output, query) as result:
        if isinstance(result, RecordFile):
            document = _write_recording(result, options, output)
        else:
            document = write_or_show(
                result.batches(),
                options,
                output,
                timezone=hook.settings.timezone,
                metadata=lambda: file_metadata([result.request_hash]),
            )
            document["request_hashes"] = [result.request_hash or options.request_hash]
    output.result({"ok": True, **document})
    return OK


def _query(options: argparse.Namespace, hook: AlloincognitoHook) -> CallListQuery | None:
    """Return the query whose period rows are cut to, if they are."""
    from airflow_provider_alloincognito.api.query import CallListQuery

    if not options.period_start and not options.period_end:
        return None
    if not (options.period_start and options.period_end and hook.settings.start_time_field):
        raise AlloincognitoQueryError(
            "Rows can only be cut to a period with --period-start, --period-end and the field that holds a call's "
            "start: --start-time-field, or the Connection's setting."
        )
    start, end = arguments.resolved_period(options, hook)
    return CallListQuery.checked(period_start=start, period_end=end)


def _write_recording(recording: RecordFile, options: argparse.Namespace, output: Output) -> dict[str, Any]:
    from airflow_provider_alloincognito.amounts import bytes_text
    from airflow_provider_alloincognito.landing.recordings import land_recording

    if options.output_path is None:
        raise AlloincognitoQueryError("The result is a recording. Give the file that it goes to with --output-path.")
    path = arguments.storage_path("output_path", options.output_path)
    line = land_recording(lambda _: recording, options.request_hash, path)
    output.text(f"Wrote a recording, {bytes_text(line.bytes or 0)}: {line.path}")
    return {"path": line.path, "bytes": line.bytes, "sha256": line.sha256, "status": line.status}
