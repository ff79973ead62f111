"""
The code blocks of README.md and of the documentation's pages.

A comment before a block, which a reader does not see, says how it is run: ``<!-- code: background -->``. A block that
begins with a comment like ``# dags/calls.py`` is that file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
TRANSLATED = ".ru.md"

_DIRECTIVE = re.compile(r"\s*<!-- code: (.*?) -->\s*")
_FILE = re.compile(r"# ([\w./-]+\.py)\n")
_MARKDOWN = MarkdownIt("commonmark")


@dataclass(frozen=True)
class Block:
    """
    One code block.

    :param page: its page, relative to the repository.
    :param line: the number of its first line.
    :param language: what it is highlighted as.
    :param text: the code.
    :param how: what the comment before it says: ``not run, REASON``, ``parsed only, REASON``, ``Airflow 3.3`` (that it
        needs), ``background``, ``a server without a document``; empty without one.
    """

    page: str
    line: int
    language: str
    text: str
    how: str = ""

    @property
    def file(self) -> str | None:
        """The file that it is, if it says so."""
        found = _FILE.match(self.text)
        return found[1] if found else None

    @property
    def airflow(self) -> tuple[int, ...]:
        """The Airflow that it needs."""
        found = re.fullmatch(r"Airflow ([\d.]+)", self.how)
        return tuple(map(int, found[1].split("."))) if found else ()

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages(language: str = "en") -> list[Path]:
    """Return README.md and all pages in a language: ``en`` or ``ru``."""
    translated = sorted(DOCS.rglob(f"*{TRANSLATED}"))
    if language == "ru":
        return translated
    return [REPOSITORY / "README.md", *(page for page in sorted(DOCS.rglob("*.md")) if page not in translated)]


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page, in order."""
    return list(_blocks(page))


def _blocks(page: Path) -> Iterator[Block]:
    name = str(page.relative_to(REPOSITORY))
    how = ""
    for token in _MARKDOWN.parse(page.read_text(encoding="utf-8")):
        if token.type == "fence" and token.map:
            yield Block(name, token.map[0] + 2, token.info.split(" ")[0], token.content, how)
        directive = _DIRECTIVE.fullmatch(token.content) if token.type == "html_block" else None
        how = directive[1] if directive else ""
