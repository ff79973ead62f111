"""The operator that lands recordings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow_provider_alloincognito.compat import ObjectStoragePath
from airflow_provider_alloincognito.errors import AlloincognitoQueryError, AlloincognitoRecordingsFailedError
from airflow_provider_alloincognito.operators.arguments import at_least_one, boolean, calls_path, one_of, storage_path
from airflow_provider_alloincognito.operators.base import AlloincognitoOperator
from airflow_provider_alloincognito.operators.failures import fail_without_retry
from airflow_provider_alloincognito.operators.outcome import Outcome
from airflow_provider_alloincognito.operators.period import read_interval
from airflow_provider_alloincognito.operators.recording_rule import recording_rule, share_of_all
from airflow_provider_alloincognito.operators.task_log import TaskLog

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Context
    from airflow_provider_alloincognito.landing.recording_rule import Chosen, RecordingRule


class AlloincognitoRecordingOperator(AlloincognitoOperator):
    """
    Land recordings as ``<recordFileId>.mp3``, and a manifest with a line for each.

    A recording that fails does not stop the others. What would fail them all ends the task: a server that is down or
    asks for a long pause, a store that takes no files. Another run fetches only what is missing.

    :param output_path: the folder (any ``ObjectStoragePath``).
    :param record_file_ids: the ids; give these or ``calls``. What stands for "no recording" is skipped: None, an empty
        text, 0, false, ``null``, ``-``, ``N/A``, a GUID of zeros or of F.
    :param calls: the file that :class:`AlloincognitoCallListOperator` landed, whose rows hold the ids: its path, or
        all of that operator's ``output``.
    :param record_file_id_field: the rows' field with the id; default the Connection's setting of that name.
    :param concurrency: how many recordings to fetch at a time, by threads over one connection pool; 4 by default.
    :param skip_existing: do not fetch again what is there (default).
    :param on_error: ``fail`` the task after all have been tried (default), or ``skip`` those that failed.
    :param manifest_path: the manifest's file; default ``manifest.jsonl`` in the folder. A manifest belongs to one set
        of ids: where several runs (days) share a folder, give each a file of its own, or each run forgets what the
        others' manifests knew: ``file_name`` is lost, digests are computed again.
    :param only: keep only recordings of calls that meet conditions on their rows, as they landed; needs ``calls``. A
        mapping: field -> a value (number, text, True, False; None is null or empty), a list of values, a range of
        numbers ``{"from": 30, "to": 600}`` (both ends included, either may be missing), ``{"numbers": path}`` or
        ``{"not_numbers": path}`` (a UTF-8 file with one phone number a line, whose forms ``+7``, ``8`` and ``7`` are
        one number). One row of a recording must meet all conditions, and each of its rows ``not_numbers``. Default:
        keep all.
    :param share: keep this share, from 0 to 1, of the recordings that ``only`` leaves, chosen by a digest of the id:
        the same ones in every run. Default: 1, all.
    :param keep_file_names: write ``file_name``, which often holds phone numbers, into the manifest (default). False
        leaves it null, also for recordings that an earlier run has landed.
    :param digest_key: where the key is that the numbers of these calls were replaced with at landing, for ``numbers``
        and ``not_numbers``: ``variable://<name>`` or ``connection://<conn id>``. Default: they were not.
    :param partition_by_day: emit an asset event for each day of the period, with the day as its partition key (Airflow
        3.3). The period is known if ``calls`` is the call-list operator's ``output``. Such events start only DAGs that
        are scheduled by partitions.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :return: ``manifest``, ``fetched``, ``skipped``, ``failed``, ``bytes``.
    :raises AlloincognitoRecordingsFailedError: if some failed, unless ``on_error`` is ``skip``.
    :raises AlloincognitoAuthError: if the authorization token is not accepted. Not retried.
    :raises AlloincognitoBusyError: if the server asks for a longer pause than a task waits.
    :raises AlloincognitoConnectionError: if several recordings in a row get no response.
    :raises AlloincognitoApiError: if redirects, HTTP 403, 405, 422 or 501 are all that comes, many times in a row.
    :raises AlloincognitoResponseError: if so many responses are not what the API describes.
    :raises AlloincognitoTargetError: if the store refuses several recordings in a row, or the calls cannot be read.
    :raises AlloincognitoQueryError: if an argument is invalid, or a value cannot be compared. Not retried.
    """

    template_fields: Sequence[str] = (
        "alloincognito_conn_id",
        "output_path",
        "record_file_ids",
        "calls",
        "record_file_id_field",
        "concurrency",
        "skip_existing",
        "on_error",
        "manifest_path",
        "only",
        "share",
        "keep_file_names",
        "digest_key",
        "partition_by_day",
    )
    converters = {  # noqa: RUF012 - as Airflow declares such
        "output_path": storage_path,
        "calls": calls_path,
        "manifest_path": storage_path,
        "concurrency": at_least_one,
        "skip_existing": boolean,
        "on_error": one_of("fail", "skip"),
        "share": share_of_all,
        "keep_file_names": boolean,
        "partition_by_day": boolean,
    }

    def __init__(
        self,
        *,
        output_path: str | ObjectStoragePath,
        record_file_ids: Iterable[str] | None = None,
        calls: str | ObjectStoragePath | Mapping[str, Any] | None = None,
        record_file_id_field: str | None = None,
        concurrency: int = 4,
        skip_existing: bool = True,
        on_error: Literal["fail", "skip"] = "fail",
        manifest_path: str | ObjectStoragePath | None = None,
        only: Mapping[str, Any] | None = None,
        share: float = 1.0,
        keep_file_names: bool = True,
        digest_key: str | None = None,
        partition_by_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = cast("ObjectStoragePath", output_path)  # see `converters`
        self.record_file_ids = record_file_ids
        self.calls = cast("ObjectStoragePath | None", calls)  # see `converters`
        self.record_file_id_field = record_file_id_field
        self.concurrency = concurrency
        self.skip_existing = skip_existing
        self.on_error = on_error
        self.manifest_path = cast("ObjectStoragePath | None", manifest_path)  # see `converters`
        self.only = only
        self.share = share
        self.keep_file_names = keep_file_names
        self.digest_key = digest_key
        self.partition_by_day = partition_by_day
        self.add_own_outlet()

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch all recordings, then fail if some of them failed."""
        from airflow_provider_alloincognito.landing.manifest import read_manifest
        from airflow_provider_alloincognito.landing.recordings import land_recordings

        with fail_without_retry():
            period = self._period()
            self.convert_arguments()
            task_log = TaskLog(self.log, self.hook)
            task_log.log_recordings(self.calls, self.output_path)
            self.hook.get_conn()  # an unusable Connection fails the task, not each recording
            landed = land_recordings(
                self.hook.get_call_record_file,
                self._ids(),
                self.output_path,
                manifest=self.manifest_path,
                concurrency=self.concurrency,
                skip_existing=self.skip_existing,
                keep_file_names=self.keep_file_names,
            )
            task_log.log_end()
        if landed.failed and self.on_error == "fail":
            failures = (line.error for line in read_manifest(ObjectStoragePath(landed.manifest)) if line.error)
            raise AlloincognitoRecordingsFailedError(
                f"{landed.failed} of {landed.failed + landed.fetched + landed.skipped} recordings could not be "
                f"fetched. The first one: {next(failures, 'unknown')} Which ones and why is in the manifest, "
                f"{landed.manifest}. Retry to fetch only the missing ones, or set on_error='skip' to succeed without "
                "them."
            )
        calls = None if self.calls is None else str(self.calls)
        source = self.hook.settings.record_file_path
        outcome = Outcome.of_recordings(landed, source, str(self.output_path), calls, period)
        self.announce(context, outcome, by_day=self.partition_by_day)
        return self.push_each(context, asdict(landed))

    def _period(self) -> tuple[datetime, datetime] | None:
        """Return the period of the calls, if ``calls`` is what the call-list operator returned."""
        interval = self.calls.get("interval") if isinstance(self.calls, Mapping) else None
        return read_interval(interval) if interval else None

    def _ids(self) -> Iterable[str]:
        from airflow_provider_alloincognito.landing.formats import usable_ids

        if (self.record_file_ids is None) == (self.calls is None):
            raise AlloincognitoQueryError(
                "Give either record_file_ids (a list) or calls (the path that the call-list operator returned)."
            )
        rule = recording_rule(self.only, self.share, self.digest_key)
        if self.calls is not None:
            field = self.record_file_id_field or self.hook.settings.record_file_id_field
            # The log tells how many are left: all are read at once, which takes little beside fetching them.
            return self._logged(rule, rule.choose(self.calls, field))
        if self.only is not None:
            raise AlloincognitoQueryError(
                "only needs calls: the conditions are on the rows of landed calls, and a list of record_file_ids has "
                "none. Give calls instead, or leave only out."
            )
        if isinstance(self.record_file_ids, str | Mapping):
            kind = "a text" if isinstance(self.record_file_ids, str) else "a mapping"
            raise AlloincognitoQueryError(
                f"record_file_ids is {kind}, not a list of ids. A template renders to a list only in a DAG with "
                "render_template_as_native_obj=True; without it, pass the task's output itself (task.output). For the "
                "recordings of landed calls, give calls instead."
            )
        return self._logged(rule, rule.share_of(usable_ids(self.record_file_ids or ())))

    def _logged(self, rule: RecordingRule, chosen: Chosen) -> list[str]:
        if rule.conditions or rule.share < 1:
            self.log.info("The rule keeps %s of %s recordings", f"{len(chosen.ids):,}", f"{chosen.of:,}")
        return chosen.ids
