"""The report's page; code: example_dags/alloincognito_report_page."""

from __future__ import annotations

import html
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from report_pages import data_in, seen

EXAMPLES = Path(__file__).parents[2] / "example_dags"
NUMBERS = ["79161234567", "88005553535"]
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "days": [(date(2025, 10, 30), 2, 90, 1), (date(2025, 10, 31), 1, 0, 0), (date(2025, 11, 3), 1234, 360_000, 1200)],
    "hours": [(1, 9, 1234), (4, 0, 2), (5, 23, 1)],
    "outcomes": [("1", "answered", 1200), ("1", "unanswered", 30), ("2", "unanswered", 6), (None, None, 1)],
    "numbers": [(NUMBERS[0], 1236), (NUMBERS[1], 3), ("0" * 31 + "f", 2)],
    "recordings": [(date(2025, 10, 30), 2, 0), (date(2025, 11, 3), 1000, 7)],
}
EMPTY: dict[str, list[tuple[Any, ...]]] = {name: [] for name in ROWS}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)><a href='javascript:alert(1)'>x</a>"
# All that a reader of the Russian page may find in Latin letters: units and names that are so in Russian, too.
LATIN = {"Europe", "Moscow", "JavaScript"}


@pytest.fixture(autouse=True)
def _beside_the_example_dags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


def page(language: str = "en", **other_rows: Any) -> str:
    from alloincognito_report_page import make_page

    directions = {"1": "outgoing", "2": "incoming"}
    made: str = make_page({**ROWS, **other_rows}, zone="Europe/Moscow", directions=directions, language=language)
    return made


def own_scripts(text: str) -> str:
    """Return a page without the library's script."""
    from plotly.offline import get_plotlyjs

    assert get_plotlyjs() in text
    return text.replace(get_plotlyjs(), "")


def test_the_charts_show_the_rows() -> None:
    charts = data_in(page())
    hours = charts["hours"]["data"][0]
    assert {
        (hours["y"][weekday], hours["x"][hour]): calls
        for weekday, line in enumerate(hours["z"])
        for hour, calls in enumerate(line)
        if calls
    } == {("Mon", 9): 1234, ("Thu", 0): 2, ("Fri", 23): 1}
    outcomes = {
        (direction, bar["name"]): calls
        for bar in charts["outcomes"]["data"]
        for direction, calls in zip(bar["y"], bar["x"], strict=True)
        if calls
    }
    assert outcomes == {
        ("outgoing", "answered"): 1200,
        ("outgoing", "unanswered"): 30,
        ("incoming", "unanswered"): 6,
        ("unknown", "unknown"): 1,
    }
    talk = charts["talk"]["data"][0]
    assert dict(zip(talk["x"], talk["y"], strict=True)) == {"2025-10-30": 0.025, "2025-10-31": 0, "2025-11-03": 100}
    recordings = {bar["name"]: dict(zip(bar["x"], bar["y"], strict=True)) for bar in charts["recordings"]["data"]}
    assert recordings == {
        "landed": {"2025-10-30": 2, "2025-11-03": 1000},
        "failed": {"2025-10-30": 0, "2025-11-03": 7},
    }
    assert charts["numbers"]["data"][0]["x"] == [1236, 3, 2]


def test_the_calendar_marks_the_days_that_are_missing() -> None:
    calls, gaps = data_in(page())["coverage"]["data"]
    marked = [
        {trace["text"][weekday][week].replace("\u202f", " "): calls}
        for trace in (calls, gaps)
        for weekday, line in enumerate(trace["z"])
        for week, calls in enumerate(line)
        if calls is not None
    ]
    assert marked == [
        {"3 Nov 2025": 1234}, {"30 Oct 2025": 2}, {"31 Oct 2025": 1}, {"1 Nov 2025": 0}, {"2 Nov 2025": 0}
    ]  # fmt: skip
    said = seen(page()).replace("\u202f", " ")
    assert "The table has no call of: 1 Nov 2025 – 2 Nov 2025." in said
    assert "3 of 5 Days with calls" not in said
    assert "Days with calls 3 of 5" in said
    assert "No day is missing." in seen(page(days=ROWS["days"][:2]))


