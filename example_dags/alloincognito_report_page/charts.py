"""The report's charts, as Plotly figures. What comes from the data is a label here, never markup."""

from __future__ import annotations

import hmac
import html
import itertools
import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import plotly.graph_objects as go

from alloincognito_report_page.texts import Texts

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
# A short time is shown with space around it, not as a few large squares.
FEWEST_WEEKS = 13
# So many columns leave no room for space between them on a phone.
MANY_WEEKS = 30
DIGEST = re.compile(r"[0-9a-f]{32}")
SHOWN_DIGITS = 8
LONGEST_LABEL = 20
SCALE = {
    "orientation": "h",
    "thickness": 8,
    "y": -0.2,
    "yanchor": "top",
    "outlinewidth": 0,
    "nticks": 5,
    "tickformat": ",",
}


def themes() -> dict[str, Any]:
    """Return Plotly's templates for light and dark, by name. The second colour is for what needs attention."""
    light = _theme("#1f2933", "#d9dee4", ["#0f766e", "#d97706", "#4f6bd8", "#7c8794"], ["#e3f1ef", "#0b5c56"])
    dark = _theme("#e4e9ee", "#39434d", ["#4fd1c0", "#f5a742", "#93a8ff", "#98a4b0"], ["#24434a", "#6fe3d4"])
    return {"light": light, "dark": dark}


def _theme(ink: str, line: str, colors: list[str], scale: list[str]) -> Any:
    lines = {"gridcolor": line, "linecolor": line, "zerolinecolor": line, "ticks": ""}
    axis = {**lines, "automargin": True, "fixedrange": True, "ticklabelstandoff": 6}
    amounts = {"colorscale": [[0, scale[0]], [1, scale[1]]], "colorbar": SCALE}
    marks = {"colorscale": [[0, colors[1]], [1, colors[1]]], "showscale": False}
    theme = go.layout.Template(
        layout={
            "font": {"color": ink, "family": FONT, "size": 13},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": colors,
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "dragmode": False,
            "bargap": 0.2,
            "legend": {"orientation": "h", "traceorder": "normal", "x": 0, "y": 1.02, "yanchor": "bottom"},
        },
        # The first heat map of a chart shows amounts, the second marks days.
        data={"heatmap": [amounts, marks]},
    )
    return theme.to_plotly_json()


