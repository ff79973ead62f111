"""The report in a real Chromium: a phone and a desktop, light and dark, English and Russian."""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EXAMPLES = Path(__file__).parents[2] / "example_dags"
SIZES = {"phone": (360, 740), "narrow": (320, 640), "desktop": (1280, 900)}
CHARTS = ["hours", "outcomes", "talk", "coverage", "recordings", "numbers"]
# Those that the documentation shows.
PICTURES = {("desktop", "light"): "report", ("phone", "dark"): "report-phone"}
LEAST_CONTRAST = 4.5
# What WCAG calls the contrast of two colours. A text's background is that of the nearest element that has one.
CONTRASTS = """
() => {
  const luminance = ([r, g, b]) => [r, g, b]
    .map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("h1, h2, p, dt, dd, svg text")].filter(one => one.textContent.trim());
  return texts.map(one => {
    const style = getComputedStyle(one);
    const colours = [one.namespaceURI.endsWith("svg") ? style.fill : style.color, behind(one)];
    const [light, dark] = colours.map(colour => luminance(channels(colour))).sort((a, b) => b - a);
    return [(light + 0.05) / (dark + 0.05), one.textContent];
  });
}
"""
OVERFLOWING = """
() => [...document.querySelectorAll("svg text, h1, h2, p, dt, dd")].filter(one => {
  const card = (one.closest("section, dl > div") || document.documentElement).getBoundingClientRect();
  const text = one.getBoundingClientRect();
  return text.width && (text.left < card.left - 1 || text.right > card.right + 1);
}).map(one => one.textContent)
"""

pytestmark = [pytest.mark.browser, pytest.mark.long]


def rows_of_a_quarter() -> dict[str, list[tuple[Any, ...]]]:
    """Return what the queries give for 90 days, three of which are missing."""
    dice = random.Random(1)
    days, hours, recordings = [], Counter[tuple[int, int]](), []
    for number in range(90):
        day = date(2026, 1, 1) + timedelta(days=number)
        if number in (20, 21, 50):
            continue
        calls = int((150 if day.weekday() > 4 else 420) * dice.uniform(0.75, 1.25))
        hours.update((day.isoweekday(), min(23, max(0, round(dice.gauss(13.5, 3))))) for _ in range(calls))
        days.append((day, calls, calls * dice.randint(90, 130), calls * 4 // 5))
        recordings.append((day, calls * 2 // 3, calls // 25 if number % 9 == 0 else 0))
    total = sum(hours.values())
    return {
        "days": days,
        "hours": [(weekday, hour, calls) for (weekday, hour), calls in hours.items()],
        "outcomes": [
            ("1", "answered", total * 4 // 10),
            ("1", "unanswered", total // 10),
            ("2", "answered", total * 4 // 10),
            ("2", "unanswered", total // 10),
        ],
        "numbers": [(f"7916000000{number}", total // (number + 3)) for number in range(10)],
        "recordings": recordings,
    }


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A report in each language."""
    assert find_spec("plotly"), "make environment installs it"
    sys.path.insert(0, str(EXAMPLES))
    from alloincognito_report_page import make_page

    folder = tmp_path_factory.mktemp("reports")
    made = {language: folder / f"{language}.html" for language in ("en", "ru")}
    for language, path in made.items():
        directions = {"1": "outgoing", "2": "incoming"}
        text = make_page(rows_of_a_quarter(), zone="Europe/Moscow", directions=directions, language=language)
        path.write_text(text, encoding="utf-8")
    yield made
    sys.path.remove(str(EXAMPLES))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_report(
    browser: Browser, reports: dict[str, Path], images: Path, size: str, scheme: str, language: str
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(reports[language].as_uri())
    for chart in CHARTS:
        assert_drawn(page, chart)
    assert [url for url in requests if not url.startswith("data:")] == [reports[language].as_uri()]
    assert errors == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OVERFLOWING) == []
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 60
    assert [found for found in contrasts if found[0] < LEAST_CONTRAST] == []
    if name := PICTURES.get((size, scheme)):
        suffix = "" if language == "en" else f".{language}"
        page.screenshot(path=images / f"{name}{suffix}.png", full_page=size == "desktop")
    context.close()


def test_colours_follow_a_switch_of_the_scheme(browser: Browser, reports: dict[str, Path]) -> None:
    page = browser.new_page(color_scheme="light")
    page.goto(reports["en"].as_uri())
    assert_drawn(page, "numbers")
    light = colours(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "before => getComputedStyle(document.querySelector('#hours text')).fill !== before", arg=light[0]
    )
    assert all(before != after for before, after in zip(light, colours(page), strict=True))
    page.emulate_media(color_scheme="light")
    page.wait_for_function(
        "before => getComputedStyle(document.querySelector('#hours text')).fill === before", arg=light[0]
    )
    assert colours(page) == light
    page.close()


def test_a_phone_that_is_turned(browser: Browser, reports: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 740, "height": 360})
    page.goto(reports["en"].as_uri())
    assert_drawn(page, "numbers")
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function("() => document.querySelector('#numbers svg').getBoundingClientRect().width < 360")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.close()


def test_what_a_finger_points_at_is_named(browser: Browser, reports: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(reports["ru"].as_uri())
    assert_drawn(page, "outcomes")
    page.locator("#outcomes .nsewdrag").hover(position={"x": 20, "y": 20})
    label = page.locator("#outcomes .hoverlayer text").first
    label.wait_for()
    assert re.search(r"[\d\u202f]+ звонков", page.locator("#outcomes .hoverlayer").text_content() or "")
    page.close()


def test_values_of_the_data_run_nothing(browser: Browser, tmp_path: Path, reports: dict[str, Path]) -> None:
    from alloincognito_report_page import make_page

    hostile = "</script><script>document.title = 'run'</script><b>x</b><img src=x onerror=\"document.title = 'run'\">"
    rows = {**rows_of_a_quarter(), "outcomes": [(hostile, hostile, 5), ("2", "answered", 3)], "numbers": [(hostile, 5)]}
    file = tmp_path / "hostile.html"
    file.write_text(make_page(rows, zone="Europe/Moscow", directions={}), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    assert_drawn(page, "outcomes")
    assert page.title().startswith("Calls, ")
    assert page.locator("section img, section b").count() == 0
    assert hostile[:19] in (page.locator("#outcomes").text_content() or "")
    page.close()


def assert_drawn(page: Page, chart: str) -> None:
    """The bars, or the image that a heat map is, have a size."""
    shapes = page.locator(f"#{chart} .bars path, #{chart} .hm image")
    shapes.first.wait_for(state="attached")
    boxes = [box for shape in shapes.all() if (box := shape.bounding_box())]
    assert max(box["width"] for box in boxes) > 1
    assert max(box["height"] for box in boxes) > 1


def colours(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "[getComputedStyle(document.querySelector('#hours text')).fill,"
        " getComputedStyle(document.querySelector('#talk .bars path')).fill,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    return found
