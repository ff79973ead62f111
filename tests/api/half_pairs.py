"""How texts with half of a surrogate pair are read."""

from __future__ import annotations

import re
from typing import Any


def whole(value: Any) -> Any:
    """Return ``value`` with U+FFFD in place of every half of a surrogate pair."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict):
        return {whole(key): whole(inner) for key, inner in value.items()}
    return [whole(inner) for inner in value] if isinstance(value, list) else value
