"""
A search for phone numbers, and for texts, in all that a chain of DAGs leaves behind, shows, or has written meanwhile.

Numbers are found by their last ten digits: as they are, with +7, 7 or 8, and grouped by what people write in between.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest

DIGITS = 10
_GROUPED = re.compile(rb"\d(?:(?:[ ()./\0-]|\xc2\xa0|\xe2\x80.){0,3}\d){9,}")
_NO_DIGITS = re.compile(rb"\D")
Part = tuple[str, bytes]


class Traces:
    """
    What is searched for.

    :param numbers: phone numbers, in any form.
    :param texts: texts that are found as they are.
    """

    def __init__(self, numbers: Iterable[str] = (), texts: Iterable[str] = ()) -> None:
        self._ends = {_NO_DIGITS.sub(b"", number.encode())[-DIGITS:] for number in numbers}
        self._texts = {text.encode() for text in texts}
        assert all(len(end) == DIGITS for end in self._ends)
        assert self._ends or self._texts, "a search for nothing would prove nothing"

    def found_in(self, content: bytes) -> set[str]:
        """Return what a content holds of it."""
        found = {text for text in self._texts if text in content}
        for group in _GROUPED.finditer(content):
            digits = _NO_DIGITS.sub(b"", group[0])
            found |= self._ends & {digits[at : at + DIGITS] for at in range(len(digits) - DIGITS + 1)}
        return {one.decode() for one in found}

    def places(self, parts: Iterable[Part]) -> set[str]:
        """Return the names of the parts that hold any of it."""
        return {name for name, content in parts if self.found_in(content)}


def files_in(folder: Path) -> Iterator[Part]:
    """Yield each file: its name, its bytes, and what Parquet, DuckDB and SQLite have in them."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name, content = str(path.relative_to(folder)), path.read_bytes()
        yield name, f"{name}\n".encode() + content
        if content[:4] == content[-4:] == b"PAR1":
            table = pyarrow.parquet.read_table(path)
            for column in table.column_names:
                yield f"{name}: {column}", str(table[column].to_pylist()).encode()
        elif content[8:12] == b"DUCK":
            with duckdb.connect(str(path)) as db:
                for (table_name,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                    rows = db.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {table_name}").fetchall()
                    yield f"{name}: {table_name}", str(rows).encode()
        elif content.startswith(b"SQLite format 3"):
            yield from tables_of_sqlite(path)


def tables_of_sqlite(path: Path) -> Iterator[Part]:
    """Yield each table: its name, and its values, also those that Airflow has compressed."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            values = (_plain(value) for row in db.execute(f'SELECT * FROM "{name}"') for value in row)
            yield f"{path.name}: {name}", b"\n".join(values)


def _plain(value: Any) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    with suppress(zlib.error):
        return zlib.decompress(value)
    return value


def keep_temporary_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Keep in a folder what exists only for a while: a file that is renamed or deleted as it is then, and spools.

    A spool is not compressed then, and has a name.
    """
    folder.mkdir()
    numbers = iter(range(1 << 30))

    def keeping(function: Any) -> Any:
        def keep(path: Any, *others: Any, **places: Any) -> Any:
            at = places.get("dir_fd") or places.get("src_dir_fd")
            full = os.path.join(f"/proc/self/fd/{at}", path) if at is not None else os.fspath(path)
            if os.path.isfile(full) and Path(os.fsdecode(full)).resolve().parent != folder:
                shutil.copy(full, folder / f"{next(numbers)} {os.path.basename(os.fsdecode(full))}"[:200])
            return function(path, *others, **places)

        return keep

    for name in ("rename", "replace", "unlink", "remove"):
        monkeypatch.setattr(os, name, keeping(getattr(os, name)))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    spools = partial(tempfile.NamedTemporaryFile, delete=False)
    monkeypatch.setattr(tempfile, "TemporaryFile", spools)
    from airflow_provider_alloincognito.landing.tables import spool

    monkeypatch.setattr(spool, "_codec", lambda: (bytes, lambda block, _size: block))
