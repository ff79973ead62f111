"""A bucket of a real S3 that a call lands files in, and what the call leaves there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from raw_server import mp3
from s3_server import S3


class Bucket:
    """
    One call's own bucket.

    :param s3: the server.
    :param name: of the bucket, which is made.
    """

    def __init__(self, s3: S3, name: str) -> None:
        self.name = name
        self.at_signal = 0
        """How many uploads in parts were under way when last asked, before the signal."""
        self._fs: Any = s3.file_system()
        self._fs.mkdir(name)

    def has_begun(self, uploads: int) -> bool:
        """Return whether so many uploads in parts are under way."""
        if uploads:
            self.at_signal = len(self._uploads())
        return self.at_signal >= uploads

    def has_landed(self, recordings: int) -> bool:
        """Return whether so many recordings are there."""
        return not recordings or sum(name.endswith(".mp3") for name in self._names()) >= recordings

    def problems(self, uploads: int) -> Iterator[str]:
        """
        Say what a stopped call should not have left.

        :param uploads: so many should have been under way at the signal.
        """
        if self.at_signal < uploads:
            yield f"Only {self.at_signal} of {uploads} uploads were under way at the signal."
        if dangling := self._uploads():
            yield f"{len(dangling)} uploads were neither completed nor aborted: {dangling[0]['Key']}"
        files = self.files()
        for line in map(json.loads, files.pop(".manifest.jsonl.journal", b"").splitlines()):
            if line["sha256"] != hashlib.sha256(files.get(f"{line['id']}.mp3", b"")).hexdigest():
                yield f"The journal has a line for {line['id']}, which has not landed so."
        for name, content in files.items():
            if content != mp3(name.removesuffix(".mp3")):
                yield f"Under {name} there is no whole recording."

    def files(self) -> dict[str, bytes]:
        return {path.rpartition("/")[2]: self._fs.cat_file(path) for path in self._names()}

    def _names(self) -> list[str]:
        self._fs.invalidate_cache()
        names: list[str] = self._fs.find(self.name)
        return names

    def _uploads(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._fs.list_multipart_uploads(self.name)
        return found
