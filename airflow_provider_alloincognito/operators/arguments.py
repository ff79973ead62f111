"""What a DAG author's arguments mean: the period, the numbers to filter by, and the fields that rows must have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.errors import AlloincognitoFieldError, AlloincognitoQueryError
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_alloincognito.api.answer.rows import RowBatch

NOT_GIVEN = ("", "None", None)
LOOKS_LIKE_PATH = re.compile(r"(?=.*[^\W\d_]).*(?:/|\\|\.(?:txt|csv|lst)$)", re.IGNORECASE | re.DOTALL)
"""A path has a letter, too: numbers may be separated by slashes."""


def resolve_period(
    context: Context,
    start: datetime | str | None,
    end: datetime | str | None,
    zone: ZoneInfo,
    *,
    allow_incomplete: bool,
) -> tuple[datetime, datetime]:
    """
    Return the period's first moment and the moment after it, both aware.

    :param context: the task's.
    :param start: as given; the data interval's start by default.
    :param end: as given; the data interval's end by default.
    :param zone: the zone of times without one.
    :param allow_incomplete: accept a period that has not ended yet.
    :raises AlloincognitoQueryError: if there is no period, or it has not ended yet.
    """
    first = _moment("period_start", start, context, "data_interval_start", zone)
    after = _moment("period_end", end, context, "data_interval_end", zone)
    if after > datetime.now(UTC) and not allow_incomplete:
        raise AlloincognitoQueryError(
            f"period_end ({after.isoformat()}) is in the future, so the file would never get the calls still to come. "
            "Give a period that has ended, or set allow_incomplete=True to land the calls so far."
        )
    return first, after


def _moment(argument: str, given: datetime | str | None, context: Context, key: str, zone: ZoneInfo) -> datetime:
    from airflow_provider_alloincognito.api.times import parse_moment

    value: Any = given if given not in NOT_GIVEN else context.get(key)
    if value is None:
        raise AlloincognitoQueryError(
            f"{argument} is not given, and this run has no data interval to take it from (a run triggered by hand or "
            "by an asset may have none). Give period_start and period_end, or trigger the DAG with a logical date."
        )
    try:
        return parse_moment(value, zone)
    except ValueError:
        raise AlloincognitoQueryError(
            f"{argument} is {scrub(repr(value))}, which is not a valid time. Give a datetime or a text such as "
            "'2026-03-01 00:00:00' or '2026-03-01T00:00:00+03:00'."
        ) from None


def read_numbers(given: Iterable[str] | str | None) -> Iterable[str] | str | None:
    """
    Return the numbers themselves, read from a file where a path is given.

    :param given: numbers, or the path (any ``ObjectStoragePath``) of a text file with one number a line.
    :raises AlloincognitoQueryError: if there is no such file, or it is not text.
    """
    if not isinstance(given, str) or not LOOKS_LIKE_PATH.match(given):
        return given
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return _numbers_in(ObjectStoragePath(given))


def _numbers_in(path: ObjectStoragePath) -> list[str]:
    try:
        text: str = path.read_text(encoding="utf-8-sig")
        return [line for line in text.replace(";", ",").replace(",", "\n").splitlines() if line.strip()]
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
        raise AlloincognitoQueryError(
            f"numbers is the path of a file that cannot be read ({type(error).__name__}): {scrub(str(path))}. Give a "
            "list of numbers, or the path of a text file (UTF-8) with one number a line that every worker can read."
        ) from None


def check_required_fields(batches: Iterable[RowBatch], required: Iterable[str] | str) -> Iterator[RowBatch]:
    """
    Pass rows on and look for the fields on the way, decoding no more rows than that takes.

    :param batches: the rows.
    :param required: names of fields, or one name.
    :raises AlloincognitoFieldError: at the end, if there were rows and none had one of the fields.
    """
    missing = {required} if isinstance(required, str) else set(required)
    names: set[str] = set()
    for batch in batches:
        for fields in batch.fields() if missing else ():
            names |= fields.keys()
            missing -= names
            if not missing:
                break
        yield batch
    if missing and names:
        raise AlloincognitoFieldError(
            f"No row has the fields {sorted(missing)}; the rows have {scrub(str(sorted(names)))}. Use the names of "
            "your server's fields in the DAG's mapping (FIELDS in the example DAGs), and leave out those it lacks."
        )
