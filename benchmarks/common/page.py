"""Tables in Markdown, and the page that they are written to."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from benchmarks.common.environments import REQUIREMENTS

LIBRARIES = ("apache-airflow", "ijson", "msgspec", "pyarrow", "pybase64", "requests")


def command_line(name: str) -> argparse.ArgumentParser:
    """Return a benchmark's parser, with the option that all have."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace this benchmark's tables in the page")
    return parser


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all columns but the first are figures."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine(peers: Iterable[str] = (), own_load: str = "about 1", others: Sequence[str] = ()) -> str:
    """
    Say where, when and with which versions the figures were measured.

    :param peers: environments of other packages that were measured.
    :param own_load: what the benchmark adds to the load average by itself.
    :param others: further packages of this environment that were measured.
    """
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1000**3
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    compared = [REQUIREMENTS[peer][0].replace("==", " ") for peer in peers]
    compared += [f"{name} {version(name)}" for name in others]
    return (
        f"Measured on {date.today()}: {processor[1] if processor else platform.machine()}, {os.cpu_count()} cores, "
        f"{gigabytes:.0f} GB, {platform.system()} {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}; load average at the end {os.getloadavg()[0]:.1f}, of which this "
        f"benchmark {own_load}. {versions}{'; compared with ' + ', '.join(compared) if compared else ''}."
    )


def publish(name: str, parts: Iterable[str], kept: dict[str, bool], page: Path | None) -> int:
    """
    Print a benchmark's tables and promises, and write them to the page.

    :param kept: each promise, and whether it was kept.
    :return: the exit code: 1 if a promise was not kept.
    """
    promises = "\n".join(f"- {'Kept' if yes else '**Not kept**'}: {text}" for text, yes in kept.items())
    text = "\n\n".join([*parts, promises])
    print(text)
    if page is not None:
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        content = page.read_text()
        if not pattern.search(content):
            sys.exit(f"{page} has no place for the tables of {name}. Add {begin} and {end}.")
        page.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", content))
    return 0 if all(kept.values()) else 1
