"""What a server calls the values of direction and of flags: from its enumerations and descriptions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_alloincognito.cli.discover.openapi import Parameter
from airflow_provider_alloincognito.cli.discover.words import Said

# "1 - outgoing", "in: входящие", "`OUT` = исходящие"; what is said ends where the next value begins.
VALUE_FIRST = re.compile(
    r"[\"'`«]?([\w-]+)[\"'`»]?\s*(?:[-–—=:→|]+)\s*([^\W\d_][^,;.\n|/*\"'`«]{1,60}?)(?=\s+\w+\s*[-–—=:→]|[,;.\n|/*\"'`«]|$)"
)
TAG = re.compile(r"<[^<>]{1,100}>")
TAG_IN_LINE = re.compile(r"</?(?:i|b|em|strong|code|span)>")
# "исходящие (1)", "outgoing = 1"
VALUE_LAST = re.compile(r"([^\W\d_][\w ]{1,40}?)\s*(?:\(|[-–—=:→]+\s*)[\"'`«]?(\d|[A-Za-z_]{1,20})[\"'`»]?\)?")
# "1 исходящие, 2 входящие"
DIGIT_FIRST = re.compile(r"\b(\d)\s+([^\W\d_]{3,20})")
WORD = re.compile(r"[A-Za-z_-]{1,12}")
YES = re.compile(r"\b(?:true|yes|y|with|only|да|есть|has|1|on|recorded)\b", re.IGNORECASE)
NO = re.compile(r"\b(?:false|no|not|n|without|нет|без|0|off|none)\b", re.IGNORECASE)
ALL = re.compile(r"\b(?:all|any|both|every|все|любы\w*)\b", re.IGNORECASE)


def direction_values(parameter: Parameter) -> dict[str, Any] | None:
    """
    Return what is sent for our 0 (all), 1 (outgoing) and 2 (incoming); None if nothing says it.

    :param parameter: the server's.
    """
    found: dict[str, Any] = {}
    for value, text in _described(parameter):
        said = Said(text)
        ways = [key for key, meaning in (("1", "out"), ("2", "in")) if said.names(meaning)]
        if len(ways) == 1:
            found.setdefault(ways[0], value)
        elif ALL.search(text) or len(ways) == 2:
            found.setdefault("0", value)
    if not {"1", "2"} <= found.keys() or found["1"] == found["2"]:
        return None
    every = found.get("0")
    return {"0": None if every in (found["1"], found["2"]) else every, "1": found["1"], "2": found["2"]}


def flag_values(parameter: Parameter, *, is_filter: bool) -> dict[str, Any] | None:
    """
    Return what is sent for our 0 and 1; None if it is just these.

    :param parameter: the server's.
    :param is_filter: our 0 sets no limit, as that of ``isCallRecord`` does; otherwise it is the opposite of 1.
    """
    schema = parameter.schema
    if schema.type == "boolean":
        unset = schema.default if isinstance(schema.default, bool) else False if parameter.required else None
        return {"0": unset if is_filter else False, "1": True}
    if {str(value) for value in schema.values} == {"1"}:
        return {"0": None, "1": schema.values[0]}
    if not schema.values or {str(value) for value in schema.values} <= {"0", "1"}:
        is_text = schema.type == "string" and bool(schema.values)
        return {"0": "0", "1": "1"} if is_text else None
    texts = {value: f"{value} {name}".replace("_", " ") for value, name in schema.named_values}
    yes = next((value for value, text in texts.items() if YES.search(text) and not NO.search(text)), None)
    no = next((value for value, text in texts.items() if NO.search(text)), None)
    every = next((value for value, text in texts.items() if ALL.search(text)), None)
    if yes is None:
        return None
    return {"0": every if is_filter else no, "1": yes}


def _described(parameter: Parameter) -> Iterator[tuple[Any, str]]:
    """Yield the values with what is said of each."""
    schema = parameter.schema
    by_text = {str(value).lower(): value for value in schema.values}
    description = TAG.sub(";", TAG_IN_LINE.sub("", parameter.description))
    pairs = [(found[1], found[2]) for found in VALUE_FIRST.finditer(description)]
    pairs += [(found[1], found[2]) for found in DIGIT_FIRST.finditer(description)]
    pairs += [(found[2], found[1]) for found in VALUE_LAST.finditer(description)]
    for written, text in pairs:
        if by_text and written.lower() in by_text:
            yield by_text[written.lower()], text
        elif not by_text and re.fullmatch(r"\d", written):
            yield (int(written) if schema.type in ("integer", "number") else written), text
        elif not by_text and schema.type == "string" and WORD.fullmatch(written):
            yield written, text
    for value, name in schema.named_values:
        yield value, f"{value} {name}" if not isinstance(value, int) else name
