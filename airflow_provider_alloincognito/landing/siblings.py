"""The names of unfinished files: hidden, beside their target, and recognisable by the next run."""

from __future__ import annotations

import os
import re
import secrets

_SIBLING = re.compile(r"\.(?P<target>.+)\.\d+-[0-9a-f]{16}\.part", re.DOTALL)


def sibling_name(target: str) -> str:
    """Make up a name for an unfinished file that will become ``target``."""
    return f".{target}.{os.getpid()}-{secrets.token_hex(8)}.part"


def target_of(name: str) -> str | None:
    """Say of which file this is an unfinished sibling; None if it is none."""
    found = _SIBLING.fullmatch(name)
    return found["target"] if found else None
