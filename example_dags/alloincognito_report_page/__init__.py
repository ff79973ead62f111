"""Make the report: one HTML page with its charts, their script and their data in it. It loads nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import plotly.graph_objects as go
from jinja2 import Environment
from plotly.offline import get_plotlyjs

from alloincognito_report_page import charts
from alloincognito_report_page.texts import LANGUAGES, Texts

Rows = Mapping[str, Sequence[Any]]
TEMPLATE = Path(__file__).with_name("page.html")
MOST_GAPS = 10


class Card(NamedTuple):
    """A chart with what stands above it."""

    id: str
    title: str
    text: str
    figure: go.Figure | None


def make_page(rows: Rows, *, zone: str, directions: Mapping[str, str], language: str = "en") -> str:
    """
    Return the page as HTML.

    :param rows: the rows of each query in ``alloincognito_report.sql``, by its name.
    :param zone: of days and hours, as the page names it.
    :param directions: ``incoming`` or ``outgoing`` by value of the column ``direction``; other values are shown as
        they are.
    :param language: ``en`` or ``ru``.
    :raises ValueError: if there is no such language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"There is no report in the language {language!r}: choose one of {', '.join(LANGUAGES)}.")
    texts = LANGUAGES[language]
    days = rows["days"]
    cards = list(_cards(rows, zone, directions, texts)) if days else []
    data = {
        "charts": {card.id: card.figure.to_plotly_json() for card in cards if card.figure},
        "themes": charts.themes(),
        "locale": texts.plotly_locale(),
    }
    return (
        Environment(autoescape=True)
        .from_string(TEMPLATE.read_text(encoding="utf-8"))
        .render(
            texts=texts,
            period=texts.days(days[0][0], days[-1][0]) if days else "",
            tiles=list(_tiles(rows, texts)) if days else [],
            cards=cards,
            data=data,
            plotly=get_plotlyjs(),
            nonce=secrets.token_urlsafe(16),
        )
    )


def _tiles(rows: Rows, texts: Texts) -> Iterator[tuple[str, str]]:
    """Yield the numbers above the charts, with their names."""
    days = rows["days"]
    calls = sum(day[1] for day in days)
    span = (days[-1][0] - days[0][0]).days + 1
    yield texts("Calls"), texts.number(calls)
    yield texts("Talk time"), texts.duration(sum(day[2] for day in days))
    yield texts("Answered"), texts.share(sum(day[3] for day in days), calls)
    yield texts("Days with calls"), texts("{number} of {all}", number=len(days), all=span)
    yield texts("Recordings landed"), texts.number(sum(day[1] for day in rows["recordings"]))
    yield texts("Recordings failed"), texts.number(sum(day[2] for day in rows["recordings"]))


def _cards(rows: Rows, zone: str, directions: Mapping[str, str], texts: Texts) -> Iterator[Card]:
    """Yield the charts in the order of the page."""
    days, recordings, numbers = rows["days"], rows["recordings"], rows["numbers"]
    text = texts("Calls by weekday and hour, {zone}.", zone=zone)
    yield Card("hours", texts("When people call"), text, charts.hours(rows["hours"], texts))
    text = texts("Calls by direction, answered or not.")
    yield Card("outcomes", texts("Direction and outcome"), text, charts.outcomes(rows["outcomes"], directions, texts))
    yield Card("talk", texts("Talk time"), texts("Hours of talk by day."), charts.talk(days, texts))
    text = f"{texts('Calls by day.')} {_gaps([day[0] for day in days], texts)}"
    yield Card("coverage", texts("Days covered"), text, charts.coverage(days, texts))
    text = texts("Recordings by day.") if recordings else texts("There are no recordings.")
    yield Card("recordings", texts("Recordings"), text, charts.recordings(recordings, texts) if recordings else None)
    text = texts("Calls from and to a number, each shown by the start of its digest.")
    if not all(charts.DIGEST.fullmatch(number) for number, _ in numbers):
        text += " " + texts("This page has a key of its own: on another page, the digests are others.")
    figure = charts.numbers(numbers, secrets.token_bytes(32), texts) if numbers else None
    yield Card("numbers", texts("Busiest numbers"), text, figure)


def _gaps(days: Iterable[date], texts: Texts) -> str:
    """Name the days without any call."""
    gaps = [texts.days(first, last) for first, last in charts.gaps_in(days)]
    if not gaps:
        return texts("No day is missing.")
    named = ", ".join(gaps[:MOST_GAPS])
    if len(gaps) > MOST_GAPS:
        named += " " + texts("and {number} more", number=len(gaps) - MOST_GAPS)
    return texts("The table has no call of: {days}.", days=named)
