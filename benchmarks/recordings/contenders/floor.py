"""The floor and the plain way: ``python -m benchmarks.recordings.contenders.floor to-file|whole URL FOLDER``."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import requests

from benchmarks.common.stopwatch import measured


def to_file(url: str, folder: Path) -> None:
    """From the socket to a file: nothing is decoded."""
    with measured(), requests.get(url, stream=True) as answer, (folder / "body.json").open("wb") as file:
        for chunk in answer.iter_content(1 << 18):
            file.write(chunk)


def whole(url: str, folder: Path) -> None:
    """The whole answer at once, as one would write it."""
    with measured():
        result = requests.get(url).json()["result"]
        (folder / "recording.mp3").write_bytes(base64.b64decode(result["fileContent"]))


if __name__ == "__main__":
    what, url, folder = sys.argv[1:]
    {"to-file": to_file, "whole": whole}[what](url, Path(folder))
