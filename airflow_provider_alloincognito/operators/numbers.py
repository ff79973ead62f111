"""Telephone numbers to filter by: personal data, so a file of them is the better way to give them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_provider_alloincognito.api.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.api.scrubbing import scrub

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

LOOKS_LIKE_PATH = re.compile(r"(?=.*[^\W\d_]).*(?:/|\\|\.(?:txt|csv|lst)$)", re.IGNORECASE | re.DOTALL)
"""It has a letter, too: numbers may be set apart by a slash."""


def read_numbers(given: Iterable[str] | str | None) -> Iterable[str] | str | None:
    """
    Give the numbers themselves.

    :param given: numbers, or the path (any ``ObjectStoragePath``) of a text file with a number a line.
    :raises AlloincognitoQueryError: if there is no such file, or it is no text.
    """
    if not isinstance(given, str) or not LOOKS_LIKE_PATH.match(given):
        return given
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return _read(ObjectStoragePath(given))


def _read(path: ObjectStoragePath) -> list[str]:
    try:
        text: str = path.read_text(encoding="utf-8-sig")
        return [line for line in text.replace(";", ",").replace(",", "\n").splitlines() if line.strip()]
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
        raise AlloincognitoQueryError(
            f"numbers is the path of a file that cannot be read ({type(error).__name__}): {scrub(str(path))}. Give a "
            "list of numbers, or the path of a text file (UTF-8) with one number a line that every worker can read."
        ) from None
