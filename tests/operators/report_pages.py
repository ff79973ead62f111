"""Read the report's page: the data of its charts, and what it says."""

from __future__ import annotations

import html
import json
import re
from typing import Any


def data_in(text: str) -> dict[str, Any]:
    """Return the charts of a page by their ids."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    charts: dict[str, Any] = json.loads(found)["charts"]
    return charts


def seen(text: str) -> str:
    """Return what a page says outside its charts."""
    return " ".join(html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", text, flags=re.DOTALL)).split())