def hours(rows: Iterable[tuple[int, int, int]], texts: Texts) -> go.Figure:
    """Show calls by weekday (1: Monday) and hour."""
    counts = [[0] * 24 for _ in range(7)]
    for weekday, hour, calls in rows:
        counts[weekday - 1][hour] = calls
    hover = f"%{{y}} %{{x}}:00<br>%{{z:,}} {texts('calls')}<extra></extra>"
    figure = go.Figure(go.Heatmap(z=counts, x=list(range(24)), y=list(texts.weekdays), hovertemplate=hover))
    figure.update_traces(xgap=1, ygap=1)
    figure.update_xaxes(tickvals=list(range(0, 24, 3)), showgrid=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return _finished(figure, 270)


def outcomes(
    rows: Iterable[tuple[str | None, str | None, int]], directions: Mapping[str, str], texts: Texts
) -> go.Figure:
    """Show calls by direction, each divided by outcome."""
    found: dict[str, dict[str, int]] = {}
    for direction, outcome, calls in rows:
        name = _label(directions.get(direction or "", direction), texts)
        by_direction = found.setdefault(_label(outcome, texts), {})
        by_direction[name] = by_direction.get(name, 0) + calls
    names = sorted({name for counts in found.values() for name in counts})
    figure = go.Figure(layout={"barmode": "stack"})
    for outcome, counts in sorted(found.items(), key=lambda item: -sum(item[1].values())):
        bar = go.Bar(x=[counts.get(name, 0) for name in names], y=names, orientation="h", name=outcome)
        figure.add_trace(bar.update(hovertemplate=f"%{{y}}, {outcome}<br>%{{x:,}} {texts('calls')}<extra></extra>"))
    figure.update_xaxes(nticks=4, tickangle=0, tickformat=",")
    return _finished(figure, 110 + 45 * len(names))


def talk(rows: Iterable[tuple[date, int, int, int]], texts: Texts) -> go.Figure:
    """Show hours of talk by day."""
    amounts = {str(day): seconds / 3600 for day, _, seconds, _ in rows}
    hover = f"%{{x|{_day_format(texts)}}}<br>%{{y:,.1f}} {texts('hours')}<extra></extra>"
    figure = go.Figure(go.Bar(x=list(amounts), y=list(amounts.values()), hovertemplate=hover))
    return _by_day(figure, texts)


def numbers(rows: Iterable[tuple[str, int]], key: bytes, texts: Texts) -> go.Figure:
    """Show the busiest numbers, as digests."""
    found = [(shown(number, key), calls) for number, calls in rows]
    hover = f"%{{y}}<br>%{{x:,}} {texts('calls')}<extra></extra>"
    bar = go.Bar(x=[calls for _, calls in found], y=[name for name, _ in found], orientation="h", hovertemplate=hover)
    figure = go.Figure(bar)
    figure.update_xaxes(nticks=4, tickangle=0, tickformat=",")
    figure.update_yaxes(autorange="reversed", type="category", tickfont={"family": "monospace", "size": 12})
    return _finished(figure, 60 + 26 * len(found))


def shown(number: str, key: bytes) -> str:
    """Return the start of a number's digest: of the one that landed, or of one with this key."""
    digest = number if DIGEST.fullmatch(number) else hmac.new(key, number.encode(), "sha256").hexdigest()
    return digest[:SHOWN_DIGITS]


def recordings(rows: Iterable[tuple[date, int, int]], texts: Texts) -> go.Figure:
    """Show the recordings of each day that landed and that did not."""
    days = [(str(day), landed, failed) for day, landed, failed in rows]
    figure = go.Figure(layout={"barmode": "stack"})
    for column, name in ((1, texts("landed")), (2, texts("failed"))):
        bar = go.Bar(x=[day[0] for day in days], y=[day[column] for day in days], name=name)
        figure.add_trace(bar.update(hovertemplate=f"%{{x|{_day_format(texts)}}}<br>%{{y:,}} {name}<extra></extra>"))
    return _by_day(figure, texts)


def coverage(rows: Iterable[tuple[date, int, int, int]], texts: Texts) -> go.Figure:
    """Show a calendar of calls, a column for each week, with the days without any marked."""
    calls = {day: count for day, count, _, _ in rows}
    gaps = {day for first, last in gaps_in(calls) for day in _every_day(first, last)}
    first, last = (day - timedelta(days=day.weekday()) for day in (min(calls), max(calls)))
    weeks = list(_every_day(min(first, last - timedelta(weeks=FEWEST_WEEKS - 1)), last))[::7]
    grid = [[week + timedelta(days=weekday) for week in weeks] for weekday in range(7)]
    figure = go.Figure()
    for values, unit in ((calls, f"%{{z:,}} {texts('calls')}"), (dict.fromkeys(gaps, 0), texts("no calls"))):
        figure.add_trace(
            go.Heatmap(
                z=[[values.get(day) for day in line] for line in grid],
                zmin=0,
                zmax=max(calls.values()),
                x=[str(week) for week in weeks],
                y=list(texts.weekdays),
                text=[[texts.day(day) for day in line] for line in grid],
                hovertemplate=f"%{{text}}<br>{unit}<extra></extra>",
                hoverongaps=False,
                xgap=0 if len(weeks) > MANY_WEEKS else 1,
                ygap=1,
            )
        )
    figure.update_xaxes(type="date", tickformat=_day_format(texts), nticks=5, showgrid=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return _finished(figure, 270)


def gaps_in(days: Iterable[date]) -> list[tuple[date, date]]:
    """Return the first and the last day of each gap between days."""
    one = timedelta(days=1)
    known = sorted(days)
    return [(left + one, right - one) for left, right in itertools.pairwise(known) if right - left > one]


def _every_day(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _by_day(figure: go.Figure, texts: Texts) -> go.Figure:
    figure.update_xaxes(type="date", tickformat=_day_format(texts), nticks=5, showgrid=False)
    figure.update_yaxes(nticks=5, tickformat=",", rangemode="tozero")
    return _finished(figure, 240)


def _finished(figure: go.Figure, height: int) -> go.Figure:
    return figure.update_layout(height=height, template=None)


def _day_format(texts: Texts) -> str:
    return "%b %-d" if texts.language == "en" else "%-d %b"


def _label(value: str | None, texts: Texts) -> str:
    """Return a value of the data as a label that leaves room for the chart. Plotly's labels understand some of HTML."""
    text = texts.words.get(value or "unknown", value or "unknown")
    return html.escape(text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…", quote=False)
