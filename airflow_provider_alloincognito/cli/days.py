"""The command ``days``: which days of a period have not landed, or not all of them."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.cli import arguments, output as output_module
from airflow_provider_alloincognito.cli.exit_codes import INCOMPLETE, OK
from airflow_provider_alloincognito.errors import AlloincognitoQueryError

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.landing.coverage import DayCoverage

HELP = "Name the days that have not landed, are short of calls, or lack recordings; asks only the storage"
EXAMPLES = """\
  airflow alloincognito days --files s3://aws_default@bucket/alloincognito \\
      --period-start 2026-01-01 --period-end 2026-04-01
  airflow alloincognito days --files /data/alloincognito --period-start 2026-03-01 --period-end 2026-03-08 -o json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--files", required=True, metavar="FOLDER", help="FILES of the daily DAG, such as s3://conn_id@bucket/folder"
    )
    parser.add_argument("--period-start", required=True, type=_day, metavar="DAY", help="the first day")
    parser.add_argument("--period-end", required=True, type=_day, metavar="DAY", help="the day after the last")
    parser.add_argument("--calls-only", action="store_true", help="do not look at the recordings")
    output_module.add_arguments(parser)


def run(options: argparse.Namespace, output: Output) -> int:
    """Look at each day."""
    from airflow_provider_alloincognito.landing.coverage import read_coverage

    if options.period_start >= options.period_end:
        raise AlloincognitoQueryError("period_start has to be before period_end, which is the day after the last.")
    files = arguments.storage_path("files", options.files)
    with output.progress("Reading what has landed"):
        days = read_coverage(files, options.period_start, options.period_end, recordings=not options.calls_only)
    found = [(day, problems) for day in days if (problems := list(_problems(day, is_calls_only=options.calls_only)))]
    _show(days, found, output)
    output.result(
        {
            "ok": not found,
            "files": options.files,
            "days": len(days),
            "complete": len(days) - len(found),
            "problems": [_document(day, problems) for day, problems in found],
        }
    )
    return INCOMPLETE if found else OK


def _problems(day: DayCoverage, *, is_calls_only: bool) -> Iterator[str]:
    if day.error:
        yield "unreadable"
    if day.is_missing:
        yield "missing"
    if day.is_short:
        yield "short"
    if day.failed:
        yield "recordings failed"
    if day.calls is not None and day.wanted is None and not day.error and not is_calls_only:
        yield "no recordings"


def _show(days: list[DayCoverage], found: list[tuple[DayCoverage, list[str]]], output: Output) -> None:
    if found:
        rows = (
            (day.day, day.calls, day.usual and f"{day.usual:g}", day.landed, day.failed, ", ".join(problems))
            for day, problems in found
        )
        output.table("", ("day", "calls", "usual", "recordings", "failed", "problems"), rows)
        for day, _ in found:
            if day.error:
                output.text(f"{day.day}: {day.error}")
        counts = Counter(problem for _, problems in found for problem in problems)
        parts = ", ".join(f"{count} {problem}" for problem, count in counts.items())
        output.text(f"{len(days) - len(found)} of {len(days)} days are complete; {parts}.")
    else:
        output.text(f"All {len(days)} days are complete.")


def _document(day: DayCoverage, problems: list[str]) -> dict[str, Any]:
    return {
        "day": str(day.day),
        "calls": day.calls,
        "usual": day.usual,
        "recordings": day.landed,
        "failed": day.failed,
        "problems": problems,
    }


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("it must be a day, such as 2026-03-01") from None
