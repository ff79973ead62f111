"""Arguments that are read before use: numbers, or a file of them, and the fields that rows must have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_alloincognito.errors import AlloincognitoFieldError, AlloincognitoQueryError
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_alloincognito.api.answer.rows import RowBatch

LOOKS_LIKE_PATH = re.compile(r"(?=.*[^\W\d_]).*(?:/|\\|\.(?:txt|csv|lst)$)", re.IGNORECASE | re.DOTALL)
"""A path has a letter, too: numbers may be separated by slashes."""


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
