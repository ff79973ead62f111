"""Which parameter of a call list is the start of its period, its end, the numbers, a filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from airflow_provider_alloincognito.cli.discover.openapi import Parameter
from airflow_provider_alloincognito.cli.discover.request_values import direction_values, flag_values
from airflow_provider_alloincognito.cli.discover.time_formats import TimeFormat, time_format
from airflow_provider_alloincognito.cli.discover.words import Said

Role = Literal[
    "periodStart", "periodEnd", "numbers", "direction", "durationFrom", "durationTo", "isCallRecord", "isRead"
]
"""The API text's names of the call list's parameters."""
ROLES: tuple[Role, ...] = (
    "periodStart",
    "periodEnd",
    "numbers",
    "direction",
    "durationFrom",
    "durationTo",
    "isCallRecord",
    "isRead",
)
ENOUGH = 3.0
"""Points from which on a parameter has a role."""
MOST_OF_A_FLAG = 3
BOUNDS = {"at least": "start", "at most": "end"}
SCALARS = ("", "string", "integer", "number")


@dataclass(frozen=True)
class Judged:
    """A parameter, and what its name and description say."""

    parameter: Parameter

    @cached_property
    def said(self) -> Said:
        return Said(self.parameter.name, self.parameter.description)

    @cached_property
    def format(self) -> TimeFormat | None:
        return time_format(self.parameter.schema, self.parameter.description)

    @property
    def type(self) -> str:
        return self.parameter.schema.type

    @cached_property
    def values(self) -> list[Said]:
        """What the allowed values say, one by one: their names, or they themselves."""
        return [Said(f"{value} {name}") for value, name in self.parameter.schema.named_values]

    @property
    def is_flag(self) -> bool:
        """Whether it may be one of two, or three, things."""
        few = {str(value).lower() for value in self.parameter.schema.values} <= {"0", "1", "true", "false", "null", ""}
        in_words = len(self.values) <= MOST_OF_A_FLAG and flag_values(self.parameter, is_filter=True) is not None
        return self.type == "boolean" or (self.type in SCALARS and (not self.values or few or in_words))


def assign(parameters: Sequence[Parameter]) -> dict[Role, Parameter]:
    """Return which parameter has which role. The best fit goes first; each has one role at most."""
    usable = [Judged(one) for one in parameters if one.where not in ("header", "cookie")]
    fits = [(points, -index, role) for index, one in enumerate(usable) for role in ROLES if (points := _fit(role, one))]
    found: dict[Role, Parameter] = {}
    taken: set[int] = set()
    for points, index, role in sorted(fits, key=lambda fit: (-fit[0], -fit[1])):
        if points >= ENOUGH and role not in found and index not in taken:
            found[role] = usable[-index].parameter
            taken.add(index)
    return found


def _fit(role: Role, one: Judged) -> float:
    """Return the points of a parameter for a role; 0 if it cannot have it."""
    if one.said.names("page") and not one.said.names("time", "duration"):
        return 0
    match role:
        case "periodStart" | "periodEnd":
            return _period(one, "start" if role == "periodStart" else "end")
        case "durationFrom" | "durationTo":
            return _duration(one, "start" if role == "durationFrom" else "end")
        case "numbers":
            return _numbers(one)
        case "direction":
            return _direction(one)
        case "isCallRecord":
            is_id = one.said.names("id") or one.parameter.schema.format in ("uuid", "guid")
            return 0 if is_id or not one.is_flag or one.format else one.said.points("recording", 4, 3)
        case "isRead":
            return one.said.points("read", 5, 3.5) if one.is_flag and not one.format else 0


def _edge(said: Said, edge: str, other: str) -> float:
    bounds = said.in_name & BOUNDS.keys()
    if len(bounds) == 1:  # of the two words of "started_at__lt", this one
        return 3 if BOUNDS[min(bounds)] == edge else 0
    if edge in said.in_name or other in said.in_name:
        return 3 if edge in said.in_name and other not in said.in_name else 0
    order = [meaning for meaning in said.ordered_text if meaning in (edge, other)]
    return 2 if order[:1] == [edge] else 0


def _period(one: Judged, edge: str) -> float:
    said = one.said
    if one.type not in SCALARS or one.values:
        return 0
    is_shown = one.format is not None
    if not is_shown and (said.has("duration") or said.names("phone")):
        return 0
    is_time = 3.0 if is_shown else said.points("time", 2, 1)
    found = _edge(said, edge, "end" if edge == "start" else "start")
    if not is_time and not (found == 3 and one.type in ("", "string") and not said.has("phone")):
        return 0
    return found + is_time if found else 0


def _duration(one: Judged, edge: str) -> float:
    if one.type not in SCALARS or one.format is not None or one.values:
        return 0
    is_duration = one.said.points("duration", 3, 2)
    found = _edge(one.said, edge, "end" if edge == "start" else "start")
    return is_duration + found if is_duration and found else 0


def _numbers(one: Judged) -> float:
    if one.type not in ("", "string", "array") or one.said.names("time", "duration", "page") or one.format:
        return 0
    is_list = 1.0 if one.type == "array" or one.said.name.lower().endswith("s") else 0.0
    points = one.said.points("phone", 3, 2.5)
    return points + is_list if points else 0


def _direction(one: Judged) -> float:
    if one.type not in SCALARS or one.format:
        return 0
    speaks = bool(one.values) and direction_values(one.parameter) is not None
    points = one.said.points("direction", 4, 3) + (3 if speaks else 0)
    if not points and one.said.names("kind") and "in" in one.said.in_text and "out" in one.said.in_text:
        return ENOUGH
    return points
