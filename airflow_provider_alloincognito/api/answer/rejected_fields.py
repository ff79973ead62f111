"""
Which of a request's fields an HTTP 400 or 422 is about, as the usual frameworks say it.

FastAPI, Spring, Django, Laravel and ASP.NET have their own JSON, others RFC 9457's problem details, or a plain text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from airflow_provider_alloincognito.scrubbing import scrub

# Where the list of faults is, the most specific first.
FAULTS = (
    "errors",
    "fieldErrors",
    "invalid-params",
    "invalid_params",
    "invalidParams",
    "violations",
    "detail",
    "details",
    "message",
    "error_description",
    "title",
    "error",
)
# In one fault: which field it is about, and why.
NAMES = ("loc", "field", "fieldName", "name", "param", "parameter", "pointer", "propertyPath", "property", "path")
REASONS = ("msg", "defaultMessage", "reason", "message", "detail", "description", "title", "error")
MOST_FAULTS = 5
DEEPEST = 4
LONGEST_FAULT = 160
LONGEST_TEXT = 1000


def rejected_fields(body: bytes, secrets: Iterable[str] = ()) -> str:
    """
    Return what the body of a response says of the fields, scrubbed and shortened; empty if it says nothing.

    :param body: in UTF-8.
    :param secrets: tokens to remove.
    """
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:LONGEST_TEXT].decode(errors="replace").strip()
        content = None if text.startswith(("<", "{", "[")) else text
    texts = (scrub(fault, secrets)[:LONGEST_FAULT].strip(" .") for fault in _faults(content))
    return "; ".join(dict.fromkeys(islice(filter(None, texts), MOST_FAULTS)))


def _faults(content: Any) -> Iterator[str]:
    """Yield what is wrong, from the whole of a body."""
    if isinstance(content, dict):
        found = next((content[key] for key in FAULTS if content.get(key)), None)
        if found is None and all(isinstance(value, list) for value in content.values()):
            found = content  # Django has the fields at the top
        content = found
    yield from _fault(content, "", DEEPEST)


def _fault(said: Any, field: str, depth: int) -> Iterator[str]:
    """Yield what is wrong with a field: a text, a list of them, an object that names fields, or one by field."""
    if isinstance(said, str) and said.strip():
        yield f"{field}: {said}" if field else said
    elif not depth:
        return
    elif isinstance(said, list):
        for one in said:
            yield from _fault(one, field, depth - 1)
    elif isinstance(said, dict):
        named = next((said[key] for key in NAMES if said.get(key)), None)
        reason = next((said[key] for key in REASONS if said.get(key)), None)
        if named is not None or reason is not None:
            yield from _fault(reason or "is not accepted", _field_name(named) or field, depth - 1)
        else:
            for key, inner in said.items():
                yield from _fault(inner, ".".join(filter(None, (field, str(key)))), depth - 1)


def _field_name(named: Any) -> str:
    if isinstance(named, list):
        return ".".join(str(key) for key in named[:DEEPEST] if isinstance(key, str | int))
    return named.removeprefix("#/").replace("/", ".") if isinstance(named, str) else ""
