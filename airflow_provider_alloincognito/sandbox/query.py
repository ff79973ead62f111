"""The body of the call-list method, read as strictly as the API's text allows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_NUMBER = re.compile(r"\+?\d{3,15}", re.ASCII)


class BadQuery(ValueError):
    """The body is not what the text says."""


@dataclass(frozen=True, slots=True)
class CallQuery:
    """What is asked for; times are in the API's zone and have none of their own."""

    start: datetime
    end: datetime
    numbers: frozenset[str] | None
    direction: int
    duration_from: int | None
    duration_to: int | None
    only_recorded: bool
    is_read: int | None

    @property
    def filters(self) -> bool:
        """Tell whether anything beside the period is asked for."""
        unset = (None, 0, None, None, False, None)
        asked = (
            self.numbers,
            self.direction,
            self.duration_from,
            self.duration_to,
            self.only_recorded,
            self.is_read,
        )
        return asked != unset


def read_query(settings: SandboxSettings, body: Any) -> CallQuery:
    """
    Read the body.

    :param settings: the name of the numbers' field
    :param body: decoded JSON
    """
    if not isinstance(body, dict):
        raise BadQuery("тело запроса должно быть объектом JSON")
    known = {"periodStart", "periodEnd", "direction", "durationFrom", "durationTo", "isCallRecord", "isRead"}
    if not settings.allow_unknown_fields and (unknown := set(body) - known - {settings.numbers_field}):
        raise BadQuery(f"неизвестные поля: {', '.join(sorted(unknown))}")
    start, end = _moment(body, "periodStart"), _moment(body, "periodEnd")
    if end < start:
        raise BadQuery("periodEnd раньше, чем periodStart")
    return CallQuery(
        start=start,
        end=end,
        numbers=_numbers(body.get(settings.numbers_field), settings.numbers_field),
        direction=_one_of(body, "direction", (0, 1, 2), may_be_empty_text=True) or 0,
        duration_from=_seconds(body, "durationFrom"),
        duration_to=_seconds(body, "durationTo"),
        only_recorded=_one_of(body, "isCallRecord", (0, 1), may_be_empty_text=True) == 1,
        is_read=_one_of(body, "isRead", (0, 1)),
    )


def same_number(number: str) -> str:
    """Bring +7, 8 and 7 before a Russian number to one form."""
    digits = number.lstrip("+")
    return "7" + digits[1:] if len(digits) == 11 and digits[0] == "8" else digits


def _moment(body: dict[str, Any], name: str) -> datetime:
    value = body.get(name)
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            return datetime.strptime(value, "%Y-%m-%d %H:%M:%S")
        except ValueError:
            pass
    raise BadQuery(f"{name}: ожидается yyyy-mm-dd hh:mm:ss")


def _one_of(body: dict[str, Any], name: str, allowed: tuple[int, ...], may_be_empty_text: bool = False) -> int | None:
    value = body.get(name)
    if value is None or (may_be_empty_text and value == ""):
        return None
    if type(value) is int and value in allowed:
        return value
    raise BadQuery(f"{name}: недопустимое значение")


def _seconds(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is int and value >= 0:
        return value
    raise BadQuery(f"{name}: ожидается целое число секунд или null")


def _numbers(value: Any, name: str) -> frozenset[str] | None:
    if value is None or value == []:
        return None
    if not isinstance(value, list):
        raise BadQuery(f"{name}: ожидается список строк")
    for number in value:
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            raise BadQuery(f"{name}: неверный номер {number!r}")
    return frozenset(map(same_number, value))
