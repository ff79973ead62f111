"""Search logs for tokens; the search proves itself on a planted one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

CANARY = "canary.log"


def files_with_tokens(folder: Path, tokens: Iterable[str]) -> list[Path]:
    """
    Return the files of a folder that hold a token.

    :raises RuntimeError: if the search misses the token that it has planted.
    """
    sought = [token.encode() for token in tokens]
    canary = folder / CANARY
    canary.write_bytes(b"Authorization: Bearer " + sought[-1] + b"\n")
    try:
        found = [path for path in sorted(folder.rglob("*")) if path.is_file() and _holds(path, sought)]
    finally:
        canary.unlink()
    if canary not in found:
        raise RuntimeError("The search for tokens did not find the planted one.")
    return [path for path in found if path != canary]


def _holds(path: Path, sought: list[bytes]) -> bool:
    content = path.read_bytes()
    # A token's signature alone would be as bad as the whole token.
    return any(token in content or token.rsplit(b".", 1)[-1] in content for token in sought)
