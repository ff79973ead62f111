"""What must be in no output of any command: the tokens of a sandbox, and the phone numbers of its calls."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from urllib.parse import quote

from airflow_provider_alloincognito.sandbox import Sandbox

IN_ERRORS = "+7 (916) 123-45-67"
"""The number that a sandbox's errors quote."""
SHORTEST_PART = 12
DIGITS = 10
"""Of a number without its country code."""


def assert_no_leak(sandbox: Sandbox, start: str, end: str, *texts: str) -> None:
    """
    Assert that texts hold no token, no part of one, and no phone number, however they are written.

    :param sandbox: the server that the command talked to.
    :param start: first day whose calls may be in them.
    :param end: the day after the last.
    :param texts: stdout, stderr, files.
    """
    tokens = [*sandbox.tokens_ever_issued, sandbox.authorization_token]
    numbers = {*sandbox.phone_numbers(start, end), IN_ERRORS}
    assert numbers - {IN_ERRORS}, "a period without calls would prove nothing"
    for text in texts:
        leaks = [*leaked_tokens(tokens, text), *leaked_numbers(numbers, text)]
        assert not leaks, f"{leaks} in {text}"


def leaked_tokens(tokens: list[str], text: str) -> list[str]:
    """The tokens that a text holds a part of."""
    return [token for token in tokens if any(form in text for form in _forms(token))]


def leaked_numbers(numbers: set[str], text: str) -> list[str]:
    """The numbers that a text holds, with or without the country code, grouped in any way."""
    digits = re.sub(r"[^\d*\n]", "", text)
    return [number for number in numbers if re.sub(r"\D", "", number)[-DIGITS:] in digits]


def _forms(token: str) -> Iterator[str]:
    yield quote(token, safe="")
    yield base64.b64encode(token.encode()).decode().rstrip("=")
    yield from (part for part in token.split(".") if len(part) >= SHORTEST_PART)
    yield token
