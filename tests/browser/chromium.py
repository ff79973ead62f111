"""The Chromium that is installed on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """
    Start it, without a window.

    :raises FileNotFoundError: if there is none; the text says what to install.
    """
    if not Path(CHROMIUM).exists():
        raise FileNotFoundError(
            f"There is no Chromium at {CHROMIUM}. Install it (Debian and Ubuntu: apt-get install chromium), or name "
            "another one: CHROMIUM=/path/to/chromium make ..."
        )
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()
