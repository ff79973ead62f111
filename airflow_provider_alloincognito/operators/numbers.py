"""The argument ``numbers``: Airflow renders it and sees its outputs, but shows none of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_alloincognito.compat import ObjectStoragePath
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.operators.arguments import storage_path
from airflow_provider_alloincognito.scrubbing import scrub

LOOKS_LIKE_PATH = re.compile(r"(?=.*[^\W\d_]).*(?:/|\\|\.(?:txt|csv|lst)$)", re.IGNORECASE | re.DOTALL)
"""A path has a letter, too: numbers may be separated by slashes."""


@dataclass(frozen=True, repr=False)
class HiddenNumbers:
    """Stands for numbers wherever Airflow shows, stores or logs a template field."""

    numbers: Any

    def __repr__(self) -> str:
        """Say how many there are, as far as that can be said without reading anything."""
        if not isinstance(self.numbers, list | tuple | set):
            return "numbers (not shown)"
        return "1 number (not shown)" if len(self.numbers) == 1 else f"{len(self.numbers)} numbers (not shown)"

    def serialize(self) -> str:
        """Airflow 3's way to ask for what it may show."""
        return repr(self)


class PartlyHidden(list[Any]):
    """A list of outputs of tasks and hidden numbers."""


def hidden(numbers: Any) -> Any:
    """
    Return what Airflow may see of numbers: paths, and the outputs of tasks that it has to run first.

    :param numbers: as the DAG gives them, or rendered.
    """
    if numbers is None or _is_output(numbers) or (_is_path(numbers) and "<number>" not in scrub(str(numbers))):
        return numbers
    if isinstance(numbers, list | tuple | set) and any(map(_is_output, numbers)):
        return PartlyHidden(one if _is_output(one) else HiddenNumbers(one) for one in numbers)
    return HiddenNumbers(numbers)


def revealed(numbers: Any) -> Any:
    """Return the numbers that :func:`hidden` hides."""
    if isinstance(numbers, list):
        return [revealed(one) for one in numbers]
    return numbers.numbers if isinstance(numbers, HiddenNumbers) else numbers


def read_numbers(given: Any) -> Any:
    """
    Return the numbers themselves, read from a file where a path is given.

    :param given: numbers, or the path (any ``ObjectStoragePath``) of a text file with one number a line.
    :raises AlloincognitoQueryError: if there is no such file, or it is not text.
    """
    if _is_path(given):
        return _numbers_in("numbers", storage_path("numbers", given))
    return given if given is None or isinstance(given, str | int) else list(_flat(given))


def _is_path(numbers: Any) -> bool:
    if isinstance(numbers, ObjectStoragePath):
        return True
    return isinstance(numbers, str) and LOOKS_LIKE_PATH.match(numbers) is not None


def _is_output(numbers: Any) -> bool:
    """Return whether it is an XComArg, or a mapped task group's argument."""
    return hasattr(numbers, "iter_references")


def _flat(numbers: Any) -> Iterator[Any]:
    """Each number of a list; a list of two tasks' outputs may hold two lists."""
    for one in numbers:
        if isinstance(one, Iterable) and not isinstance(one, str | bytes):
            yield from one
        else:
            yield one


def normalized_numbers(name: str, path: Any) -> frozenset[str]:
    """
    Return the numbers of a text file, one a line, each in its one form.

    :param name: the argument that names the file, for errors.
    :param path: the file, any ``ObjectStoragePath``.
    :raises AlloincognitoQueryError: if there is no such file, or it has no number or a line that is none.
    """
    from airflow_provider_alloincognito.landing.rewriting.phone_numbers import normalize

    numbers = frozenset(map(normalize, _numbers_in(name, storage_path(name, path))))
    if not numbers or not all(any(map(str.isdigit, one)) for one in numbers):
        what = "with a line that is no number" if numbers else "without a number"
        raise AlloincognitoQueryError(
            f"{scrub(name)} is the path of a file {what}, so it is not clear what is meant. Write one number a line, "
            "and nothing else."
        )
    return numbers


def _numbers_in(name: str, path: ObjectStoragePath) -> list[str]:
    try:
        text: str = path.read_text(encoding="utf-8-sig")
        return [line for line in text.replace(";", ",").replace(",", "\n").splitlines() if line.strip()]
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
        raise AlloincognitoQueryError(
            f"{name} is the path of a file that cannot be read ({type(error).__name__}): {scrub(str(path))}. Give a "
            "list of numbers, or the path of a UTF-8 text file that every worker can read, with one number per line."
        ) from None
