"""
Draws the diagrams of the documentation: ``docs/images/*.mmd`` become pictures beside them.

``make docs-diagrams`` runs it, with Mermaid from npm in a real Chromium. Site and plain files then need no script.
"""

from __future__ import annotations

import sys
from pathlib import Path

from chromium import chromium

IMAGES = Path(__file__).parents[2] / "docs" / "images"
DRAW = """async text => {
    mermaid.initialize({startOnLoad: false, theme: "neutral", fontFamily: "sans-serif", htmlLabels: false,
                        flowchart: {htmlLabels: false}});
    return (await mermaid.render("diagram", text)).svg;
}"""


def main(mermaid: str) -> None:
    """Draw all of them with the given ``mermaid.min.js``."""
    with chromium() as browser:
        page = browser.new_page()
        page.set_content("<html><body></body></html>")
        page.add_script_tag(path=mermaid)
        for source in sorted(IMAGES.glob("*.mmd")):
            source.with_suffix(".svg").write_text(page.evaluate(DRAW, source.read_text()) + "\n")
            print(source.with_suffix(".svg"))


if __name__ == "__main__":
    main(sys.argv[1])
