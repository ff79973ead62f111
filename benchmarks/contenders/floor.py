"""The least that others take: ``python -m benchmarks.contenders.floor to-file|hashed|json|orjson URL FOLDER``."""

from __future__ import annotations

import base64
import sys
from hashlib import sha256
from pathlib import Path

import requests

from benchmarks.common.stopwatch import measured


def to_file(url: str, folder: Path, *, hashed: bool = False) -> None:
    """
    Write the response to a file and decode nothing.

    :param hashed: compute the SHA-256 that a manifest needs, too.
    """
    digest = sha256()
    with measured(), requests.get(url, stream=True) as response, (folder / "body.json").open("wb") as file:
        for block in response.iter_content(1 << 18):
            file.write(block)
            if hashed:
                digest.update(block)


def recording_by_json(url: str, folder: Path) -> None:
    """Land a recording the obvious way: the whole response at once."""
    with measured():
        result = requests.get(url).json()["result"]
        (folder / "recording.mp3").write_bytes(base64.b64decode(result["fileContent"]))


def parse_with_orjson(url: str, folder: Path) -> None:
    """Parse a call list that is in memory already, and write nothing."""
    import orjson  # only the environment for the floors has it

    body = requests.get(url).content
    with measured():
        orjson.loads(body)


def main(work: str, url: str, output: str) -> None:
    """Do the work with this name."""
    folder = Path(output)
    if work in ("to-file", "hashed"):
        to_file(url, folder, hashed=work == "hashed")
    else:
        {"json": recording_by_json, "orjson": parse_with_orjson}[work](url, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
