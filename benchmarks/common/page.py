"""Tables in Markdown, and the page that keeps them."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from benchmarks.common.environments import REQUIREMENTS

OURS = ("apache-airflow", "ijson", "msgspec", "pyarrow", "pybase64", "requests")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; all columns but the first are figures."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def promises(kept: dict[str, bool]) -> str:
    """Say of each promise whether it was kept."""
    return "\n".join(f"- {'Kept' if yes else '**Not kept**'}: {text}" for text, yes in kept.items())


def machine(peers: Iterable[str] = (), own_load: str = "about 1") -> str:
    """Say where the figures come from."""
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1000**3
    versions = ", ".join(f"{name} {version(name)}" for name in OURS)
    beside = ", ".join(REQUIREMENTS[peer][0].replace("==", " ") for peer in peers)
    return (
        f"Measured on {date.today()}: {processor[1] if processor else platform.machine()}, {os.cpu_count()} cores, "
        f"{gigabytes:.0f} GB, {platform.system()} {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}; load average at the end {os.getloadavg()[0]:.1f}, this benchmark's own "
        f"{own_load}. {versions}{'; beside them ' + beside if beside else ''}."
    )


def publish(name: str, text: str, page: Path | None) -> None:
    """Print a benchmark's part of the page, and put it there."""
    print(text)
    if page is None:
        return
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    content = page.read_text()
    if not pattern.search(content):
        sys.exit(f"{page} has no place for the tables of {name}: {begin} ... {end}")
    page.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", content))
