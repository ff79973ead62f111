"""How a document says that times are written: by a pattern, an example, a mask in a description, or a format's name."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_alloincognito.cli.discover.schemas import Schema
from airflow_provider_alloincognito.cli.discover.words import Said

ISO = "%Y-%m-%dT%H:%M:%S%:z"
EPOCH_SECONDS, EPOCH_MILLISECONDS = "%s", "%s000"
FIRST_MILLISECOND = 100_000_000_000
FIRST_SECOND = 100_000_000
# A date, what is between it and the time, the time, a fraction, and the zone.
EXAMPLE = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d|\d\d\.\d\d\.\d{4}|\d\d/\d\d/\d{4}|\d{4}/\d\d/\d\d|\d\d-\d\d-\d{4}|\d{4}\.\d\d\.\d\d|\d{8})"
    r"(?:(?P<between>T|\s+|_)?(?P<time>\d\d:?\d\d(?P<seconds>:?\d\d)?)(?P<fraction>\.\d{1,9})?"
    r"\s?(?P<zone>Z|[+-]\d\d:\d\d|[+-]\d{4}|[+-]\d\d(?!\d))?)?(?!\d)"
)
DATES = {
    "4-2-2": "%Y-%m-%d",
    "2.2.4": "%d.%m.%Y",
    "2/2/4": "%d/%m/%Y",
    "4/2/2": "%Y/%m/%d",
    "2-2-4": "%d-%m-%Y",
    "4.2.2": "%Y.%m.%d",
    "8": "%Y%m%d",
}
# yyyy-MM-dd'T'HH:mm:ss, гггг-мм-дд чч:мм:сс
MASK = re.compile(
    r"(?P<date>(?:[yгYГ]{4}|[dдDД]{2})(?P<mark>[-./]?)[mMмМ]{2}(?P=mark)(?:[dдDД]{2}|[yгYГ]{4}))"
    r"(?:(?P<between>\s*'?T'?\s*|\s+|_|)(?P<time>[hHчЧ]{2}(?P<colon>:?)[mMмМ]{2}(?:(?P=colon)[sSсС]{2})?)"
    r"(?P<fraction>\.[sSfF]{1,6})?(?P<zone>\s?(?:'?Z'?|XXX|ZZ|zzz|K))?)?"
)
PATTERN_DIGITS = re.compile(r"\\d\{(\d)(?:,\d)?\}|\[0-9\]\{(\d)\}|((?:\\d|\[0-9\])+)(?!\{)")
ZONE = re.compile(
    r"\b(?:Europe|Asia|America|Africa|Australia|Pacific|Atlantic|Etc)/[A-Z][A-Za-z_+-]+(?:/[A-Z][A-Za-z_]+)?"
)
UTC_OFFSET = re.compile(r"\b(?:UTC|GMT)\s?([+-])\s?0?(\d{1,2})(?::?00)?\b")
MOSCOW_HOURS = 3
LONGEST_OFFSET = 12
EPOCH_WORDS = re.compile(r"unix|epoch|эпох", re.IGNORECASE)


class TimeFormat(NamedTuple):
    """
    How times are written.

    :param text: as ``strftime`` takes it, with ``%:z`` and ``%s``.
    :param why: what says so.
    """

    text: str
    why: str


def time_format(schema: Schema, description: str) -> TimeFormat | None:
    """
    Return how a parameter's times are written; None if nothing says so.

    :param schema: the parameter's.
    :param description: what is said of it.
    """
    if schema.type in ("integer", "number"):
        return _epoch(schema, description)
    for value in (schema.example, schema.default):
        if isinstance(value, str) and (found := of_example(value)) and ("%H" in found or schema.format != "date-time"):
            return TimeFormat(found, f"its example is {value}")
    if schema.pattern and (found := of_pattern(schema.pattern)):
        return TimeFormat(found, f"its pattern is {schema.pattern}")
    if found := of_mask(f"{schema.format} {description}") or of_example(description):
        return TimeFormat(found, "its description shows it")
    if schema.format in ("date-time", "datetime"):
        return TimeFormat(ISO, f"its format is {schema.format}")
    if schema.format == "date":
        return TimeFormat("%Y-%m-%d", "its format is date")
    if EPOCH_WORDS.search(description):
        return _epoch(schema, description)
    return None


def _epoch(schema: Schema, description: str) -> TimeFormat | None:
    example = schema.example if schema.example is not None else schema.default
    if isinstance(example, int | float) and example >= FIRST_SECOND:
        text = EPOCH_MILLISECONDS if example >= FIRST_MILLISECOND else EPOCH_SECONDS
        return TimeFormat(text, f"its example is {example}")
    said = Said("", f"{description} {schema.format}")
    if EPOCH_WORDS.search(f"{description} {schema.format}") or said.has("milliseconds"):
        return TimeFormat(EPOCH_MILLISECONDS if said.has("milliseconds") else EPOCH_SECONDS, "its description says so")
    return None


def of_example(text: str) -> str | None:
    """Return the format of the first time in a text; None if there is none."""
    found = EXAMPLE.search(text)
    if found is None:
        return None
    date = DATES[re.sub(r"\d+", lambda digits: str(len(digits[0])), found["date"])]
    if not found["time"]:
        return date if date != DATES["8"] else None
    clock = "%H:%M" if ":" in found["time"] else "%H%M"
    clock += (":%S" if ":" in found["time"] else "%S") if found["seconds"] else ""
    fraction = f".{'0' * (len(found['fraction']) - 1)}" if found["fraction"] else ""
    return f"{date}{found['between'] or ''}{clock}{fraction}{_zone(found['zone'] or '', clock)}"


def _zone(written: str, clock: str) -> str:
    """Return the format of an offset. A Z is one of many that RFC 3339 allows; only a pattern demands it."""
    if not written:
        return ""
    return "%:z" if ":" in (clock if written == "Z" else written) else "%z"


def of_mask(text: str) -> str | None:
    """Return the format of the first mask such as ``yyyy-MM-dd HH:mm:ss`` in a text; None if there is none."""
    found = MASK.search(text)
    if found is None:
        return None
    marks = {"y": "%Y", "г": "%Y", "m": "%m", "м": "%m", "d": "%d", "д": "%d"}
    parts = re.findall(r"[yгYГ]{4}|[mMмМ]{2}|[dдDД]{2}", found["date"])
    date = found["mark"].join(marks[part[0].lower()] for part in parts)
    if not found["time"]:
        return date
    colon = found["colon"]
    count = 3 if re.search(r"[sSсС]{2}$", found["time"]) else 2
    clock = colon.join(("%H", "%M", "%S")[:count])
    fraction = f".{'0' * (len(found['fraction']) - 1)}" if found["fraction"] else ""
    between = found["between"].replace("'", "")
    between = between.strip() or between[:1]
    return f"{date}{between}{clock}{fraction}{'%:z' if found['zone'] else ''}"


def of_pattern(pattern: str) -> str | None:
    """Return the format that a regular expression describes; None if it describes no time."""
    text = pattern.strip("^$")
    demands_z = bool(re.search(r"(?<![\[|\\a-z])Z\)?$", text)) and "|" not in text

    def digits(found: re.Match[str]) -> str:
        return "0" * (int(found[1] or found[2] or 0) or len(re.findall(r"\\d|\[0-9\]", found[3] or "")))

    sample = PATTERN_DIGITS.sub(digits, text.removesuffix("Z"))
    sample = re.sub(r"\\s|\[ T\]|\[T \]", " ", sample).replace("\\", "")
    found = of_example(sample)
    return f"{found}Z" if found and demands_z else found


def named_zone(text: str) -> str | None:
    """Return the IANA zone that a description names, if it names one: Asia/Omsk, UTC, UTC+5, МСК, московское."""
    for found in ZONE.finditer(text):
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(found[0]).key
    if (offset := UTC_OFFSET.search(text)) is not None:
        sign, hours = offset[1], int(offset[2])
        if not hours:
            return "UTC"
        if sign == "+" and hours == MOSCOW_HOURS:
            return "Europe/Moscow"
        return f"Etc/GMT{'-' if sign == '+' else '+'}{hours}" if hours <= LONGEST_OFFSET else None
    said = Said("", text)
    if said.has("moscow"):
        return "Europe/Moscow"
    return "UTC" if said.has("utc") else None


def is_time_value(value: Any) -> bool:
    """Whether a value is a time as this module reads examples."""
    if isinstance(value, str):
        return of_example(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= FIRST_SECOND
