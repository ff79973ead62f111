"""What the commands that query have in common: waiting for a result, and what they do with calls."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.amounts import rows_text
from airflow_provider_alloincognito.errors import AlloincognitoResponseError, AlloincognitoWaitTimeout
from airflow_provider_alloincognito.scrubbing import scrub_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_alloincognito.api.answer.rows import RowBatch
    from airflow_provider_alloincognito.api.query import CallListQuery
    from airflow_provider_alloincognito.api.results import CallList, RecordFile
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook


def when_ready(
    hook: AlloincognitoHook,
    result: CallList | RecordFile,
    options: argparse.Namespace,
    output: Output,
    query: CallListQuery | None = None,
) -> CallList | RecordFile:
    """
    Return a result once it is ready.

    :param hook: the command's.
    :param result: the response in hand.
    :param options: the command's arguments, with those of :func:`~.arguments.add_waiting`.
    :param output: shows that it waits.
    :param query: the call list's query, if rows are cut to its period.
    :raises AlloincognitoWaitTimeout: if it is not ready in time.
    """
    deadline = time.monotonic() + options.wait_timeout
    with output.progress("Waiting for the result"):
        while result.is_pending:
            request_hash, pause = result.request_hash, max(options.poll_interval, result.retry_after or 0.0)
            result.close()
            if request_hash is None:
                raise AlloincognitoResponseError(
                    "Unexpected response: neither a result nor a requestHash to ask for it. Check the method's path."
                )
            if time.monotonic() + pause > deadline:
                raise AlloincognitoWaitTimeout(
                    f"The result was not ready within {options.wait_timeout:.0f} s. Ask for it later with the command "
                    f"result and its requestHash, {scrub_hash(request_hash)}."
                )
            time.sleep(pause)
            result = hook.get_request_result(request_hash, query)
    return result


def write_or_show(
    batches: Iterator[RowBatch],
    options: argparse.Namespace,
    output: Output,
    *,
    timezone: str,
    metadata: Callable[[], dict[str, str]],
) -> dict[str, Any]:
    """
    Write calls to the file of ``--output-path``, or else show the first of them, masked.

    :param batches: the calls.
    :param options: the command's arguments, with those of :func:`~.arguments.add_file_of_calls`.
    :param output: where they are shown.
    :param timezone: the zone of timestamps that name none.
    :param metadata: see :func:`~airflow_provider_alloincognito.landing.calls.land_calls`.
    :return: what a script wants to know.
    """
    if options.output_path is None:
        return _show(batches, options.rows, output)
    from airflow_provider_alloincognito.amounts import bytes_text
    from airflow_provider_alloincognito.cli import arguments
    from airflow_provider_alloincognito.landing.calls import land_calls

    with output.progress("Fetching calls") as advance:
        landed = land_calls(
            _counted(batches, advance),
            arguments.storage_path("output_path", options.output_path),
            file_format=options.file_format,
            schema=arguments.schema(options.schema),
            timezone=timezone,
            unknown_fields=options.unknown_fields,
            rewriting=arguments.rewriting(options),
            min_rows=options.min_rows,
            escape_formulas=options.escape_formulas,
            required_fields=getattr(options, "required_fields", None) or (),
            metadata=metadata,
        )
    output.text(f"Wrote {rows_text(landed.rows)}, {bytes_text(landed.bytes)}: {landed.path}")
    return {**landed.summary(), "columns": landed.columns}


def _counted(batches: Iterator[RowBatch], advance: Callable[[float], None]) -> Iterator[RowBatch]:
    for batch in batches:
        yield batch
        advance(len(batch))


def _show(batches: Iterator[RowBatch], most: int, output: Output) -> dict[str, Any]:
    from airflow_provider_alloincognito.cli.masking import is_enumeration, mask

    with output.progress("Fetching calls"):
        rows = list(islice((row for batch in batches for row in batch.decode()), most + 1))
    is_all, rows = len(rows) <= most, rows[:most]
    names = list(dict.fromkeys(name for row in rows for name in row))
    words = {name for name in names if is_enumeration(name, [row[name] for row in rows if row.get(name) is not None])}
    masked = [{name: mask(value, is_enumeration=name in words) for name, value in row.items()} for row in rows]
    if rows:
        output.table("", names, [[row.get(name) for name in names] for row in masked])
    more = "That is all." if is_all else "There are more: write them to a file with --output-path."
    output.text(f"{rows_text(len(rows))}, masked. {more}" if rows else "No calls.")
    return {"path": None, "rows": len(rows) if is_all else None, "columns": names, "first_rows": masked}
