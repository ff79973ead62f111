"""
Guess which field of a row is the call's start, direction, duration, numbers and recording.

Each field collects points for each column of the daily DAG: from the words of its name and description, its type and
format, and its values. What contradicts a column rules the field out. The best fields win, and every guess says how
sure it is and why: a guess that is wrong would land wrong data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_alloincognito.cli.proposal import ROLES, Role
from airflow_provider_alloincognito.cli.roles import parties, values, words

Confidence = Literal["certain", "likely", "unsure"]

CERTAIN, LIKELY, POSSIBLE = 6, 4, 2
"""Points from which on a guess is certain, likely, or made at all."""
CLEAR_LEAD = 2
SPEAKING = 3
"""Points of values that speak for a column without a name: not many other fields have such values."""
MOST_OF_DESCRIPTION = 3
MOST_CODES = 4
"""Outgoing, incoming, internal, and one more."""
PARTIES: tuple[Role, Role] = ("caller", "called")
CAN_BE: dict[Role, tuple[str, ...]] = {
    "call_id": ("string", "integer"),
    "started_at": ("string", "integer", "number"),
    "direction": ("string", "integer", "boolean"),
    "caller": ("string", "integer"),
    "called": ("string", "integer"),
    "talk_seconds": ("string", "integer", "number"),
    "record_file_id": ("string", "integer"),
}


@dataclass(frozen=True)
class RowField:
    """
    What is known of one field of a row.

    :param name: its name.
    :param type: its type as in JSON Schema: ``string``, ``integer``, ``number``, ``boolean``, ``object``, ``array``.
    :param format: its format as in JSON Schema, such as ``date-time``.
    :param description: what the API's document says of it.
    :param enum: the values that it may have, if the document lists them.
    :param samples: its values in some rows, in the rows' order; None where a row has none. Not in ``repr``: personal
        data.
    """

    name: str
    type: str | None = None
    format: str | None = None
    description: str | None = None
    enum: Sequence[Any] = ()
    samples: Sequence[Any] = field(default=(), repr=False)


@dataclass(frozen=True)
class Guess:
    """
    Which field is one column.

    :param role: the column.
    :param field: the field's name.
    :param confidence: how sure it is.
    :param why: the reasons, for the user to judge.
    """

    role: Role
    field: str
    confidence: Confidence
    why: str


@dataclass(frozen=True)
class _Candidate:
    role: Role
    field: RowField
    points: int
    reasons: tuple[str, ...]


def guess_roles(fields: Sequence[RowField]) -> list[Guess]:
    """
    Guess which fields are the columns of the daily DAG.

    :param fields: all fields of a row.
    :return: at most one guess for each column, in the columns' order; each field is in one of them at most.
    """
    candidates = [found for one in fields for role in ROLES if (found := _judge(role, one)) is not None]
    candidates = _with_only_ones(candidates)
    candidates.sort(key=lambda one: -one.points)  # stable: the field that comes first wins
    chosen: dict[Role, _Candidate] = {}
    for one in candidates:
        if one.role not in chosen and one.field not in [other.field for other in chosen.values()]:
            chosen[one.role] = one
    taken = [one.field for one in chosen.values()]
    guesses = []
    for role in ROLES:
        if role in chosen and chosen[role].points >= POSSIBLE:
            rivals = [one for one in candidates if one.role == role and one.field not in taken]
            guesses.append(_guess(chosen[role], max(rivals, key=lambda one: one.points, default=None)))
    return _with_parties(guesses, fields)


def _with_parties(guesses: list[Guess], fields: Sequence[RowField]) -> list[Guess]:
    """Tell caller and called by the direction, where both are unsure."""
    samples = {guess.role: one.samples for guess in guesses for one in fields if one.name == guess.field}
    unsure = [guess for guess in guesses if guess.role in PARTIES and guess.confidence == "unsure"]
    if len(unsure) < 2 or "direction" not in samples:
        return guesses
    told = parties.caller_and_called(samples["direction"], samples["caller"], samples["called"])
    if told is None:
        return guesses
    names = {one.role: one.field for one in unsure}
    own = PARTIES if told[0] is samples["caller"] else PARTIES[::-1]
    why = {"caller": "it varies most in incoming calls", "called": "it varies most in outgoing calls"}
    settled: dict[str, Guess] = {
        role: Guess(role, names[before], "likely", f"its values are phone numbers; {why[role]}")
        for role, before in zip(PARTIES, own, strict=True)
    }
    return [settled.get(one.role, one) for one in guesses]


def _guess(best: _Candidate, rival: _Candidate | None) -> Guess:
    reasons = list(best.reasons)
    lead = best.points - (rival.points if rival is not None else 0)
    confidence: Confidence = "unsure"
    if best.points >= LIKELY and lead > 0:
        confidence = "certain" if best.points >= CERTAIN and lead >= CLEAR_LEAD else "likely"
    if rival is not None and lead < CLEAR_LEAD:
        reasons.append(f"but it may be {rival.field.name!r} as well")
    return Guess(best.role, best.field.name, confidence, "; ".join(reasons))


def _judge(role: Role, one: RowField) -> _Candidate | None:
    """Return a field's points for a column; None if it cannot be that column."""
    if one.type is not None and one.type not in CAN_BE[role]:
        return None
    of_values = _value_points(role, one)
    of_format = _format_points(role, one)
    if of_values is None or of_format is None:
        return None
    meant = words.concepts(one.name)
    named = words.name_points(role, meant)
    described = min(words.name_points(role, words.concepts(one.description or "")), MOST_OF_DESCRIPTION)
    reasons = []
    if named:
        reasons.append("by its name")
    if described:
        reasons.append("by its description")
    for points, reason in (of_format, of_values):
        if points:
            reasons.append(reason)
    points = named + described + of_format[0] + of_values[0]
    if not (named or described) and (of_values[0] < SPEAKING or not words.say_nothing(meant)):
        return None
    if role == "talk_seconds" and "milliseconds" in words.concepts(f"{one.name} {one.description or ''}"):
        points, reasons = POSSIBLE, [*reasons, "but it is in milliseconds"]
    return _Candidate(role, one, points, tuple(reasons))


