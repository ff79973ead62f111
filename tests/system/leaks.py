"""Search for tokens and phone numbers in places that must hold none."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

# In any grouping: +7 (916) 123-45-67, 8 916 123 45 67, 79161234567.
PHONE_NUMBER = re.compile(r"(?<!\d)\+?[78]?[ (.-]{0,2}(\d{3})[ ).-]{0,2}(\d{3})[ .-]?(\d{2})[ .-]?(\d{2})(?!\d)")


class Leaks:
    """
    The texts to search for.

    :param tokens: searched for as a whole, and by their last parts, which no other text holds.
    :param numbers: searched for in any grouping of their digits.
    """

    def __init__(self, tokens: Iterable[str], numbers: Iterable[str]) -> None:
        self._tokens = {part for token in tokens for part in (token, token.rpartition(".")[2][:24]) if len(part) > 8}
        self._numbers = {number[-10:] for number in numbers}

    def found_in(self, text: str) -> set[str]:
        """Return the tokens and numbers that a text holds."""
        tokens = {token for token in self._tokens if token in text}
        numbers = {"".join(found.groups()) for found in PHONE_NUMBER.finditer(text)}
        return tokens | (numbers & self._numbers)


def texts_of(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the path and text of every file of a folder."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield str(file), file.read_text(encoding="utf-8", errors="replace")


def rows_of(database: Path) -> Iterator[tuple[str, str]]:
    """Yield the keys and text of every row of an SQLite database, Variables and Connections included."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            rows = db.execute(f'SELECT * FROM "{table}"')
            names = [name for name, *_ in rows.description]
            for row in rows:
                known = dict(zip(names, row, strict=True))
                keys = ", ".join(str(known[name]) for name in ("task_id", "dag_id", "run_id", "key") if name in known)
                yield f"{table}: {keys}", " ".join(_text(value) for value in row)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
