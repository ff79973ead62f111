"""Floors and the plain way: ``python -m benchmarks.recordings.contenders.floor to-file|hashed|whole URL FOLDER``."""

from __future__ import annotations

import base64
import sys
from hashlib import sha256
from pathlib import Path

import requests

from benchmarks.common.stopwatch import measured


def to_file(url: str, folder: Path) -> None:
    """From the socket to a file: nothing is decoded."""
    with measured(), requests.get(url, stream=True) as answer, (folder / "body.json").open("wb") as file:
        for chunk in answer.iter_content(1 << 18):
            file.write(chunk)


def hashed(url: str, folder: Path) -> None:
    """The same, and the SHA-256 that a manifest wants."""
    digest = sha256()
    with measured(), requests.get(url, stream=True) as answer, (folder / "body.json").open("wb") as file:
        for chunk in answer.iter_content(1 << 18):
            file.write(chunk)
            digest.update(chunk)


def whole(url: str, folder: Path) -> None:
    """The whole answer at once, as one would write it."""
    with measured():
        result = requests.get(url).json()["result"]
        (folder / "recording.mp3").write_bytes(base64.b64decode(result["fileContent"]))


if __name__ == "__main__":
    what, url, folder = sys.argv[1:]
    {"to-file": to_file, "hashed": hashed, "whole": whole}[what](url, Path(folder))
