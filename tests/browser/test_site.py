"""The documentation site, opened from the disk: nothing is loaded from elsewhere, it fits a phone, the search finds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage

SITE = Path(__file__).parents[2] / "public"
DESKTOP, PHONE = (1280, 900), (390, 844)
# A page that is opened from a disk may not read the list of all pages, which only the switch of versions needs.
HARMLESS = "sitemap.xml"

pytestmark = [pytest.mark.browser, pytest.mark.long]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page(browser: Browser, size: tuple[int, int], scheme: str) -> None:
    pages = sorted(path for path in SITE.rglob("*.html") if path.name != "404.html")  # only a server shows that one
    assert pages, "make docs builds the site"
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    requests: list[str] = []
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and HARMLESS not in message.text and HARMLESS not in message.location["url"]:
            errors.append(message.text)

    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", note)
    too_wide = []
    for path in pages:
        page.goto(path.as_uri())
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            too_wide.append(str(path))
    context.close()
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert errors == []
    assert too_wide == []


@pytest.mark.parametrize(
    ("start", "words", "expected"),
    [
        ("index.html", "readable", "troubleshooting.html"),
        ("index.html", "troubleshooting", "troubleshooting.html"),
        ("index.html", "AlloincognitoCallListOperator", "reference/operators.html"),
        ("ru/index.html", "песочниц", "ru/howto/testing.html"),
        ("ru/index.html", "сертификат", "ru/network.html"),
    ],
)
def test_the_search(browser: Browser, start: str, words: str, expected: str) -> None:
    page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    page.goto((SITE / start).as_uri())
    page.locator("input.md-search__input").click()
    page.keyboard.type(words)
    page.keyboard.press("End")  # the search listens to keys, and Cyrillic letters are typed without any
    address = (SITE / expected).as_uri()
    page.locator(f'.md-search-result__link[href^="{address}"]').first.wait_for(timeout=60_000)
    page.close()


def test_a_page_leads_to_its_translation_and_back(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    page.goto((SITE / "howto" / "s3.html").as_uri())
    for language, title in (("ru", "Выгрузка в S3"), ("en", "Write to S3")):
        page.locator(".md-header .md-select").hover()
        page.locator(f".md-header .md-select a[hreflang={language}]").click()
        page.get_by_role("heading", name=title).wait_for()
        assert page.url.startswith((SITE).as_uri())
    page.close()
