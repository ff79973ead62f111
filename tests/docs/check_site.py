"""
Checks the built site: every link and anchor leads somewhere, and no page loads anything from elsewhere.

``make docs`` runs it, in the environment that has built the site: ``python tests/docs/check_site.py public``.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What style sheets load.
IN_STYLES = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")
# What pages load, besides what a <link> of these relations names. Links that a reader follows are none of it.
LOADING = {"script", "img", "iframe", "audio", "video", "source", "embed"}
RELATIONS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "manifest"}


class Page(HTMLParser):
    """
    What the check needs to know of a page, a picture or a style sheet.

    Has the addresses that it ``links`` to and ``loads``, and the ``anchors`` that others may link to.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = IN_STYLES.findall(text)
        self.anchors = {"", "__top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values.get("id", ""), values.get("name", "") if tag == "a" else ""}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in LOADING and "src" in values:
            self.loads.append(values["src"])
        if tag == "link" and RELATIONS & set(values.get("rel", "").split()):
            self.loads.append(values.get("href", ""))
        if "mermaid" in values.get("class", "").split():
            self.loads.append("//a script for diagrams: draw them with make docs-diagrams")


def problems(site: Path) -> list[str]:
    """Return what is wrong with a site, a line each."""
    files = {path.resolve() for path in site.rglob("*") if path.is_file()}
    pages = {
        path: Page(path.read_text(encoding="utf-8"))
        for path in sorted(files)
        if path.suffix in (".html", ".svg", ".css")
    }
    found = []
    for path, page in pages.items():
        for address in page.links + page.loads:
            url = urlsplit(address)
            if url.scheme == "data" or path.name == "404.html":  # whose addresses are those of a server's root
                continue
            if url.netloc or url.scheme:
                found += [f"{path}: loads {address}"] if address in page.loads else []
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            target = target / "index.html" if target.is_dir() else target
            if target not in files:
                found.append(f"{path}: {address} does not exist")
            elif target in pages and unquote(url.fragment) not in pages[target].anchors:
                found.append(f"{path}: {address} has no such anchor")
    return found


def main(site: Path) -> int:
    """Check a site, and return an exit code."""
    found = problems(site)
    pages = len(list(site.rglob("*.html")))
    print(
        *found or [f"{pages} pages in {site}/: every link leads somewhere, and nothing is loaded from elsewhere."],
        sep="\n",
    )
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
