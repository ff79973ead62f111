"""Arguments of commands that have those of an operator: the same names, with dashes."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.cli import access, output as output_module
from airflow_provider_alloincognito.errors import AlloincognitoSchemaError

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_alloincognito.compat import ObjectStoragePath
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
    from airflow_provider_alloincognito.landing.rewriting import Rewriting

POLL_INTERVAL = 5.0
WAIT_TIMEOUT = 3600.0
PREVIEW_ROWS = 10


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what every query has: the Connection, the token pair, the output."""
    access.add_arguments(parser)
    access.add_pair_argument(parser)
    output_module.add_arguments(parser)


def add_period(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the period."""
    zone = "without a zone it is in the API's (setting timezone)"
    parser.add_argument("--period-start", required=required, metavar="TIME", help=f"first moment of the period; {zone}")
    parser.add_argument(
        "--period-end", required=required, metavar="TIME", help=f"first moment after the period; {zone}"
    )
    parser.add_argument(
        "--start-time-field",
        metavar="FIELD",
        help="the row's field with the call's start: rows outside the period are removed (default: the setting)",
    )


def add_file_of_calls(parser: argparse.ArgumentParser) -> None:
    """Add how calls are written, or shown."""
    group = parser.add_argument_group("File", "Without --output-path the first rows are shown, masked.")
    group.add_argument(
        "--output-path", metavar="FILE", help="such as calls.parquet, calls.csv.gz or s3://conn_id@bucket/calls.jsonl"
    )
    group.add_argument("--file-format", metavar="FORMAT", help="parquet, jsonl or csv (default: by the suffix)")
    group.add_argument("--schema", metavar="FILE_OR_JSON", help='types of columns, such as {"duration": "int64"}')
    group.add_argument(
        "--unknown-fields",
        choices=("keep", "refuse", "drop"),
        default="keep",
        help="keep fields that --schema lacks, as text (default), fail, or drop them",
    )
    group.add_argument("--row-key", metavar="COLUMN", help="add a column with a key of each row")
    group.add_argument(
        "--row-key-fields", nargs="+", metavar="FIELD", help="the fields that identify a call (default: all)"
    )
    group.add_argument(
        "--protect",
        nargs="+",
        type=_protected_field,
        metavar="FIELD=HOW",
        help="write digests or masks in place of a field's numbers: callerNumber=digest calledNumber=mask",
    )
    group.add_argument(
        "--digest-key",
        metavar="WHERE",
        help="where the key of digests is: variable://<name>, or connection://<id> for its password",
    )
    group.add_argument("--min-rows", type=_whole_number, default=0, metavar="N", help="fail if there are fewer rows")
    group.add_argument("--escape-formulas", action="store_true", help="protect spreadsheets from formulas in CSV")
    group.add_argument(
        "--rows",
        type=_whole_number,
        default=PREVIEW_ROWS,
        metavar="N",
        help="how many rows to show (default: %(default)s)",
    )


def add_waiting(parser: argparse.ArgumentParser) -> None:
    """Add how long to wait for a result that is not ready."""
    group = parser.add_argument_group("Waiting", "For a result that is not ready at once.")
    group.add_argument(
        "--poll-interval",
        type=_seconds,
        default=POLL_INTERVAL,
        metavar="S",
        help="seconds between requests for the result (default: %(default)g)",
    )
    group.add_argument(
        "--wait-timeout",
        type=_seconds,
        default=WAIT_TIMEOUT,
        metavar="S",
        help="seconds to wait at most (default: %(default)g)",
    )
    group.add_argument("--ready-check", metavar="DOTTED_PATH", help="a function that tells whether a result is ready")


def resolved_period(options: argparse.Namespace, hook: AlloincognitoHook) -> tuple[datetime, datetime]:
    """
    Return the period of :func:`add_period`, as an operator does.

    :raises AlloincognitoQueryError: if it is not a time, or not over yet without ``--allow-incomplete``.
    """
    from airflow_provider_alloincognito.operators.period import resolve_period

    ends: Any = {"start": options.period_start, "end": options.period_end}
    allows = getattr(options, "allow_incomplete", True)
    no_run: Any = {}
    return resolve_period(no_run, **ends, zone=hook.settings.zone, allow_incomplete=allows)


def storage_path(option: str, value: str) -> ObjectStoragePath:
    """
    Return a path in any store; a local one may be relative.

    :param option: the argument's name, for errors.
    :raises AlloincognitoTargetSetupError: if its store cannot be used here.
    """
    from airflow_provider_alloincognito.operators.arguments import storage_path as absolute_path

    return absolute_path(option, value if "://" in value else os.path.abspath(os.path.expanduser(value)))


def schema(value: str | None) -> Any:
    """
    Return the argument ``--schema`` as the landing takes it.

    :raises AlloincognitoSchemaError: if it is neither a path nor JSON.
    """
    if value is None or not value.lstrip().startswith("{"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise AlloincognitoSchemaError(
            'The schema is not valid JSON. It must be an object such as {"duration": "int64"}, or the path of a file '
            "with one."
        ) from None


def rewriting(options: argparse.Namespace) -> Rewriting:
    """
    Return what the arguments of :func:`add_file_of_calls` change in rows, as an operator does.

    :raises AlloincognitoQueryError: if an argument is invalid.
    :raises AlloincognitoSettingsError: if there is no key of digests, or it is too short.
    """
    from airflow_provider_alloincognito.operators.rewriting import read_rewriting

    return read_rewriting(options.row_key, options.row_key_fields, dict(options.protect or ()), options.digest_key)


def _protected_field(text: str) -> tuple[str, str]:
    field, equals, how = text.rpartition("=")
    if not equals or not field:
        raise argparse.ArgumentTypeError("it must be FIELD=digest or FIELD=mask")
    return field, how


def _whole_number(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError("it must be a whole number, 0 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        if 0 < (number := float(text)) < float("inf"):
            return number
    except ValueError:
        pass  # as for a negative one
    raise argparse.ArgumentTypeError("it must be a number of seconds above 0")
