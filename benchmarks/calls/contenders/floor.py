"""The floors: ``python -m benchmarks.calls.contenders.floor to-file|orjson URL FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import requests

from benchmarks.common.stopwatch import measured


def to_file(url: str, folder: Path) -> None:
    """From the socket to a file, and nothing else."""
    with measured(), requests.post(url, json={}, stream=True) as answer, (folder / "body.json").open("wb") as file:
        for chunk in answer.iter_content(1 << 18):
            file.write(chunk)


def by_orjson(url: str, folder: Path) -> None:
    """orjson alone: the body is there already, and its rows go nowhere."""
    body = requests.post(url, json={}).content
    with measured():
        orjson.loads(body)


if __name__ == "__main__":
    what, url, folder = sys.argv[1:]
    {"to-file": to_file, "orjson": by_orjson}[what](url, Path(folder))
