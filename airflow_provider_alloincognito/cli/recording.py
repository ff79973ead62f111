"""The command ``recording``: one recording, or many, as files in a folder."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from airflow_provider_alloincognito.cli import access, arguments
from airflow_provider_alloincognito.cli.exit_codes import FAILED, OK

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
    from airflow_provider_alloincognito.landing.recordings import Fetch, LandedRecordings, Recording

HELP = "Fetch recordings into a folder, by their ids or for the calls in a file"
EXAMPLES = """\
  airflow alloincognito recording 6d621781-95c4-4cae-8a1c-ac4757ad8540 --output-path recordings
  airflow alloincognito recording --calls calls.parquet --output-path s3://conn_id@bucket/recordings"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("record_file_ids", nargs="*", metavar="ID", help="ids of recordings")
    parser.add_argument("--calls", metavar="FILE", help="instead of ids: a file of calls, to fetch their recordings")
    parser.add_argument(
        "--record-file-id-field", metavar="FIELD", help="with --calls: the column with the ids (default: the setting)"
    )
    parser.add_argument("--output-path", required=True, metavar="FOLDER", help="where the files go")
    parser.add_argument(
        "--manifest-path", metavar="FILE", help="list of what was fetched (default: manifest.jsonl in the folder)"
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        choices=range(1, 33),
        default=4,
        metavar="N",
        help="how many to fetch at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--no-skip-existing", dest="skip_existing", action="store_false", help="fetch again what is already there"
    )
    arguments.add_common(parser)


def run(options: argparse.Namespace, output: Output) -> int:
    """Fetch the recordings; fail if some could not be fetched."""
    from airflow_provider_alloincognito.amounts import bytes_text
    from airflow_provider_alloincognito.landing.recordings import land_recordings

    hook = access.open_hook(options, output)
    ids = _ids(options, hook)
    hook.get_conn()  # an unusable Connection fails the command, not each recording
    with output.progress("Fetching recordings", len(ids)) as advance:
        landed = land_recordings(
            _counting(hook.get_call_record_file, advance),
            ids,
            arguments.storage_path("output_path", options.output_path),
            manifest=arguments.storage_path("manifest_path", options.manifest_path) if options.manifest_path else None,
            concurrency=options.concurrency,
            skip_existing=options.skip_existing,
        )
    output.text(
        f"Fetched {landed.fetched:,}, skipped {landed.skipped:,}, failed {landed.failed:,}: "
        f"{bytes_text(landed.bytes)}. Manifest: {landed.manifest}"
    )
    errors = _errors(landed)
    if errors:
        output.table("Failed", ["error", "recordings"], list(errors.items()))
    output.result({"ok": not landed.failed, **asdict(landed), "errors": errors})
    return FAILED if landed.failed else OK


def _ids(options: argparse.Namespace, hook: AlloincognitoHook) -> list[str]:
    from airflow_provider_alloincognito.errors import AlloincognitoQueryError
    from airflow_provider_alloincognito.landing.formats import read_record_file_ids, usable_ids

    if bool(options.record_file_ids) == bool(options.calls):
        raise AlloincognitoQueryError("Give either ids of recordings, or --calls with a file of landed calls.")
    if options.calls is None:
        return list(dict.fromkeys(usable_ids(options.record_file_ids)))
    field = options.record_file_id_field or hook.settings.record_file_id_field
    return list(dict.fromkeys(read_record_file_ids(arguments.storage_path("calls", options.calls), field)))


def _counting(fetch: Fetch, advance: Callable[[float], None]) -> Fetch:
    @contextmanager
    def counted(record_file_id: str) -> Iterator[Recording]:
        with fetch(record_file_id) as recording:
            yield recording
        advance(1)

    return counted


def _errors(landed: LandedRecordings) -> dict[str, int]:
    """Return how many recordings each error is about."""
    from collections import Counter

    from airflow_provider_alloincognito.landing.manifest import read_manifest

    if not landed.failed:
        return {}
    lines = read_manifest(arguments.storage_path("manifest", landed.manifest))
    return dict(Counter(line.error for line in lines if line.error))
