"""Find numbers in landed values again: plain, or the digests and masks that stand for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from airflow_provider_alloincognito.landing.rewriting.phone_numbers import DIGEST_DIGITS

DIGEST = re.compile(rf"[0-9a-f]{{{DIGEST_DIGITS}}}")
"""What a digest looks like."""
MASKED = "**"
"""What only masks have."""


def landed_numbers(value: Any) -> Iterator[str]:
    """
    Yield the texts of a field's value that may be numbers, without empty ones.

    In a list each value is one, in an object each of its values, also where they have landed as JSON text.

    :param value: the value, as a landed file has it.
    """
    if isinstance(value, str) and value[:1] in ("[", "{"):
        with suppress(msgspec.DecodeError):  # a text that only begins like JSON
            value = msgspec.json.decode(value)
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from landed_numbers(one)
    elif value is not None and (text := str(value).strip()):
        yield text
