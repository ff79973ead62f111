"""Rows and recordings for the tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from airflow_provider_alloincognito.api.answer.rows import RowBatch


def batches_of(rows: Iterable[Mapping[str, Any]], size: int = 3) -> list[RowBatch]:
    """Cut rows into batches, as a response is."""
    texts = [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in rows]
    return raw_batches(texts, size)


def raw_batches(texts: list[bytes], size: int = 3) -> list[RowBatch]:
    """Cut rows that are given as JSON texts into batches."""
    return [RowBatch([msgspec.Raw(text) for text in texts[at : at + size]]) for at in range(0, len(texts), size)]


class Mp3:
    """A recording that arrives in chunks; its name is known afterwards."""

    def __init__(self, chunks: Iterable[bytes], file_name: str | None = "79120000001.mp3") -> None:
        self._chunks = chunks
        self._name = file_name
        self.file_name: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        self.file_name = self._name


class FakeServer:
    """Has recordings or errors by id; remembers which ids were requested."""

    def __init__(self, recordings: Mapping[str, bytes | Exception]) -> None:
        self.recordings = recordings
        self.requested: list[str] = []

    @contextmanager
    def __call__(self, record_file_id: str) -> Iterator[Mp3]:
        self.requested.append(record_file_id)
        content = self.recordings[record_file_id]
        if isinstance(content, Exception):
            raise content
        yield Mp3([content[at : at + 1000] for at in range(0, len(content), 1000)])


class Place:
    """As much of an ``ObjectStoragePath`` as landing needs. Importing Airflow takes seconds."""

    protocol = "s3"

    def __init__(self, fs: Any, path: str) -> None:
        self.fs, self.path = fs, path

    def __truediv__(self, name: str) -> Place:
        return Place(self.fs, f"{self.path}/{name}")

    def __str__(self) -> str:
        return f"s3://{self.path}"

    @property
    def parent(self) -> Place:
        return Place(self.fs, self.path.rpartition("/")[0])

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]
