"""The check of the built site finds what is broken, and what is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_site import problems

RIGHT = '<a href="other.html#here">a</a> <a href="https://example.org/x">b</a> <img src="data:image/png;base64,AA==">'
OTHER = '<h1 id="here">Here</h1> <a href=".">home</a>'


def site(folder: Path, page: str, style: str = "") -> Path:
    (folder / "index.html").write_text(page)
    (folder / "other.html").write_text(OTHER)
    (folder / "site.css").write_text(style)
    return folder


def test_a_site_that_is_right(tmp_path: Path) -> None:
    assert problems(site(tmp_path, RIGHT, "p { background: url(data:image/png;base64,AA==) }")) == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ('<a href="missing.html">a</a>', "missing.html does not exist"),
        ('<a href="other.html#there">a</a>', "other.html#there has no such anchor"),
        ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/f.css">', "loads //fonts.example/f.css"),
        ('<style>@import "https://fonts.example/f.css";</style>', "loads https://fonts.example/f.css"),
        ('<pre class="mermaid">graph</pre>', "loads //a script for diagrams"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, page: str, said: str) -> None:
    (found,) = problems(site(tmp_path, page))
    assert said in found


def test_what_a_style_sheet_loads_is_said(tmp_path: Path) -> None:
    (found,) = problems(site(tmp_path, RIGHT, "p { background: url('https://cdn.example/x.png') }"))
    assert "loads https://cdn.example/x.png" in found