def test_many_gaps_are_not_all_named() -> None:
    days = [(date(2025, month, day), 1, 0, 0) for month in range(1, 13) for day in (1, 3)]
    assert "and 13 more." in seen(page(days=days))


def test_the_sums() -> None:
    said = seen(page()).replace("\u202f", " ")
    assert said.startswith(
        "Calls, 30 Oct 2025 – 3 Nov 2025 Calls 30 Oct 2025 – 3 Nov 2025 Calls 1,237 Talk time 100 h 02 min"
    )
    assert "Answered 97 %" in said
    assert "Recordings landed 1,002 Recordings failed 7" in said


def test_numbers_are_digests_with_a_key_of_the_page() -> None:
    first, second = page(), page()
    shown = [data_in(one)["numbers"]["data"][0]["y"] for one in (first, second)]
    assert [len(name) for name in shown[0]] == [8, 8, 8]
    assert shown[0][2] == "00000000", "a digest that landed as one remains the same"
    assert not set(shown[0][:2]) & set(shown[1][:2])
    assert "a key of its own" in seen(first)
    assert "a key of its own" not in seen(page(numbers=ROWS["numbers"][2:]))
    for number in NUMBERS:
        assert number[-7:] not in own_scripts(first)


def test_values_of_the_data_are_neither_markup_nor_script() -> None:
    text = own_scripts(page(outcomes=[(HOSTILE, HOSTILE, 5)], numbers=[(HOSTILE, 5)]))
    assert text.count("<script") == 3
    assert "<img" not in text
    (bar,) = data_in(text)["outcomes"]["data"]
    # Plotly's labels know some of HTML: there, too, the text is shown as it is.
    shown = html.escape(f"{HOSTILE[:19]}…", quote=False)
    assert (bar["y"], bar["name"]) == ([shown], shown)


def test_nothing_is_loaded() -> None:
    text = own_scripts(page())
    assert "http:" not in text
    assert "https:" not in text
    assert re.findall(r"(?:src|href)\s*=|url\(|@import|<link|<iframe", text) == []
    assert "default-src 'none'" in text


def test_in_russian() -> None:
    text = page("ru")
    said = seen(text).replace("\u202f", " ")
    assert '<html lang="ru">' in text
    assert "Звонки 1 237 Время разговоров 100 ч 02 мин" in said
    assert "В таблице нет ни одного звонка за: 1 ноя 2025 – 2 ноя 2025." in said
    charts = data_in(text)
    assert charts["hours"]["data"][0]["y"] == ["Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс"]
    labels = [
        trace.get(name, "")
        for chart in charts.values()
        for trace in chart["data"]
        for name in ("name", "hovertemplate")
    ]
    in_charts = re.sub(r"%\{[^}]*\}|<[^>]*>", " ", " ".join([*labels, *charts["outcomes"]["data"][0]["y"]]))
    said += in_charts + seen(page("ru", **EMPTY)) + seen(page("ru", recordings=[], days=ROWS["days"][:2]))
    assert set(re.findall(r"[A-Za-z]{2,}", said)) <= LATIN


@pytest.mark.parametrize(("language", "text"), [("en", "The tables have no calls yet."), ("ru", "пока нет звонков")])
def test_empty_tables(language: str, text: str) -> None:
    made = page(language, **EMPTY)
    assert text in seen(made)
    assert "<script" not in made


def test_calls_without_recordings() -> None:
    made = page(recordings=[])
    assert "There are no recordings." in seen(made)
    assert "recordings" not in data_in(made)


def test_an_unknown_language_is_an_error() -> None:
    with pytest.raises(ValueError, match="choose one of en, ru"):
        page("de")