def _with_only_ones(candidates: list[_Candidate]) -> list[_Candidate]:
    """Give more points to a field that no name speaks for, if no other one has such values."""
    raised = []
    for one in candidates:
        others = [other for other in candidates if other.role == one.role and other is not one]
        is_party = one.role in PARTIES  # a lone number may be either
        if one.reasons[0].startswith("its values") and not others and not is_party:
            one = _Candidate(one.role, one.field, one.points + 2, (*one.reasons, "and no other field's do"))
        raised.append(one)
    return raised


def _format_points(role: Role, one: RowField) -> tuple[int, str] | None:
    """Return points for type and format, and the reason; None if they contradict."""
    if role == "started_at":
        if one.format in ("date-time", "timestamp", "datetime"):
            return 2, f"its format is {one.format}"
        return None if one.format in ("uuid", "time", "date", "uri", "duration") else (0, "")
    if one.format in ("date-time", "date"):
        return None
    if role == "record_file_id" and one.format in ("uuid", "uri"):
        return 2, f"its format is {one.format}"
    if role == "call_id" and one.format == "uuid":
        return 1, "its format is uuid"
    if one.format == "uuid":
        return None
    if role == "talk_seconds" and one.type in ("integer", "number"):
        return 1, "it is a number"
    if role == "direction" and one.enum:
        return (2, "it is an enumeration") if values.are_codes(one.enum) else None
    return 0, ""


def _value_points(role: Role, one: RowField) -> tuple[int, str] | None:
    """Return points for the values, and the reason; None if they contradict. No values say nothing."""
    known = values.present_ids(one.samples) if role == "record_file_id" else values.present(one.samples)
    if not known:
        return 0, ""
    has_gaps = len(known) < len(one.samples)
    match role:
        case "started_at" if values.are_times(known) and not values.are_dates_only(known):
            return (1, "its values are times") if has_gaps else (3, "its values are times, in every row")
        case "direction" if values.are_ways(known):
            return 4, "its values are directions"
        case "direction" if values.are_codes(known):
            count = len({str(value) for value in known})
            return (2 if 1 < count <= MOST_CODES else 1), f"it has only {count} different values"
        case "caller" | "called" if values.are_numbers(known):
            return (2 if values.have_names(known) else 3), "its values are phone numbers"
        case "talk_seconds" if values.are_clocks(known):
            return 3, "its values are lengths of time, as text"
        case "talk_seconds" if values.are_lengths(known):
            return 1, "its values are small numbers"
        case "record_file_id" if values.are_ids(known):
            if values.are_long_ids(known) and has_gaps:
                return 3, "its values are long, all different, and missing in some rows"
            return 1, "its values are different ids"
        case "call_id" if values.are_ids(known) and not has_gaps and not values.are_numbers(known):
            return 1, "its values are different ids, in every row"
        case _:
            return None


def mapping(guesses: Sequence[Guess], fields: Sequence[RowField]) -> tuple[dict[str, str], dict[str, str]]:
    """
    Return ``FIELDS`` and ``TYPES`` of the daily DAG.

    :param guesses: those to use.
    :param fields: all fields of a row.
    """
    by_name = {one.name: one for one in fields}
    names: dict[str, str] = {guess.role: guess.field for guess in guesses}
    types = {role: column_type(role, by_name[name]) for role, name in names.items()}
    return names, {role: kind for role, kind in types.items() if kind != "string"}


def column_type(role: str, one: RowField) -> str:
    """
    Return the type of a column of the daily DAG.

    Ids and phone numbers stay texts, so that no digit is lost and no leading zero.
    """
    known = values.present(one.samples)
    if role == "started_at":
        return "timestamp"
    if role == "talk_seconds":
        is_whole = values.are_whole(known) if known else one.type == "integer"
        is_number = one.type == "number" or any(isinstance(value, float) for value in known)
        return "int64" if is_whole else "float64" if is_number else "string"
    if role == "direction":
        kind = schema_type(one)
        return kind if kind in ("int64", "bool") else "string"
    return "string"


def schema_type(one: RowField) -> str:
    """Return the type of a field for the operators' argument ``schema``."""
    known = values.present(one.samples)
    kinds = {type(value) for value in known}
    by_values = {bool: "bool", int: "int64", float: "float64", dict: "json", list: "json"}
    if one.type in ("object", "array") or kinds & {dict, list}:
        return "json"
    if known and kinds == {str} and values.are_times(known):
        return "date" if values.are_dates_only(known) else "timestamp"
    if len(kinds) == 1 and kinds <= set(by_values):
        return by_values[kinds.pop()]
    if kinds and kinds <= {int, float}:
        return "float64"
    if kinds:
        return "string"
    by_format = {"date-time": "timestamp", "date": "date"}
    by_type = {"integer": "int64", "number": "float64", "boolean": "bool"}
    return by_format.get(one.format or "") or by_type.get(one.type or "", "string")
