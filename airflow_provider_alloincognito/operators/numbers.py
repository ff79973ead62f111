"""Telephone numbers to filter by: personal data, so a file of them is the better way to give them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_provider_alloincognito.api.errors import AlloincognitoQueryError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

LOOKS_LIKE_PATH = re.compile(r"/|\\|\.(txt|csv|lst)$", re.IGNORECASE)


def read_numbers(given: Iterable[str] | str | None) -> Iterable[str] | str | None:
    """
    Give the numbers themselves.

    :param given: numbers, or the path (any ``ObjectStoragePath``) of a text file with a number a line.
    :raises AlloincognitoQueryError: if there is no such file.
    """
    if not isinstance(given, str) or not LOOKS_LIKE_PATH.search(given):
        return given
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return _read(ObjectStoragePath(given))


def _read(path: ObjectStoragePath) -> list[str]:
    try:
        text: str = path.read_text(encoding="utf-8-sig")
        return [line for line in text.replace(";", ",").replace(",", "\n").splitlines() if line.strip()]
    except FileNotFoundError:
        raise AlloincognitoQueryError(
            f"numbers is the path of a file that does not exist: {path}. Give a list of numbers, or the path of a text "
            "file with one number a line that every worker can read."
        ) from None
