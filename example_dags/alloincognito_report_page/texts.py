"""The report's words, numbers and dates, in English and Russian."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

NO_BREAK = "\N{NARROW NO-BREAK SPACE}"


@dataclass(frozen=True)
class Texts:
    """
    A language.

    :param language: its code, as HTML has it.
    :param decimal: between whole number and fraction.
    :param thousands: between groups of three digits.
    :param weekdays: Monday first.
    :param words: texts by their English form; a text that is missing is English already.
    """

    language: str
    decimal: str
    thousands: str
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    words: dict[str, str] = field(default_factory=dict)

    def __call__(self, english: str, **values: object) -> str:
        """Return a text in this language, with its values filled in."""
        return self.words.get(english, english).format(**values)

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number with this language's separators."""
        text = f"{value:,.{digits}f}"
        return text.translate({ord(","): self.thousands, ord("."): self.decimal})

    def share(self, part: int, whole: int) -> str:
        """Return a percentage, or a dash if there is no whole."""
        return f"{self.number(100 * part / whole)}{NO_BREAK}%" if whole else "–"

    def duration(self, seconds: int) -> str:
        """Return hours and minutes."""
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{self.number(hours)}{NO_BREAK}{self('h')} {minutes:02}{NO_BREAK}{self('min')}"

    def day(self, day: date) -> str:
        """Return a date, such as ``1 Mar 2026``."""
        return f"{day.day}{NO_BREAK}{self.months[day.month - 1]}{NO_BREAK}{day.year}"

    def days(self, first: date, last: date) -> str:
        """Return a day, or the first and the last of several."""
        return self.day(first) if first == last else f"{self.day(first)} – {self.day(last)}"

    def plotly_locale(self) -> dict[str, object]:
        """Return what Plotly needs to write dates and numbers in this language."""
        monday = date(2024, 1, 1)
        sunday_first = [self.weekdays[(monday + timedelta(days=n - 1)).weekday()] for n in range(7)]
        names = {"days": sunday_first, "shortDays": sunday_first, "months": self.months, "shortMonths": self.months}
        form = {**names, "decimal": self.decimal, "thousands": self.thousands, "date": "%d.%m.%Y"}
        return {"moduleType": "locale", "name": self.language, "dictionary": {}, "format": form}


ENGLISH = Texts(
    "en",
    ".",
    ",",
    ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
RUSSIAN = Texts(
    "ru",
    ",",
    NO_BREAK,
    ("Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс"),
    ("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
    {
        "Calls": "Звонки",
        "calls": "звонков",
        "h": "ч",
        "min": "мин",
        "hours": "часов",
        "Talk time": "Время разговоров",
        "Answered": "С ответом",
        "Recordings landed": "Записей выгружено",
        "Recordings failed": "Записей не получено",
        "Days with calls": "Дней со звонками",
        "{number} of {all}": "{number} из {all}",
        "When people call": "Когда звонят",
        "Calls by weekday and hour, {zone}.": "Звонки по дням недели и часам, {zone}.",
        "Direction and outcome": "Направление и исход",
        "Calls by direction, answered or not.": "Звонки по направлениям, с ответом и без.",
        "Hours of talk by day.": "Часы разговоров по дням.",
        "Busiest numbers": "Самые занятые номера",
        "Calls from and to a number, each shown by the start of its digest.": (
            "Звонки с номера и на номер; вместо номера – начало его хеша."
        ),
        "This page has a key of its own: on another page, the digests are others.": (
            "Ключ у каждой страницы свой: на другой странице хеши другие."
        ),
        "Recordings": "Записи разговоров",
        "Recordings by day.": "Записи по дням.",
        "Days covered": "Какие дни есть",
        "Calls by day.": "Звонки по дням.",
        "No day is missing.": "Все дни на месте.",
        "The table has no call of: {days}.": "В таблице нет ни одного звонка за: {days}.",
        "and {number} more": "и ещё {number}",
        "no calls": "нет звонков",
        "answered": "с ответом",
        "unanswered": "без ответа",
        "incoming": "входящие",
        "outgoing": "исходящие",
        "unknown": "неизвестно",
        "landed": "выгружено",
        "failed": "не получено",
        "The tables have no calls yet.": "В таблицах пока нет звонков.",
        "The page shows them once the daily load has run.": "Страница покажет их после ежедневной загрузки.",
        "There are no recordings.": "Записей нет.",
        "The charts need JavaScript.": "Для графиков нужен JavaScript.",
    },
)
LANGUAGES = {one.language: one for one in (ENGLISH, RUSSIAN)}
